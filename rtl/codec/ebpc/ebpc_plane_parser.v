// SPDX-License-Identifier: Apache-2.0
//
// ebpc_plane_parser: cuts stream B of EBPC into items, bases and plane codes, two a cycle (FORMAT.md section 4, table of stream B).
//
// Does: a group is W+2 items: the base and W+1 planes. A cycle takes the first item and, unless the group ends with it or it is the
//   code of a run, the one behind it. So a group takes (W+2)/2 cycles at most: the base goes with plane 0, then every cycle has two
//   planes or more. The length of the first item follows from four bits of the window; the length of both is looked up at all places
//   where the second may begin, and then chosen: two LUT levels from window to consumption.
//   A register later the bits of both codes become DBX masks; no part of that is in the loop.
// Latency: window to m_* 2 cycles. Throughput: two items a cycle.
// Assumes: a window of 2*W bits (bit_unpacker, MAX_BITS = 2*W).
// Does not: know how many groups the block has; it reads on as long as m_ready, beyond the end of the stream as well: m_bad then marks
//   what needed bits that are not there. Anything else has a meaning: a run of planes ends with its group, ones past the last
//   difference are dropped.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_plane_parser #(
    parameter W = 8  // bits of a value, values of a group: 8 or 16
) (
    input  wire                     clk,
    input  wire                     rst,

    // Window of bit_unpacker
    input  wire                     window_valid,
    output wire                     window_ready,
    input  wire [2*W-1:0]           window_bits,
    input  wire [$clog2(2*W+1)-1:0] window_available,
    output wire [$clog2(2*W+1)-1:0] window_consume,

    // One cycle's items
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire                     m_base,       // the first item is a base: `m_value`
    output wire                     m_final,      // the group ends
    output wire                     m_bad,        // bits were missing
    output wire [W-1:0]             m_value,
    output wire [W-1:0]             m_from,       // bit p: plane p is the first item's or a later one
    output wire [W-2:0]             m_one,        // first item: DBX, d_0 on the left
    output wire                     m_one_keep,   // 0: DBP becomes zero
    output wire [W-2:0]             m_two,        // second item: DBX; zero when there is none
    output wire                     m_two_keep
);

    localparam PW = $clog2(W);               // bits of a run length or a place
    localparam CW = $clog2(2 * W + 1);
    localparam LW = $clog2(W + 3);           // counts items

    localparam RUN_BITS   = 3 + PW;
    localparam PLACE_BITS = 5 + PW;
    localparam ALL_ITEMS  = W + 2;

    // Where the second item begins
    localparam [2:0] ALONE = 3'd0, AFTER_ZERO = 3'd1, AFTER_SHORT = 3'd2, AFTER_RAW = 3'd3, AFTER_PLACE = 3'd4;
    localparam [2:0] PLACE_SPLIT = 5 + PW == W ? AFTER_RAW : AFTER_PLACE;

    generate
        if (W != 8 && W != 16) begin : g_check_w
            ebpc_plane_parser_W_must_be_8_or_16 u_error ();
        end
    endgenerate

    // Bits of an item with this beginning, after `offset` bits
    function [CW-1:0] bits_with;
        input [CW-1:0] offset;
        input [3:0] head;
        casez (head)
            4'b1???: bits_with = offset + W[CW-1:0];
            4'b01??: bits_with = offset + 2;
            4'b001?: bits_with = offset + RUN_BITS[CW-1:0];
            4'b0001: bits_with = offset + PLACE_BITS[CW-1:0];
            default: bits_with = offset + 5;
        endcase
    endfunction

    // Items of a code: its planes, after `offset` items
    function [LW-1:0] items_with;
        input [LW-1:0] offset;
        input [2:0] head;
        input [PW-1:0] run;
        integer r;
        begin
            items_with = offset + 1;
            for (r = 0; r < W; r = r + 1) begin
                if (head == 3'b001 && run == r[PW-1:0]) items_with = offset + r[LW-1:0] + 2;
            end
        end
    endfunction

    // ---------------------------------------------------------------------------------------------------------------
    // The loop: window and state -> bits and items of this cycle
    // ---------------------------------------------------------------------------------------------------------------
    reg          base_q;  // the next item is a base
    reg          last_q;  // the next item is the last of its group
    reg [LW-1:0] left_q;  // items left in the group, when base_q = 0

    localparam [LW-1:0] ONE_ITEM  = 1;
    localparam [LW-1:0] NO_ITEM   = 0;

    localparam T = 2 * W - 1;  // first bit of the window
    wire [3:0] head_first       = window_bits[T-:4];
    wire [3:0] head_after_zero  = window_bits[T-2-:4];
    wire [3:0] head_after_short = window_bits[T-5-:4];
    wire [3:0] head_after_place = window_bits[T-5-PW-:4];
    wire [3:0] head_after_raw   = window_bits[T-W-:4];

    reg [2:0] split;
    always @* begin
        if (base_q) split = AFTER_RAW;
        else if (last_q) split = ALONE;
        else begin
            casez (head_first)
                4'b1???: split = AFTER_RAW;
                4'b01??: split = AFTER_ZERO;
                4'b001?: split = ALONE;
                4'b0001: split = PLACE_SPLIT;
                default: split = AFTER_SHORT;
            endcase
        end
    end

    reg [CW-1:0] bits;
    reg [LW-1:0] items;
    always @* begin
        case (split)
            ALONE: begin
                bits  = bits_with({CW{1'b0}}, head_first);
                items = items_with(NO_ITEM, head_first[3:1], window_bits[T-3-:PW]);
            end
            AFTER_ZERO: begin
                bits  = bits_with(2, head_after_zero);
                items = items_with(ONE_ITEM, head_after_zero[3:1], window_bits[T-5-:PW]);
            end
            AFTER_SHORT: begin
                bits  = bits_with(5, head_after_short);
                items = items_with(ONE_ITEM, head_after_short[3:1], window_bits[T-8-:PW]);
            end
            AFTER_PLACE: begin
                bits  = bits_with(PLACE_BITS[CW-1:0], head_after_place);
                items = items_with(ONE_ITEM, head_after_place[3:1], window_bits[T-8-PW-:PW]);
            end
            default: begin
                bits  = bits_with(W[CW-1:0], head_after_raw);
                items = items_with(ONE_ITEM, head_after_raw[3:1], window_bits[T-3-W-:PW]);
            end
        endcase
    end

    wire [LW-1:0] left  = base_q ? ALL_ITEMS[LW-1:0] : left_q;
    wire          group_end = items >= left;
    wire          beat  = window_valid && window_ready;

    assign window_consume = bits;

    always @(posedge clk) begin
        if (beat) begin
            base_q <= group_end;
            last_q <= left == items + ONE_ITEM;
            left_q <= left - items;
        end
        if (rst) begin
            base_q <= 1'b1;
            last_q <= 1'b0;
        end
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Register 1: what the loop saw
    // ---------------------------------------------------------------------------------------------------------------
    wire           advance = m_ready;
    reg            valid1_q;
    reg            base1_q, final1_q;
    reg [2:0]      split1_q;
    reg [LW-1:0]   left1_q;
    reg [CW-1:0]   bits1_q, available1_q;
    reg [2*W-1:0]  window1_q;

    assign window_ready = advance;

    always @(posedge clk) begin
        if (advance) begin
            valid1_q     <= window_valid;
            base1_q      <= base_q;
            final1_q     <= group_end;
            split1_q     <= split;
            left1_q      <= left;
            bits1_q      <= bits;
            available1_q <= window_available;
            window1_q    <= window_bits;
        end
        if (rst) valid1_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Register 2: masks
    // ---------------------------------------------------------------------------------------------------------------
    wire [W-1:0] code_one = window1_q[T-:W];
    reg  [W-1:0] code_two;
    always @* begin
        case (split1_q)
            ALONE:       code_two = {2'b01, {(W - 2) {1'b0}}};  // changes nothing
            AFTER_ZERO:  code_two = window1_q[T-2-:W];
            AFTER_SHORT: code_two = window1_q[T-5-:W];
            AFTER_PLACE: code_two = window1_q[T-5-PW-:W];
            default:     code_two = window1_q[W-1:0];
        endcase
    end

    wire [W-2:0] dbx_one, dbx_two;
    wire         keep_one, keep_two;

    ebpc_plane_symbol #(.W(W)) u_one (
        .code(code_one),
        .dbx (dbx_one),
        .keep(keep_one)
    );

    ebpc_plane_symbol #(.W(W)) u_two (
        .code(code_two),
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
            bad2_q      <= bits1_q > available1_q;
            value2_q    <= code_one;
            one2_q      <= dbx_one & {(W - 1) {!base1_q}};
            one_keep2_q <= keep_one && !base1_q;
            two2_q      <= dbx_two;
            two_keep2_q <= keep_two;
        end
        if (rst) valid2_q <= 1'b0;
    end

    // The first item is plane W+1-left; the base counts as plane -1.
    genvar p;
    generate
        for (p = 0; p < W; p = p + 1) begin : g_from
            localparam LEFT_HERE = W + 1 - p;
            always @(posedge clk) begin
                if (advance) from2_q[p] <= left1_q >= LEFT_HERE[LW-1:0];
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
