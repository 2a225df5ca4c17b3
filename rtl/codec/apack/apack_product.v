// SPDX-License-Identifier: Apache-2.0
//
// apack_product: one comparison of the decoder: T = 1024*D + 1023 - R*cum in one DSP block (FORMAT.md section 3.3).
//
// D = CODE - LO, R = HI - LO + 1 = M + 1. The sign of T is the comparison D < (R*cum)>>10, and T >> 10 = D - ((R*cum)>>10) is the
// new D should this be the row. Computed as M*(-cum) + {D, 1023 - cum}: the constant low bits stand in for the "+ 1" of R.
// Latency: 2 enabled cycles from less_one and distance to outputs (multiplier register, sum register; the input register of
// the multiplier is the user's). Throughput: one a cycle.
// Assumes: factor = -cum, low = 1023 - cum, 0 <= cum <= 1023; both stand still except between blocks.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_product (
    input  wire        clk,
    input  wire        enable,
    input  wire [15:0] less_one,  // M, from a register
    input  wire [15:0] distance,  // D
    input  wire [10:0] factor,    // -cum, two's complement, from a register
    input  wire [ 9:0] low,       // 1023 - cum, in the cycle of distance
    output wire        below,     // T < 0: the row begins above D
    output wire [15:0] rest       // T >> 10, modulo 2^16
);

  reg signed [26:0] product_q, sum_q;
  reg [25:0] addend_q;

  wire signed [16:0] multiplicand = {1'b0, less_one};
  wire signed [10:0] multiplier = factor;
  wire signed [27:0] product = multiplicand * multiplier;

  always @(posedge clk) begin
    if (enable) begin
      product_q <= product[26:0];
      addend_q <= {distance, low};
      sum_q <= product_q + $signed({1'b0, addend_q});
    end
  end

  assign below = sum_q[26];
  assign rest  = sum_q[25:10];

  wire unused = &{1'b0, product[27], sum_q[9:0]};

endmodule

`resetall
