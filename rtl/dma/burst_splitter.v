// SPDX-License-Identifier: Apache-2.0
//
// burst_splitter: cuts a command (address, words) into bursts of 1..16 beats of 8 bytes that end at 128-byte boundaries.
//
// So no burst crosses 4 KiB, and each is legal AXI3 and AXI4. The bursts of a command are contiguous and in order.
// Latency: 1 cycle. Throughput: one burst a cycle, also across commands (a command of one burst takes one cycle).
// s_ready depends combinationally on m_ready (a FIFO in front registers it).
// Assumes: s_address is a multiple of 8, s_words >= 1, the command does not pass the end of the address space.
// Does not: limit the bursts on the way.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module burst_splitter #(
    parameter ADDRESS_WIDTH = 32,  // bits, 12..64
    parameter TAG_WIDTH     = 1    // bits that go along with a command, >= 1
) (
    input  wire                     clk,
    input  wire                     rst,        // synchronous, active high: drops the command
    input  wire                     s_valid,
    output wire                     s_ready,
    input  wire [ADDRESS_WIDTH-1:0] s_address,  // bytes
    input  wire [             15:0] s_words,    // 1..65535
    input  wire [    TAG_WIDTH-1:0] s_tag,
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire [ADDRESS_WIDTH-1:0] m_address,  // bytes
    output wire [              4:0] m_beats,    // 1..16
    output wire [    TAG_WIDTH-1:0] m_tag,
    output wire                     m_last      // last burst of its command
);

  generate
    if (ADDRESS_WIDTH < 12 || ADDRESS_WIDTH > 64) begin : g_bad_address
      burst_splitter_ADDRESS_WIDTH_must_be_12_to_64 u_error ();
    end
    if (TAG_WIDTH < 1) begin : g_bad_tag
      burst_splitter_TAG_WIDTH_must_be_at_least_1 u_error ();
    end
  endgenerate

  localparam [ADDRESS_WIDTH-8:0] LINE_ONE = 1;

  reg valid_q, last_q;
  reg [ADDRESS_WIDTH-1:0] address_q;
  reg [12:0] lines_q;  // whole lines from the one of address_q to the end of the command
  reg whole_q;  // the command ends with a line
  reg [4:0] words_q;  // still to do, modulo 32: of the last burst they are all
  reg [4:0] room_q;  // words from address_q to the next 128-byte boundary, 1..16
  reg [TAG_WIDTH-1:0] tag_q;

  // Does a new command reach over the end of its line: words + first place > 16? In digits of two bits rather than with an adder, since the
  // command may come straight from a memory.
  wire [3:0] w = s_words[3:0];
  wire [3:0] p = s_address[6:3];
  wire high_over = w[3] && p[3] && (w[2] || p[2]);  // the upper digits make 5 or more
  wire high_4 = (w[3] && p[3]) || ((w[3] || p[3]) && w[2] && p[2]);  // 4 or more
  wire high_3 = w[3:2] == ~p[3:2];
  wire low_over = w[1] && p[1] && (w[0] || p[0]);  // the lower digits make 5 or more
  wire low_1 = |{w[1:0], p[1:0]};  // 1 or more
  wire s_over = s_words[4] ? |{w, p} : high_over || (high_4 && low_1) || (high_3 && low_over);

  wire [4:0] s_room = {p == 4'd0, p[3] ^ |p[2:0], p[2] ^ |p[1:0], p[1] ^ p[0], p[0]};  // 16 - p

  // The end of the command, in words from the beginning of its first line: it tells the lines that the command touches.
  wire [16:0] s_end = {1'b0, s_words} + {13'd0, p};
  wire unused_end = &{1'b0, s_end[3:0]};

  assign s_ready = !valid_q || (m_ready && last_q);

  always @(posedge clk) begin
    if (s_ready) begin
      valid_q <= s_valid;
      address_q <= s_address;
      words_q <= s_words[4:0];
      lines_q <= s_end[16:4];
      whole_q <= w == s_room[3:0];
      room_q <= s_room;
      last_q <= s_words[15:5] == 11'd0 && !s_over;
      tag_q <= s_tag;
    end else if (m_ready) begin
      address_q <= {address_q[ADDRESS_WIDTH-1:7] + LINE_ONE, 7'd0};
      words_q   <= words_q - room_q;
      lines_q   <= lines_q - 13'd1;
      room_q    <= 5'd16;
      last_q    <= lines_q == (whole_q ? 13'd2 : 13'd1);  // another line, whole or in part, and no more
    end
    if (rst) valid_q <= 1'b0;
  end

  assign m_valid   = valid_q;
  assign m_address = address_q;
  assign m_beats   = last_q ? words_q : room_q;
  assign m_tag     = tag_q;
  assign m_last    = last_q;

endmodule

`resetall
