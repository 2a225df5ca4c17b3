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
    localparam HALF       = LW / 2;

    // Where the second item begins
    localparam [2:0] ALONE = 3'd0, AFTER_ZERO = 3'd1, AFTER_SHORT = 3'd2, AFTER_RAW = 3'd3;  // bit 2: after a place, at W = 16

    generate
        if (W != 8 && W != 16) begin : g_check_w
            ebpc_plane_parser_W_must_be_8_or_16 u_error ();
        end
    endgenerate

    // The functions of the loop are in plain logic, in halves: a few levels of it are faster than carry chains.

    // Bits of an item with this beginning, after `offset` bits
    function [CW-1:0] bits_with;
        input [CW-1:0] offset;
        input [3:0] head;
        if (head[3]) bits_with = offset + W[CW-1:0];
        else if (head[2]) bits_with = offset + 2;
        else if (head[1]) bits_with = offset + RUN_BITS[CW-1:0];
        else if (head[0]) bits_with = offset + PLACE_BITS[CW-1:0];
        else bits_with = offset + 5;
    endfunction

    // What the code of a run, r-2, makes the items of a cycle more than two: alone, or as the second item; 0 when it is no run
    function [LW-1:0] more_alone;
        input [2:0] head;
        input [PW-1:0] run;
        more_alone = {{(LW - PW) {1'b0}}, run & {PW{head == 3'b001}}};
    endfunction

    function [LW-1:0] more_second;
        input [2:0] head;
        input [PW-1:0] run;
        reg up;
        integer i;
        begin
            up          = head == 3'b001;
            more_second = 0;
            for (i = 0; i < PW; i = i + 1) begin
                more_second[i] = (run[i] && head == 3'b001) ^ up;
                up             = run[i] && up;
            end
            more_second[PW] = up;
        end
    endfunction

    // a >= b; a - b
    function at_least_from;
        input [LW-1:0] a;
        input [LW-1:0] b;
        input integer low;
        input integer high;
        integer i;
        begin
            at_least_from = 1'b1;
            for (i = 0; i < LW; i = i + 1) begin
                if (i >= low && i <= high) at_least_from = (a[i] && !b[i]) || (a[i] == b[i] && at_least_from);
            end
        end
    endfunction

    function [LW-1:0] minus;
        input [LW-1:0] a;
        input [LW-1:0] b;
        reg borrow;
        integer i;
        begin
            borrow = 1'b0;
            for (i = 0; i < LW; i = i + 1) begin
                if (i == HALF) borrow = !at_least_from(a, b, 0, HALF - 1);
                minus[i] = a[i] ^ b[i] ^ borrow;
                borrow   = (!a[i] && b[i]) || (a[i] == b[i] && borrow);
            end
        end
    endfunction

    function at_least;
        input [LW-1:0] a;
        input [LW-1:0] b;
        at_least = (at_least_from(a, b, HALF, LW - 1) && a[LW-1:HALF] != b[LW-1:HALF]) ||
            (a[LW-1:HALF] == b[LW-1:HALF] && at_least_from(a, b, 0, HALF - 1));
    endfunction

    // ---------------------------------------------------------------------------------------------------------------
    // The loop: window and state -> bits and items of this cycle
    // ---------------------------------------------------------------------------------------------------------------
    reg          base_q;  // the next item is a base
    reg          last_q;  // the next item is the last of its group, when base_q = 0
    reg [LW-1:0] two_q;   // items left in the group less two, when base_q = 0 and last_q = 0

    localparam T = 2 * W - 1;  // first bit of the window
    wire [3:0] head_first       = window_bits[T-:4];
    wire [3:0] head_after_zero  = window_bits[T-2-:4];
    wire [3:0] head_after_short = window_bits[T-5-:4];
    wire [3:0] head_after_place = window_bits[T-5-PW-:4];
    wire [3:0] head_after_raw   = window_bits[T-W-:4];

    wire       last     = last_q && !base_q;
    wire       none_011 = !head_first[3] && !head_first[2] && !head_first[1];  // begins with 000
    wire [2:0] split;  // where the second item begins, see above
    assign split[0] = base_q || (!last_q && (head_first[3] || head_first[2] || (!head_first[1] && head_first[0])));
    assign split[1] = base_q || (!last_q && (head_first[3] || none_011));
    assign split[2] = PLACE_BITS != W && !base_q && !last_q && none_011 && head_first[0];

    // At all places at once, then chosen
    wire [CW-1:0] bits_alone       = bits_with(0, head_first);
    wire [CW-1:0] bits_after_zero  = bits_with(2, head_after_zero);
    wire [CW-1:0] bits_after_short = bits_with(5, head_after_short);
    wire [CW-1:0] bits_after_raw   = bits_with(W[CW-1:0], head_after_raw);
    wire [CW-1:0] bits_after_place = bits_with(PLACE_BITS[CW-1:0], head_after_place);

    wire [LW-1:0] more_first       = more_alone(head_first[3:1], window_bits[T-3-:PW]);
    wire [LW-1:0] more_after_zero  = more_second(head_after_zero[3:1], window_bits[T-5-:PW]);
    wire [LW-1:0] more_after_short = more_second(head_after_short[3:1], window_bits[T-8-:PW]);
    wire [LW-1:0] more_after_raw   = more_second(head_after_raw[3:1], window_bits[T-3-W-:PW]);
    wire [LW-1:0] more_after_place = more_second(head_after_place[3:1], window_bits[T-8-PW-:PW]);

    wire [CW-1:0] bits_of_four = split[1] ? (split[0] ? bits_after_raw : bits_after_short) : (split[0] ? bits_after_zero : bits_alone);
    wire [LW-1:0] more_of_four = split[1] ? (split[0] ? more_after_raw : more_after_short) : (split[0] ? more_after_zero : more_first);
    wire [CW-1:0] bits;
    wire [LW-1:0] more;  // items of this cycle, less two (0 as well when there is one)
    generate
        if (PLACE_BITS == W) begin : g_four
            assign bits = bits_of_four;
            assign more = more_of_four;
            wire unused_place = &{1'b0, split[2], bits_after_place, more_after_place};
        end else begin : g_five
            assign bits = split[2] ? bits_after_place : bits_of_four;
            assign more = split[2] ? more_after_place : more_of_four;
        end
    endgenerate

    wire [LW-1:0] two       = base_q ? W[LW-1:0] : two_q;
    wire          group_end = last || at_least(more, two);
    wire          beat      = window_valid && window_ready;

    assign window_consume = bits;

    always @(posedge clk) begin
        if (beat) begin
            base_q <= group_end;
            last_q <= more == minus(two, 1);
            two_q  <= minus(minus(two, 2), more);
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
    reg [LW-1:0]   two1_q;
    reg            last1_q;
    reg [CW-1:0]   bits1_q, available1_q;
    reg [2*W-1:0]  window1_q;

    assign window_ready = advance;

    always @(posedge clk) begin
        if (advance) begin
            valid1_q     <= window_valid;
            base1_q      <= base_q;
            final1_q     <= group_end;
            split1_q     <= split;
            two1_q       <= two;
            last1_q      <= last;
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
            AFTER_RAW:   code_two = window1_q[W-1:0];
            default:     code_two = window1_q[T-5-PW-:W];
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

    // The first item is plane W-1-two, or the sign plane W; the base counts as plane -1.
    genvar p;
    generate
        for (p = 0; p < W; p = p + 1) begin : g_from
            localparam TWO_HERE = W - 1 - p;
            always @(posedge clk) begin
                if (advance) from2_q[p] <= !last1_q && at_least(two1_q, TWO_HERE[LW-1:0]);
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
