// SPDX-License-Identifier: Apache-2.0
//
// apack_shift: by how many bits a coder's interval is normalised after a symbol, in one step (FORMAT.md section 3.1).
//
// The loop of the format shifts one bit at a time while the interval is too narrow. All of it at once: with M = HI - LO and
// k = leading zeros of M (16 bits), the shift is k, less 1 where HI and LO agree in the bit of M's leading one. A row has a
// count of at least 1 and a normalised interval at least 0x4002 codes, so M >= 15 and the shift is at most 12.
// Pairs of bits are looked at together: within pair p (from the top) the shift is 2p + 1, 2p or 2p - 1.
// Latency: 0 (combinational, about 4 LUT levels).
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

  reg [2:0] pair;
  reg more, less;

  wire [15:0] differ = low ^ high;

  integer p;
  always @* begin
    // Pair 6 (bits 3 and 2) is taken when all above are zero.
    pair = 3'd6;
    more = !less_one[3] && differ[2];
    less = less_one[3] && !differ[3];
    for (p = 5; p >= 0; p = p - 1) begin
      if (less_one[15-2*p] || less_one[14-2*p]) begin
        pair = p[2:0];
        more = !less_one[15-2*p] && differ[14-2*p];
        less = less_one[15-2*p] && !differ[15-2*p];
      end
    end
  end

  assign shift[0] = more || less;
  // 2*pair - 1 where less: subtracted bit by bit, a carry chain would be slower.
  assign shift[1] = pair[0] ^ less;
  assign shift[2] = pair[1] ^ (less && !pair[0]);
  assign shift[3] = pair[2] ^ (less && !pair[0] && !pair[1]);

  wire unused = &{1'b0, less_one[2:0], differ[1:0]};

endmodule

`resetall
