// SPDX-License-Identifier: Apache-2.0
//
// ebpc_group_sums: from bit planes back to values (FORMAT.md section 4, stream B).
//
// Does: each plane is written to its place and to all places above it, so that a run of zero planes (DBP as before) needs no writing.
//   A complete group moves to a second array, from which the differences are added up, one value a cycle, modulo 2^W; the sign plane
//   cannot change that sum and is not kept.
// Latency: last plane of a group to its first value 2 cycles. Throughput: one value a cycle.
//   A group may begin to fill in the cycle in which the one before moves, or waits for that.
// Assumes: the steps of ebpc_plane_parser. s_ready is a function of registers only.
// Does not: stop at the last value that is wanted.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_group_sums #(
    parameter W = 8  // bits of a value, values of a group: 8 or 16
) (
    input  wire         clk,
    input  wire         rst,

    // Items, see ebpc_plane_parser
    input  wire         s_valid,
    output wire         s_ready,
    input  wire         s_base,
    input  wire         s_final,
    input  wire         s_bad,
    input  wire [W-1:0] s_value,
    input  wire [W-1:0] s_from,
    input  wire [W-2:0] s_one,
    input  wire         s_one_keep,
    input  wire [W-2:0] s_two,
    input  wire         s_two_keep,

    // Values
    output wire         m_valid,
    input  wire         m_ready,
    output wire [W-1:0] m_value,
    output wire         m_bad     // its group needed bits that are not there
);

    localparam N = W - 1;  // differences of a group
    localparam PLACE_WIDTH = $clog2(W);
    localparam [PLACE_WIDTH-1:0] ONE_PLACE = 1;
    localparam [PLACE_WIDTH-1:0] LAST_PLACE = {PLACE_WIDTH{1'b1}};

    // ---------------------------------------------------------------------------------------------------------------
    // Filling
    // ---------------------------------------------------------------------------------------------------------------
    reg           full_q;    // base_q and the planes hold a group
    reg           bad_q;
    reg [W-1:0]   base_q;
    reg [N-1:0]   before_q;  // DBP of the plane before
    wire [N*W-1:0] filled;   // difference k at k*W

    wire stall = full_q && s_base;
    wire write = s_valid && s_ready;

    wire [N-1:0] plane_one = (before_q & {N{s_one_keep}}) ^ s_one;
    wire [N-1:0] plane_two = (plane_one & {N{s_two_keep}}) ^ s_two;

    wire move;  // the group goes on

    assign s_ready = !(stall && s_valid);

    always @(posedge clk) begin
        if (write) before_q <= plane_two;
        if (write && s_base) base_q <= s_value;
        if (write) bad_q <= s_bad || (bad_q && !s_base);

        if (write && s_final) full_q <= 1'b1;
        else if (move) full_q <= 1'b0;

        if (rst) full_q <= 1'b0;
    end

    genvar p, k;
    generate
        for (p = 0; p < W; p = p + 1) begin : g_plane
            reg [N-1:0] plane_q;  // d_0 on the left
            // Plane 0 always is a first item.
            if (p == 0) begin : g_first
                always @(posedge clk) begin
                    if (write && s_from[p]) plane_q <= plane_one;
                end
            end else begin : g_later
                always @(posedge clk) begin
                    if (write && s_from[p]) plane_q <= s_from[p-1] ? plane_two : plane_one;
                end
            end
            for (k = 0; k < N; k = k + 1) begin : g_bit
                assign filled[k*W+p] = plane_q[N-1-k];
            end
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Adding up
    // ---------------------------------------------------------------------------------------------------------------
    reg                   valid_q;
    reg                   last_q;     // value_q is the last of its group
    reg                   out_bad_q;
    reg [W-1:0]           value_q;
    reg [PLACE_WIDTH-1:0] place_q;    // of value_q in the group
    reg [N*W-1:0]         delta_q;    // differences that are left, the next one lowest

    wire take = valid_q && m_ready;
    assign move = full_q && (!valid_q || (last_q && m_ready));

    wire [W-1:0] delta = delta_q[W-1:0];

    always @(posedge clk) begin
        if (move) begin
            out_bad_q <= bad_q;
            place_q   <= {PLACE_WIDTH{1'b0}};
            last_q    <= 1'b0;
        end else if (take) begin
            place_q <= place_q + ONE_PLACE;
            last_q  <= place_q == LAST_PLACE - ONE_PLACE;
        end

        // The next difference is always in front, so that no choice comes before the sum.
        if (move) delta_q <= filled;
        else if (take) delta_q <= {{W{1'b0}}, delta_q[N*W-1:W]};

        if (move) value_q <= base_q;
        else if (take) value_q <= value_q + delta;

        if (move) valid_q <= 1'b1;
        else if (take && last_q) valid_q <= 1'b0;

        if (rst) valid_q <= 1'b0;
    end

    assign m_valid = valid_q;
    assign m_value = value_q;
    assign m_bad   = out_bad_q;

endmodule

`resetall
