// SPDX-License-Identifier: Apache-2.0
//
// apack_row_finder: the row that a coder's CODE lies in, by 15 comparisons at once (FORMAT.md section 3.3; 15 DSP blocks).
//
// Row r is the one with T[r] >= 0 > T[r+1] (apack_product); T[0] = D, T[16] = D - R. Gives r, the new D = T[r] >> 10, and
// D less the end of the row = T[r+1] >> 10, from which the decoder computes LO, HI and M.
// Latency: 3 enabled cycles. Throughput: one value a cycle.
// Assumes: 0 <= D <= M; the table is loaded row by row between blocks. Does not: check the table.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_row_finder (
    input  wire        clk,
    input  wire        clear,        // while no block runs; not used here
    input  wire        enable,
    input  wire        load_valid,
    input  wire [ 3:0] load_row,
    input  wire [ 9:0] load_low,     // 1023 - cum of the row
    input  wire [15:0] less_one,     // M = HI - LO, from a register
    input  wire [15:0] distance,     // D = CODE - LO
    output wire [ 3:0] row,
    output wire [15:0] rest,         // D - start of the row: the new D
    output wire [15:0] rest_end      // D - end of the row (mod 2^16)
);

  wire [10:0] load_factor = {1'b1, load_low} + 11'd1;  // -cum

  wire [16:0] below;
  wire [15:0] candidate[0:16];

  // Rows 1..15: one DSP block each, with its own copy of the count.
  genvar r;
  generate
    for (r = 1; r < 16; r = r + 1) begin : g_row
      localparam [3:0] HERE = r;
      reg [10:0] factor_q;
      reg [ 9:0] low_q;
      always @(posedge clk) begin
        if (load_valid && load_row == HERE) begin
          factor_q <= load_factor;
          low_q <= load_low;
        end
      end
      apack_product u_product (
          .clk(clk),
          .enable(enable),
          .less_one(less_one),
          .distance(distance),
          .factor(factor_q),
          .low(low_q),
          .below(below[r]),
          .rest(candidate[r])
      );
    end
  endgenerate

  // The two ends: T[0] = D and T[16] = D - M - 1.
  reg [15:0] first_q, first_2_q, last_q, last_2_q;
  always @(posedge clk) begin
    if (enable) begin
      first_q <= distance;
      first_2_q <= first_q;
      last_q <= distance + ~less_one;
      last_2_q <= last_q;
    end
  end
  assign below[0] = 1'b0;
  assign below[16] = 1'b1;
  assign candidate[0] = first_2_q;
  assign candidate[16] = last_2_q;

  // Binary row from the comparisons, highest bit first; then the candidates of this row. The bits are used in reverse in the
  // selection, so that those known first drive the first level.
  wire found_3 = !below[8];
  wire found_2 = found_3 ? !below[12] : !below[4];
  wire found_1 = !(found_3 ? (found_2 ? below[14] : below[10]) : (found_2 ? below[6] : below[2]));
  wire [7:0] odd = {below[15], below[7], below[11], below[3], below[13], below[5], below[9], below[1]};
  wire found_0 = !odd[{found_1, found_2, found_3}];
  wire [3:0] selection = {found_0, found_1, found_2, found_3};

  reg [ 3:0] row_q;
  reg [15:0] rest_q, rest_end_q;
  genvar b;
  generate
    for (b = 0; b < 16; b = b + 1) begin : g_bit
      wire [15:0] start, stop;
      for (r = 0; r < 16; r = r + 1) begin : g_choice
        localparam PLACE = (r & 1) * 8 + (r >> 1 & 1) * 4 + (r >> 2 & 1) * 2 + (r >> 3);
        assign start[PLACE] = candidate[r][b];
        assign stop[PLACE] = candidate[r+1][b];
      end
      always @(posedge clk) begin
        if (enable) begin
          rest_q[b] <= start[selection];
          rest_end_q[b] <= stop[selection];
        end
      end
    end
  endgenerate
  always @(posedge clk) if (enable) row_q <= {found_3, found_2, found_1, found_0};

  assign row = row_q;
  assign rest = rest_q;
  assign rest_end = rest_end_q;

  wire unused = &{1'b0, below[0], below[16], clear};

endmodule

`resetall
