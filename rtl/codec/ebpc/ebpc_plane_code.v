// SPDX-License-Identifier: Apache-2.0
//
// ebpc_plane_code: the code of one bit plane of EBPC, without the codes of zero planes (FORMAT.md section 4, table of stream B).
//
// Does: from DBX and "DBP is zero" finds the first rule that fits and gives the code, left-aligned, zeros after its end, and its kind
//   of length. The plane is cut into parts of four bits; each part and then the whole is none, one one, or two adjacent ones.
// Latency: none, combinational; about 4 LUT levels at W = 8.
// Assumes: nothing. Does not: code zero planes; `code` is then without meaning.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_plane_code #(
    parameter W = 8  // bits of a value, values of a group: 8 or 16
) (
    input  wire [W-2:0] dbx,       // leftmost bit = first difference
    input  wire         dbp_zero,
    output wire [W-1:0] code,      // left-aligned, zero after its last bit
    output wire         is_short,  // code has 5 bits
    output wire         is_place   // code has 5 + log2(W) bits; neither: W bits
);

    localparam PLACE_WIDTH = $clog2(W);
    localparam PARTS       = W / 4;

    // Bit k of `ones` is the k-th difference; a zero fills the last part.
    wire [W-1:0] ones;
    genvar k;
    generate
        for (k = 0; k < W - 1; k = k + 1) begin : g_order
            assign ones[k] = dbx[W-2-k];
        end
    endgenerate
    assign ones[W-1] = 1'b0;

    // What the differences hold, part after part
    reg       none, single, pair;
    reg       single_last;  // a single one, in the last place so far
    reg [3:0] part;
    integer   p;
    always @* begin
        none        = 1'b1;
        single      = 1'b0;
        pair        = 1'b0;
        single_last = 1'b0;
        part        = 4'b0000;
        for (p = 0; p < PARTS; p = p + 1) begin
            part        = ones[4*p+:4];
            pair        = (none && (part == 4'b0011 || part == 4'b0110 || part == 4'b1100)) || (pair && part == 4'b0000) ||
                (single_last && part == 4'b0001);
            single      = (none && (part == 4'b0001 || part == 4'b0010 || part == 4'b0100 || part == 4'b1000)) || (single && part == 4'b0000);
            single_last = none && part == 4'b1000;
            none        = none && part == 4'b0000;
        end
    end

    // Place of the first one
    reg [PLACE_WIDTH-1:0] place;
    integer i;
    always @* begin
        place = {PLACE_WIDTH{1'b0}};
        for (i = W - 2; i >= 0; i = i - 1) begin
            if (ones[i]) place = i[PLACE_WIDTH-1:0];
        end
    end

    wire all_ones = &dbx;
    wire special  = all_ones || dbp_zero;  // 00000 or 00001
    wire place_fits = single || pair;
    wire is_raw     = !special && !place_fits;
    assign is_place = !special && place_fits;
    assign is_short = special;

    // and-or, not a choice with constants: that would become a register's reset, a LUT further away than its data
    wire [W-1:0] raw_code = {1'b1, dbx} & {W{is_raw}};
    wire [4:0]   head     = {3'b000, is_place, (is_place && single) || (special && !all_ones)};

    generate
        if (W > 5 + PLACE_WIDTH) begin : g_wide
            assign code = raw_code | {head, place & {PLACE_WIDTH{is_place}}, {(W - 5 - PLACE_WIDTH) {1'b0}}};
        end else begin : g_exact
            assign code = raw_code | {head, place & {PLACE_WIDTH{is_place}}};
        end
    endgenerate

endmodule

`resetall
