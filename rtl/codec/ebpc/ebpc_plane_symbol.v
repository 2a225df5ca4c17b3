// SPDX-License-Identifier: Apache-2.0
//
// ebpc_plane_symbol: from the code of a bit plane to its DBX (FORMAT.md section 4, table of stream B).
//
// Does: gives DBX, and whether the plane builds on the one before (`keep`; the code 00001 says DBP = 0 instead). The codes of zero
//   planes give DBX = 0. Ones whose place is past the last difference are dropped.
// Latency: none, combinational; about 2 LUT levels at W = 8.
// Assumes: nothing. Does not: find the length of the code, nor the length of a run.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_plane_symbol #(
    parameter W = 8  // bits of a value, values of a group: 8 or 16
) (
    input  wire [W-1:0] code,  // left-aligned
    output wire [W-2:0] dbx,   // d_0 on the left
    output wire         keep   // 0: DBP is zero
);

    localparam PW = $clog2(W);

    wire          raw      = code[W-1];
    wire          placed   = code[W-1:W-4] == 4'b0001;
    wire          all_ones = code[W-1:W-5] == 5'b00000;
    wire          single   = code[W-5];
    wire [PW-1:0] place    = code[W-6-:PW];

    assign keep = code[W-1:W-5] != 5'b00001;

    genvar k;
    generate
        for (k = 0; k < W - 1; k = k + 1) begin : g_bit
            localparam [PW-1:0] HERE   = k;
            localparam [PW-1:0] BEFORE = k - 1;
            wire hit = place == HERE || (k > 0 && !single && place == BEFORE);
            assign dbx[W-2-k] = raw ? code[W-2-k] : all_ones || (placed && hit);
        end
    endgenerate

endmodule

`resetall
