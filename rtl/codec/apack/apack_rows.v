// SPDX-License-Identifier: Apache-2.0
//
// apack_rows: what each of the 16 rows of a table means for the offset: its first value and its offset bits (FORMAT.md section 3).
//
// The offset bits of row i, ceil(log2(vmin[i+1] - vmin[i])), are the length of vmin[i+1] - vmin[i] - 1; they are computed while
// the rows come in, one row late; after row 15 the end of the range, 2^W, is put behind it.
// Latency: a look-up takes 0 cycles (distributed RAM); a table can be used 4 cycles after its row 15.
// Assumes: rows 0..15 in this order. Does not: check the table (apack_table does).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_rows #(
    parameter W = 8  // bits of a value: 4, 8 or 16
) (
    input  wire                   clk,
    input  wire                   load_valid,
    input  wire [            3:0] load_row,
    input  wire [          W-1:0] load_vmin,
    input  wire [            3:0] row,
    output wire [          W-1:0] vmin,
    output wire [$clog2(W+1)-1:0] offset_bits  // 0..W
);

  localparam CW = $clog2(W + 1);

  reg [W-1:0] vmin_memory[0:15];
  reg [CW-1:0] bits_memory[0:15];

  assign vmin = vmin_memory[row];
  assign offset_bits = bits_memory[row];

  // Step 1: the row before this one (row 15 after its end, the range's end being 0 modulo 2^W) and its span, less one.
  reg end_q, span_valid_q;
  reg [3:0] span_row_q;
  reg [W-1:0] before_q, span_q;

  wire step = load_valid || end_q;
  wire [W-1:0] limit = end_q ? {W{1'b0}} : load_vmin;

  always @(posedge clk) begin
    if (load_valid) vmin_memory[load_row] <= load_vmin;
    end_q <= load_valid && load_row == 4'd15;
    span_valid_q <= step;
    span_row_q <= end_q ? 4'd15 : load_row - 4'd1;
    span_q <= limit + ~before_q;
    if (load_valid) before_q <= load_vmin;
  end

  // Step 2: its length in bits.
  reg [CW-1:0] length;
  integer k;
  always @* begin
    length = {CW{1'b0}};
    for (k = 0; k < W; k = k + 1) if (span_q[k]) length = k[CW-1:0] + {{(CW - 1) {1'b0}}, 1'b1};
  end

  always @(posedge clk) if (span_valid_q) bits_memory[span_row_q] <= length;

endmodule

`resetall
