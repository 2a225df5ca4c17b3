// SPDX-License-Identifier: Apache-2.0
//
// ebpc_plane_parser: cuts stream B of EBPC into items, bases and plane codes, up to two a cycle (FORMAT.md section 4, table of stream B).
//
// Does: a step takes one item, or two planes when the first is neither `01` nor a run, the second is no run, and both are of one group.
//   No two of `01` and runs follow each other in a group, so a group takes 7 steps at most (13 at W = 16) of the 8 (16) there are.
//   The amount of a step, one-hot in a register, is worked out in the cycle before: from the bits that will be in front then, and from
//   what will be left of the group. That is the loop: two LUT levels to these bits, one to what they are, one or two to the amount.
//   A register later the bits of both codes become DBX masks; no part of that is in the loop.
// Latency: first word to first m_valid 8 cycles. Throughput: a step a cycle.
// Assumes: s_data stable while s_valid && !s_ready, s_end not before the last word was taken; m_ready may depend on m_valid.
// Does not: know how many groups the block has; it reads on as long as m_ready, beyond the end of the stream as well: m_bad then marks
//   what needed bits that are not there. Anything else has a meaning: a run of planes ends with its group, ones past the last
//   difference are dropped. Items that no encoder writes one after another may take more steps.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_plane_parser #(
    parameter W = 8  // bits of a value, values of a group: 8 or 16
) (
    input  wire         clk,
    input  wire         rst,

    // Stream B, first bit = bit 63
    input  wire         s_valid,
    output wire         s_ready,
    input  wire [63:0]  s_data,
    input  wire         s_end,

    // One step's items
    output wire         m_valid,
    input  wire         m_ready,
    output wire         m_base,       // the item is a base: `m_value`
    output wire         m_final,      // the group ends
    output wire         m_bad,        // bits were missing
    output wire [W-1:0] m_value,
    output wire [W-1:0] m_from,       // bit p: plane p is the first item's or a later one; none with a base
    output wire [W-2:0] m_one,        // first item: DBX, d_0 on the left; zero with a base
    output wire         m_one_keep,   // 0: DBP becomes zero
    output wire [W-2:0] m_two,        // second item: DBX; zero when there is none
    output wire         m_two_keep
);

    localparam PW = $clog2(W);      // bits of a run length or a place
    localparam LW = $clog2(W + 2);  // counts items

    localparam ZERO_BITS  = 2;
    localparam SHORT_BITS = 5;
    localparam RUN_BITS   = 3 + PW;
    localparam PLACE_BITS = 5 + PW;  // at W = 8 these codes have W bits and count as raw ones
    localparam HALF       = LW / 2;
    localparam LOADS      = 4;       // steps that ebpc_plane_window wants before the first item
    localparam [LW-1:0] ONE_ITEM  = 1;
    localparam LEFT_BASE  = W + 1;   // a base and W+1 planes

    generate
        if (W != 8 && W != 16) begin : g_check_w
            ebpc_plane_parser_W_must_be_8_or_16 u_error ();
        end
    endgenerate

    // The functions of the loop are in plain logic, in halves: a few levels of it are faster than carry chains.

    // a > b, of bits low..high
    function above;
        input [LW-1:0] a;
        input [LW-1:0] b;
        input integer low;
        input integer high;
        integer i;
        begin
            above = 1'b0;
            for (i = low; i <= high; i = i + 1) above = (a[i] && !b[i]) || (a[i] == b[i] && above);
        end
    endfunction

    // a - b
    function [LW-1:0] minus;
        input [LW-1:0] a;
        input [LW-1:0] b;
        reg borrow;
        integer i;
        begin
            borrow = 1'b0;
            for (i = 0; i < LW; i = i + 1) begin
                if (i == HALF) borrow = above(b, a, 0, HALF - 1);
                minus[i] = a[i] ^ b[i] ^ borrow;
                borrow   = (!a[i] && b[i]) || (a[i] == b[i] && borrow);
            end
        end
    endfunction

    // Kinds of plane codes, by their first four bits
    function is_zero;
        input [1:0] head;
        is_zero = head == 2'b01;
    endfunction

    function is_run;
        input [2:0] head;
        is_run = head == 3'b001;
    endfunction

    function is_short;
        input [3:0] head;
        is_short = head == 4'b0000;
    endfunction

    function is_place;
        input [3:0] head;
        is_place = PLACE_BITS != W && head == 4'b0001;
    endfunction

    function is_raw;
        input [3:0] head;
        is_raw = head[3] || (PLACE_BITS == W && head == 4'b0001);
    endfunction

    // All of them
    localparam ZERO = 0, RUN = 1, SHORT = 2, PLACE = 3, RAW = 4;

    function [4:0] kinds;
        input [3:0] head;
        kinds = {is_raw(head), is_place(head), is_short(head), is_run(head[3:1]), is_zero(head[3:2])};
    endfunction

    // Bits of a step, one-hot, whose first plane has `first` bits, by the kind of the second
    function [2*W:1] by_pair;
        input [4:0] second;
        input integer first;
        begin
            by_pair                   = {2 * W{1'b0}};
            by_pair[first+ZERO_BITS]  = second[ZERO];
            by_pair[first+SHORT_BITS] = second[SHORT];
            by_pair[first+PLACE_BITS] = second[PLACE];
            by_pair[first+W]          = second[RAW];
            by_pair[first]            = second[RUN];
        end
    endfunction

    // ---------------------------------------------------------------------------------------------------------------
    // The window and this cycle's step
    // ---------------------------------------------------------------------------------------------------------------
    localparam T = 2 * W - 1;  // first bit of the window
    localparam N = W + 3;      // first bit of `next`

    reg  [2*W:1]  by_q;                                          // bits of the step, one-hot
    reg           base_q;                                        // it is a base, or comes before the first item
    reg           pair_short_q, pair_place_q, pair_raw_q;        // it is two planes; kind of the first
    reg  [LW-1:0] take_q;                                        // planes that it says it is; a base counts as one
    reg  [LW-1:0] left_q;                                        // items left in the group, less one
    reg  [LOADS-1:0] load_q;                                     // steps that were

    wire           window_valid, window_missing;
    wire [2*W-1:0] window_bits;
    wire [W+3:0]   next;
    wire           advance = m_ready;
    wire           step    = window_valid && advance;

    ebpc_plane_window #(.W(W)) u_window (
        .clk      (clk),
        .rst      (rst),
        .s_valid  (s_valid),
        .s_ready  (s_ready),
        .s_data   (s_data),
        .s_end    (s_end),
        .m_valid  (window_valid),
        .m_ready  (advance),
        .m_by     (by_q),
        .m_bits   (window_bits),
        .m_next   (next),
        .m_missing(window_missing)
    );

    // ---------------------------------------------------------------------------------------------------------------
    // The loop: what is left of the group after this step, and the next step
    // ---------------------------------------------------------------------------------------------------------------
    // `keep` here and in ebpc_plane_window: what is one LUT deep stays so.
    (* keep *) wire       high_above, high_equal, low_above, low_equal;  // take_q and left_q, by halves
    (* keep *) wire       base_d, single_d;                              // the next is a base; or it, or one item will be left
    (* keep *) wire       zero_d, run_d, short_one_d, place_one_d, raw_one_d;
    (* keep *) wire       short_two_d, place_two_d, raw_two_d;           // and the second may be one to take as well
    (* keep *) wire [4:0] after_short, after_place, after_raw;           // what follows such a first plane

    assign high_above = above(take_q, left_q, HALF, LW - 1);
    assign high_equal = take_q[LW-1:HALF] == left_q[LW-1:HALF];
    assign low_above  = above(take_q, left_q, 0, HALF - 1);
    assign low_equal  = take_q[HALF-1:0] == left_q[HALF-1:0];

    assign base_d   = high_above || (high_equal && low_above);
    assign single_d = high_above || (high_equal && (low_above || low_equal));

    wire [3:0] head       = next[N-:4];
    wire [3:0] head_short = next[N-SHORT_BITS-:4];
    wire [3:0] head_place = next[N-PLACE_BITS-:4];
    wire [3:0] head_raw   = next[N-W-:4];
    wire       unused_next = &{1'b0, next};

    assign zero_d      = is_zero(head[3:2]) && !base_d;
    assign run_d       = is_run(head[3:1]) && !base_d;
    assign short_one_d = is_short(head) && single_d && !base_d;
    assign place_one_d = is_place(head) && single_d && !base_d;
    assign raw_one_d   = base_d || (is_raw(head) && single_d);
    assign short_two_d = is_short(head) && !single_d;
    assign place_two_d = is_place(head) && !single_d;
    assign raw_two_d   = is_raw(head) && !single_d;

    assign after_short = kinds(head_short);
    assign after_place = kinds(head_place);
    assign after_raw   = kinds(head_raw);

    wire pair_short_d = short_two_d && !after_short[RUN];
    wire pair_place_d = place_two_d && !after_place[RUN];
    wire pair_raw_d   = raw_two_d && !after_raw[RUN];

    // Planes of the next step: those of a run are two and more.
    wire [PW-1:0] run  = next[N-3-:PW];
    wire          pair = pair_short_d || pair_place_d || pair_raw_d;
    reg  [LW-1:0] take_d;
    reg           up;
    integer       i;
    always @* begin
        take_d = {LW{1'b0}};
        up     = 1'b1;
        for (i = 1; i < PW; i = i + 1) begin
            take_d[i] = run_d && (run[i] ^ up);
            up        = run[i] && up;
        end
        take_d[PW] = run_d && up;
        take_d[1]  = take_d[1] || pair;
        take_d[0]  = run_d ? run[0] : !pair;
    end

    reg [2*W:1] by_one, by_d;
    always @* begin
        by_one             = {2 * W{1'b0}};
        by_one[ZERO_BITS]  = zero_d;
        by_one[RUN_BITS]   = run_d;
        by_one[SHORT_BITS] = short_one_d;
        by_one[PLACE_BITS] = place_one_d;
        by_one[W]          = raw_one_d;

        by_d = by_one | (by_pair(after_short, SHORT_BITS) & {2 * W{short_two_d}}) | (by_pair(after_place, PLACE_BITS) & {2 * W{place_two_d}}) |
            (by_pair(after_raw, W) & {2 * W{raw_two_d}});
    end

    always @(posedge clk) begin
        if (step) begin
            by_q         <= by_d;
            base_q       <= base_d;
            pair_short_q <= pair_short_d;
            pair_place_q <= pair_place_d;
            pair_raw_q   <= pair_raw_d;
            take_q       <= take_d;
            left_q       <= base_d ? LEFT_BASE[LW-1:0] & {LW{load_q[LOADS-2]}} : minus(left_q, take_q);
            load_q       <= {load_q[LOADS-2:0], 1'b1};
        end
        if (rst) begin
            by_q    <= {2 * W{1'b0}};
            by_q[W] <= 1'b1;
            base_q  <= 1'b1;
            take_q  <= ONE_ITEM;
            left_q  <= {LW{1'b0}};
            load_q  <= {LOADS{1'b0}};
        end
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Register 1: what the loop saw
    // ---------------------------------------------------------------------------------------------------------------
    reg           valid1_q;
    reg           base1_q, final1_q;
    reg [LW-1:0]  left1_q;
    reg [W-1:0]   one1_q, two1_q;  // codes, with what follows them

    localparam [W-1:0] NOTHING = {2'b01, {(W - 2) {1'b0}}};  // `01` changes nothing

    always @(posedge clk) begin
        if (advance) begin
            valid1_q <= window_valid && load_q[LOADS-1];
            base1_q  <= base_q;
            final1_q <= base_d;
            left1_q  <= left_q;
            one1_q   <= window_bits[T-:W];
            two1_q   <= pair_short_q ? window_bits[T-SHORT_BITS-:W] : pair_raw_q ? window_bits[W-1:0] :
                PLACE_BITS != W && pair_place_q ? window_bits[T-PLACE_BITS-:W] : NOTHING;
        end
        if (rst) valid1_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Register 2: masks
    // ---------------------------------------------------------------------------------------------------------------
    wire [W-2:0] dbx_one, dbx_two;
    wire         keep_one, keep_two;

    ebpc_plane_symbol #(.W(W)) u_one (
        .code(one1_q),
        .dbx (dbx_one),
        .keep(keep_one)
    );

    ebpc_plane_symbol #(.W(W)) u_two (
        .code(two1_q),
        .dbx (dbx_two),
        .keep(keep_two)
    );

    reg         valid2_q, base2_q, final2_q, bad2_q, one_keep2_q, two_keep2_q;
    reg [W-1:0] value2_q, from2_q;
    reg [W-2:0] one2_q, two2_q;

    always @(posedge clk) begin
        if (advance) begin
            valid2_q    <= valid1_q;
            base2_q     <= base1_q;
            final2_q    <= final1_q;
            bad2_q      <= window_missing;
            value2_q    <= one1_q;
            one2_q      <= dbx_one & {(W - 1) {!base1_q}};
            one_keep2_q <= keep_one && !base1_q;
            two2_q      <= dbx_two;
            two_keep2_q <= keep_two;
        end
        if (rst) valid2_q <= 1'b0;
    end

    // The first item is plane W - left.
    genvar p;
    generate
        for (p = 0; p < W; p = p + 1) begin : g_from
            localparam BEFORE = W - p - 1;
            always @(posedge clk) begin
                if (advance) from2_q[p] <= !base1_q && left1_q > BEFORE[LW-1:0];
            end
        end
    endgenerate

    assign m_valid    = valid2_q;
    assign m_base     = base2_q;
    assign m_final    = final2_q;
    assign m_bad      = bad2_q;
    assign m_value    = value2_q;
    assign m_from     = from2_q;
    assign m_one      = one2_q;
    assign m_one_keep = one_keep2_q;
    assign m_two      = two2_q;
    assign m_two_keep = two_keep2_q;

endmodule

`resetall
