// SPDX-License-Identifier: Apache-2.0
//
// apack_part_reader: cuts the words of stream A into 16-bit parts and shows the next one (FORMAT.md section 3.2).
//
// Holds two words and the shown part. `more` tells that another part stands behind the shown one, so that the decoder knows a
// cycle ahead whether a part will be there. Where no part is left, it shows zero.
// Latency: 3 cycles from s_valid to m_valid. Throughput: one part a cycle while a word comes every 4 cycles. s_ready is a register.
// Assumes: m_take without m_valid only at the end of the stream. Does not: know the end of the stream.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_part_reader (
    input  wire        clk,
    input  wire        rst,      // drops what is held
    input  wire        s_valid,
    output wire        s_ready,
    input  wire [63:0] s_data,   // first bit of the stream at 63
    output wire        m_valid,
    output wire [15:0] m_part,   // first bit at 15; 0 unless m_valid
    output wire        more,     // after m_take there would still be a part
    input  wire        m_take
);

  reg next_valid_q, word_valid_q, part_valid_q;
  reg [63:0] next_q, word_q;
  reg [ 1:0] index_q;
  reg [15:0] part_q;

  wire move_part = m_take || !part_valid_q;
  wire move_word = !word_valid_q || (move_part && index_q == 2'd3);

  reg [15:0] selected;
  always @* begin
    case (index_q)
      2'd0: selected = word_q[63:48];
      2'd1: selected = word_q[47:32];
      2'd2: selected = word_q[31:16];
      default: selected = word_q[15:0];
    endcase
  end

  always @(posedge clk) begin
    if (!next_valid_q) next_q <= s_data;
    if (!next_valid_q) next_valid_q <= s_valid;
    else if (move_word) next_valid_q <= 1'b0;

    if (move_word) begin
      word_q <= next_q;
      word_valid_q <= next_valid_q;
    end

    if (move_part) begin
      part_valid_q <= word_valid_q;
      part_q <= word_valid_q ? selected : 16'd0;
      if (word_valid_q) index_q <= index_q + 2'd1;
    end

    if (rst) begin
      next_valid_q <= 1'b0;
      word_valid_q <= 1'b0;
      part_valid_q <= 1'b0;
      part_q <= 16'd0;
      index_q <= 2'd0;
    end
  end

  assign s_ready = !next_valid_q;
  assign m_valid = part_valid_q;
  assign m_part  = part_q;
  assign more    = word_valid_q;

endmodule

`resetall
