// SPDX-License-Identifier: Apache-2.0
//
// burst_issuer: what read_master and write_master share: a queue of four commands, cut into bursts that go out on an AXI address channel
// (legal AXI3 and AXI4 at once: INCR, at most 16 beats of 8 bytes, ending at 128-byte boundaries), up to OUTSTANDING of them on the way.
//
// Each burst is told to the master by `issue` in the cycle before its address is shown; the master says `finish` when one is over.
// Latency: s_cmd to a_valid 4 cycles. Throughput: one address a cycle.
// halt: no further address is shown (one already shown stays until taken), queued commands and those that come are dropped.
// Assumes: s_cmd_address a multiple of 8, s_cmd_words >= 1; finish only while a burst is on the way; rst only while none is.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module burst_issuer #(
    parameter ADDRESS_WIDTH = 32,  // bits, 12..64
    parameter TAG_WIDTH     = 1,   // bits that go along with a command, >= 1
    parameter OUTSTANDING   = 8    // bursts on the way, 2..16
) (
    input  wire                     clk,
    input  wire                     rst,            // synchronous, active high
    input  wire                     halt,
    // commands
    input  wire                     s_cmd_valid,
    output wire                     s_cmd_ready,
    input  wire [ADDRESS_WIDTH-1:0] s_cmd_address,  // bytes, a multiple of 8
    input  wire [             15:0] s_cmd_words,    // 1..65535
    input  wire [    TAG_WIDTH-1:0] s_cmd_tag,
    // bursts
    output wire                     issue,          // pulse: with the three that follow
    output wire [              3:0] issue_length,   // beats - 1
    output wire [    TAG_WIDTH-1:0] issue_tag,
    output wire                     issue_last,     // last burst of its command
    input  wire                     finish,         // pulse
    // address channel
    output wire                     a_valid,
    input  wire                     a_ready,
    output wire [ADDRESS_WIDTH-1:0] a_address,      // bytes
    output wire [              3:0] a_length,       // beats - 1
    // state
    output wire                     active,         // a command is held or a burst is on the way
    output wire [              7:0] outstanding     // bursts on the way, 0..OUTSTANDING, a cycle late
);

  localparam QUEUE = 4;  // commands

  generate
    if (OUTSTANDING < 2 || OUTSTANDING > 16) begin : g_bad_outstanding
      burst_issuer_OUTSTANDING_must_be_2_to_16 u_error ();
    end
  endgenerate

  wire drop = rst || halt;

  wire queued_valid, queued_ready;
  wire [ADDRESS_WIDTH-1:0] queued_address;
  wire [15:0] queued_words;
  wire [TAG_WIDTH-1:0] queued_tag;
  wire [$clog2(QUEUE):0] unused_level, unused_peak;

  fifo #(
      .WIDTH(ADDRESS_WIDTH + 16 + TAG_WIDTH),
      .DEPTH(QUEUE)
  ) u_commands (
      .clk(clk),
      .rst(drop),
      .s_valid(s_cmd_valid),
      .s_ready(s_cmd_ready),
      .s_data({s_cmd_address, s_cmd_words, s_cmd_tag}),
      .m_valid(queued_valid),
      .m_ready(queued_ready),
      .m_data({queued_address, queued_words, queued_tag}),
      .level(unused_level),
      .peak(unused_peak)
  );

  // The next command in registers: the splitter has much to find out of it, and the queue's memory gives it late.
  reg command_valid_q;
  reg [ADDRESS_WIDTH-1:0] command_address_q;
  reg [15:0] command_words_q;
  reg [TAG_WIDTH-1:0] command_tag_q;
  wire command_ready;

  assign queued_ready = !command_valid_q || command_ready;

  always @(posedge clk) begin
    if (queued_ready) begin
      command_valid_q   <= queued_valid;
      command_address_q <= queued_address;
      command_words_q   <= queued_words;
      command_tag_q     <= queued_tag;
    end
    if (drop) command_valid_q <= 1'b0;
  end

  wire burst_valid, burst_ready;
  wire [ADDRESS_WIDTH-1:0] burst_address;
  wire [4:0] burst_beats;

  burst_splitter #(
      .ADDRESS_WIDTH(ADDRESS_WIDTH),
      .TAG_WIDTH(TAG_WIDTH)
  ) u_splitter (
      .clk(clk),
      .rst(drop),
      .s_valid(command_valid_q),
      .s_ready(command_ready),
      .s_address(command_address_q),
      .s_words(command_words_q),
      .s_tag(command_tag_q),
      .m_valid(burst_valid),
      .m_ready(burst_ready),
      .m_address(burst_address),
      .m_beats(burst_beats),
      .m_tag(issue_tag),
      .m_last(issue_last)
  );

  reg valid_q;
  reg [ADDRESS_WIDTH-1:0] address_q;
  reg [3:0] length_q;
  reg [OUTSTANDING-1:0] way_q;  // as many ones, from bit 0 up, as bursts are on the way
  reg issue_q, finish_q;
  reg [4:0] outstanding_q;

  wire [4:0] burst_length = burst_beats - 5'd1;
  wire unused_length = burst_length[4];

  assign burst_ready  = (!valid_q || a_ready) && !way_q[OUTSTANDING-1] && !halt;
  assign issue        = burst_valid && burst_ready;
  assign issue_length = burst_length[3:0];

  always @(posedge clk) begin
    if (issue) begin
      valid_q   <= 1'b1;
      address_q <= burst_address;
      length_q  <= burst_length[3:0];
    end else if (a_ready) begin
      valid_q <= 1'b0;
    end
    if (issue && !finish) way_q <= {way_q[OUTSTANDING-2:0], 1'b1};
    if (finish && !issue) way_q <= way_q >> 1;
    issue_q <= issue;
    finish_q <= finish;
    outstanding_q <= outstanding_q + {4'd0, issue_q} - {4'd0, finish_q};
    if (rst) begin
      valid_q <= 1'b0;
      way_q <= {OUTSTANDING{1'b0}};
      issue_q <= 1'b0;
      finish_q <= 1'b0;
      outstanding_q <= 5'd0;
    end
  end

  assign a_valid = valid_q;
  assign a_address = address_q;
  assign a_length = length_q;
  assign active = queued_valid || command_valid_q || burst_valid || valid_q || way_q[0];
  assign outstanding = {3'd0, outstanding_q};

endmodule

`resetall
