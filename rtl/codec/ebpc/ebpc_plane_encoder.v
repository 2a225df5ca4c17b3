// SPDX-License-Identifier: Apache-2.0
//
// ebpc_plane_encoder: codes two items of a group a cycle, base or plane (FORMAT.md section 4, table of stream B).
//
// Does: a pipeline of three registers that move together. One: the code of each plane. Two: runs of zero planes; a run is coded where
//   its last plane is, which is known from the step behind, so an item never has more than W bits. Three: both codes side by side.
// Latency: 3 cycles. Throughput: one step (two items) a cycle.
// Assumes: the steps of a group come in successive cycles with s_ready (ebpc_delta_planes does so).
// Does not: pack bits into words (bit_packer does).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_plane_encoder #(
    parameter W = 8  // bits of a value, values of a group: 8 or 16
) (
    input  wire                     clk,
    input  wire                     rst,

    // Steps
    input  wire                     s_valid,
    output wire                     s_ready,
    input  wire                     s_flush,     // no planes, the block ends
    input  wire                     s_base,      // s_one is the base
    input  wire                     s_final,     // last step of a group
    input  wire [W-1:0]             s_one,       // first item: the base, or DBX in the W-1 bits on the left
    input  wire [W-2:0]             s_two,       // second item: DBX
    input  wire                     s_one_zero,  // DBP of the first item is zero
    input  wire                     s_two_zero,  // DBP of the second item is zero

    // Code bits
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire [2*W-1:0]           m_bits,      // left-aligned
    output wire [$clog2(2*W+1)-1:0] m_count,     // 0..2*W
    output wire                     m_flush
);

    localparam PLACE_WIDTH = $clog2(W);
    localparam COUNT_WIDTH = $clog2(2 * W + 1);

    // Sizes of an item and their bits
    localparam [2:0] NONE = 3'd0, ZERO = 3'd1, SHORT = 3'd2, RUN = 3'd3, PLACE = 3'd4, RAW = 3'd5;
    localparam RUN_BITS   = 3 + PLACE_WIDTH;
    localparam PLACE_BITS = 5 + PLACE_WIDTH;
    localparam [2:0] PLACE_SIZE = PLACE_BITS == W ? RAW : PLACE;

    function [COUNT_WIDTH-1:0] bits_of;
        input [2:0] length;
        case (length)
            ZERO:    bits_of = 2;
            SHORT:   bits_of = 5;
            RUN:     bits_of = RUN_BITS[COUNT_WIDTH-1:0];
            PLACE:   bits_of = PLACE_BITS[COUNT_WIDTH-1:0];
            RAW:     bits_of = W[COUNT_WIDTH-1:0];
            default: bits_of = 0;
        endcase
    endfunction

    // Bit by bit: as a choice of constants it would be taken for resets of the register.
    function [2:0] size_of;
        input is_short, is_place;
        size_of = (SHORT & {3{is_short}}) | (PLACE_SIZE & {3{!is_short && is_place}}) | (RAW & {3{!is_short && !is_place}});
    endfunction

    wire advance = m_ready || !m_valid;
    assign s_ready = advance;

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 1: the code of each plane
    // ---------------------------------------------------------------------------------------------------------------
    wire [W-1:0] one_code, two_code;
    wire         one_is_short, two_is_short, one_is_place, two_is_place;

    ebpc_plane_code #(.W(W)) u_one_code (
        .dbx     (s_one[W-1:1]),
        .dbp_zero(s_one_zero),
        .code    (one_code),
        .is_short(one_is_short),
        .is_place(one_is_place)
    );

    ebpc_plane_code #(.W(W)) u_two_code (
        .dbx     (s_two),
        .dbp_zero(s_two_zero),
        .code    (two_code),
        .is_short(two_is_short),
        .is_place(two_is_place)
    );

    reg         valid1_q, flush1_q, final1_q;
    reg         one_none1_q, two_none1_q;  // DBX is zero
    reg [W-1:0] one1_q, two1_q;
    reg [2:0]   one_size1_q, two_size1_q;

    wire s_one_none = !s_base && s_one[W-1:1] == {(W - 1) {1'b0}};

    always @(posedge clk) begin
        if (advance) begin
            valid1_q    <= s_valid;
            flush1_q    <= s_flush;
            final1_q    <= s_final;
            one_none1_q <= s_one_none;
            two_none1_q <= s_two == {(W - 1) {1'b0}};
            one1_q      <= s_base ? s_one : one_code;
            two1_q      <= two_code;
            one_size1_q <= size_of(one_is_short && !s_base, one_is_place && !s_base);
            two_size1_q <= size_of(two_is_short, two_is_place);
        end
        if (rst) valid1_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 2: runs of zero planes
    // ---------------------------------------------------------------------------------------------------------------
    reg                   valid2_q, flush2_q;
    reg [W-1:0]           one2_q, two2_q;
    reg [2:0]             one_size2_q, two_size2_q;
    reg [PLACE_WIDTH-1:0] run_q;         // zero planes before the first item of this step
    reg                   run_begun_q;   // run_q is not 0

    localparam [PLACE_WIDTH-1:0] RUN_ONE = 1, RUN_TWO = 2;

    wire run_goes_on = two_none1_q && s_one_none && !final1_q;  // beyond this step
    wire one_ends    = one_none1_q && !two_none1_q;             // a run ends with the first item
    wire two_ends    = two_none1_q && !run_goes_on;             // with the second

    wire [PLACE_WIDTH-1:0] run_less_one = run_q - RUN_ONE;
    wire [W-1:0] zero_code    = {2'b01, {(W - 2) {1'b0}}};
    wire [W-1:0] one_run_code = {3'b001, run_less_one, {(W - 3 - PLACE_WIDTH) {1'b0}}};  // run_q + 1 planes
    wire [W-1:0] two_run_code = {3'b001, run_q, {(W - 3 - PLACE_WIDTH) {1'b0}}};         // run_q + 2 planes

    always @(posedge clk) begin
        if (advance) begin
            valid2_q <= valid1_q;
            flush2_q <= flush1_q;

            if (one_ends) one2_q <= run_begun_q ? one_run_code : zero_code;
            else one2_q <= one1_q & {W{!one_none1_q}};
            if (flush1_q || (one_none1_q && two_none1_q)) one_size2_q <= NONE;
            else if (one_ends) one_size2_q <= run_begun_q ? RUN : ZERO;
            else one_size2_q <= one_size1_q;

            if (two_ends) two2_q <= one_none1_q ? two_run_code : zero_code;
            else two2_q <= two1_q;
            if (flush1_q || run_goes_on) two_size2_q <= NONE;
            else if (two_ends) two_size2_q <= one_none1_q ? RUN : ZERO;
            else two_size2_q <= two_size1_q;

            if (valid1_q) begin
                run_begun_q <= run_goes_on;
                run_q       <= !run_goes_on ? {PLACE_WIDTH{1'b0}} : one_none1_q ? run_q + RUN_TWO : RUN_ONE;
            end
        end
        if (rst) begin
            valid2_q    <= 1'b0;
            run_begun_q <= 1'b0;
            run_q       <= {PLACE_WIDTH{1'b0}};
        end
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 3: both codes side by side; `one` is zero after its last bit, what follows `two` is never looked at
    // ---------------------------------------------------------------------------------------------------------------
    reg                   valid3_q, flush3_q;
    reg [2*W-1:0]         bits_q;
    reg [COUNT_WIDTH-1:0] count_q;

    reg [2*W-1:0]         moved;  // `two` behind `one`
    reg [COUNT_WIDTH-1:0] total;
    integer               i, j;
    wire [2*W-1:0]        two_left = {two2_q, {W{1'b0}}};

    always @* begin
        case (one_size2_q)
            NONE:    moved = two_left;
            ZERO:    moved = two_left >> 2;
            SHORT:   moved = two_left >> 5;
            RUN:     moved = two_left >> RUN_BITS;
            PLACE:   moved = two_left >> PLACE_BITS;
            default: moved = two_left >> W;
        endcase
        total = {COUNT_WIDTH{1'b0}};
        for (i = 0; i <= 5; i = i + 1) begin
            for (j = 0; j <= 5; j = j + 1) begin
                if (one_size2_q == i[2:0] && two_size2_q == j[2:0]) total = total | (bits_of(i[2:0]) + bits_of(j[2:0]));
            end
        end
    end

    always @(posedge clk) begin
        if (advance) begin
            valid3_q <= valid2_q;
            flush3_q <= flush2_q;
            bits_q   <= {one2_q, {W{1'b0}}} | moved;
            count_q  <= total;
        end
        if (rst) valid3_q <= 1'b0;
    end

    assign m_valid = valid3_q;
    assign m_bits  = bits_q;
    assign m_count = count_q;
    assign m_flush = flush3_q;

endmodule

`resetall
