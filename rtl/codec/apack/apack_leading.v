// SPDX-License-Identifier: Apache-2.0
//
// apack_leading: number of leading zeros of a 16-bit word, at most 15 (FORMAT.md section 3.1: the bits in which LO and HI agree).
//
// Latency: 0 (combinational, 3 LUT levels). Assumes: nothing. Does not: tell zero from one.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_leading (
    input  wire [15:0] bits,
    output wire [ 3:0] zeros  // 0..15
);

  function [1:0] inside;  // leading zeros of a nibble that is not zero
    input [2:0] upper_bits;
    inside = upper_bits[2] ? 2'd0 : upper_bits[1] ? 2'd1 : upper_bits[0] ? 2'd2 : 2'd3;
  endfunction

  wire [1:0] upper = |bits[15:12] ? inside(bits[15:13]) : inside(bits[11:9]);
  wire [1:0] lower = |bits[7:4] ? inside(bits[7:5]) : inside(bits[3:1]);

  assign zeros = |bits[15:8] ? {1'b0, !(|bits[15:12]), upper} : {1'b1, !(|bits[7:4]), lower};

  wire unused = &{1'b0, bits[0]};

endmodule

`resetall
