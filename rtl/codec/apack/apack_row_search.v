// SPDX-License-Identifier: Apache-2.0
//
// apack_row_search: the row of a value, the last one with vmin[row] <= value, by a binary search in four stages.
//
// Stage k compares with the first value of the row in the middle of what is left; each stage has its own small memory.
// Latency: 4 cycles. Throughput: one value a cycle, without a way to stop it.
// Assumes: a table with rising first values, loaded row by row between blocks. Does not: check the table.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_row_search #(
    parameter W = 8  // bits of a value: 4, 8 or 16
) (
    input  wire         clk,
    input  wire         load_valid,
    input  wire [  3:0] load_row,
    input  wire [W-1:0] load_vmin,
    input  wire [W-1:0] s_value,
    output wire [W-1:0] m_value,
    output wire [  3:0] m_row
);

  reg [W-1:0] middle_1_q;  // row 8
  reg [W-1:0] middle_2[0:1];  // rows 4, 12
  reg [W-1:0] middle_3[0:3];  // rows 2, 6, 10, 14
  reg [W-1:0] middle_4[0:7];  // odd rows

  always @(posedge clk) begin
    if (load_valid) begin
      if (load_row == 4'd8) middle_1_q <= load_vmin;
      if (load_row[2:0] == 3'd4) middle_2[load_row[3]] <= load_vmin;
      if (load_row[1:0] == 2'd2) middle_3[load_row[3:2]] <= load_vmin;
      if (load_row[0]) middle_4[load_row[3:1]] <= load_vmin;
    end
  end

  reg [W-1:0] value_1_q, value_2_q, value_3_q, value_4_q;
  reg row_1_q;
  reg [1:0] row_2_q;
  reg [2:0] row_3_q;
  reg [3:0] row_4_q;

  wire [W-1:0] bound_2 = middle_2[row_1_q];
  wire [W-1:0] bound_3 = middle_3[row_2_q];
  wire [W-1:0] bound_4 = middle_4[row_3_q];

  always @(posedge clk) begin
    value_1_q <= s_value;
    value_2_q <= value_1_q;
    value_3_q <= value_2_q;
    value_4_q <= value_3_q;
    row_1_q   <= s_value >= middle_1_q;
    row_2_q   <= {row_1_q, value_1_q >= bound_2};
    row_3_q   <= {row_2_q, value_2_q >= bound_3};
    row_4_q   <= {row_3_q, value_3_q >= bound_4};
  end

  assign m_value = value_4_q;
  assign m_row   = row_4_q;

endmodule

`resetall
