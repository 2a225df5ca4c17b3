// SPDX-License-Identifier: Apache-2.0
//
// apack_shift: by how many bits a coder's interval is normalised after a symbol, in one step (FORMAT.md section 3.1).
//
// The loop of the format shifts one bit at a time while the interval is too narrow. All of it at once: with M = HI - LO and
// k = leading zeros of M (16 bits), the shift is k, less 1 where HI and LO agree in the bit of M's leading one. A row has a
// count of at least 1 and a normalised interval at least 0x4002 codes, so M >= 15 and the shift is at most 12.
// Pairs of bits are looked at together: if the leading one is in pair p (from the top), the shift is 2p + 1, 2p or 2p - 1. The pairs
// are taken in three groups, which keeps it at three levels of LUTs.
// Latency: 0 (combinational, 3 LUT levels).
// Assumes: high = low + less_one (mod 2^16), less_one >= 15. Does not: tell which of the shifted bits are pending ones.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_shift (
    input  wire [15:0] low,       // LO
    input  wire [15:0] high,      // HI
    input  wire [15:0] less_one,  // HI - LO
    output wire [ 3:0] shift      // 0..12
);

  wire [15:0] differ = low ^ high;

  // Pair p: some bit set; the shift is odd; the shift is 2p - 1.
  wire [6:0] some, odd, less;
  genvar p;
  generate
    for (p = 0; p < 7; p = p + 1) begin : g_pair
      wire upper = less_one[15-2*p];
      assign some[p] = upper || less_one[14-2*p];
      assign less[p] = upper && !differ[15-2*p];
      assign odd[p]  = upper ? !differ[15-2*p] : differ[14-2*p];
    end
  endgenerate

  // Groups: pairs 0..2, 3..4, 5..6.
  reg [3:0] first, second, third;
  always @* begin
    if (some[0]) first = {3'd0, odd[0]};  // the shift of a normalised interval is not below 0
    else if (some[1]) first = {less[1] ? 3'd0 : 3'd1, odd[1]};
    else first = {less[2] ? 3'd1 : 3'd2, odd[2]};
    if (some[3]) second = {less[3] ? 3'd2 : 3'd3, odd[3]};
    else second = {less[4] ? 3'd3 : 3'd4, odd[4]};
    if (some[5]) third = {less[5] ? 3'd4 : 3'd5, odd[5]};
    else third = {less[6] ? 3'd5 : 3'd6, odd[6]};
  end

  assign shift = |less_one[15:10] ? first : |less_one[9:6] ? second : third;

  wire unused = &{1'b0, less_one[1:0], differ[1:0], some[2], some[4], some[6], less[0]};

endmodule

`resetall
