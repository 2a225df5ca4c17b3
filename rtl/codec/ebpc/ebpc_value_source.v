// SPDX-License-Identifier: Apache-2.0
//
// ebpc_value_source: cuts raw words into values and takes the zero point off them (FORMAT.md section 4, u = v - zero).
//
// Does: reads exactly the raw words of a block of `values` values and gives u = (v - zero) mod 2^W, one a cycle, in value order, with
//   its non-zero flag and a mark on the last one. `done` of the block is somebody else's: after the last value it waits for `start`.
// Latency: raw word to its first value 3 cycles. Throughput: one value a cycle.
// Assumes: `start` when it is idle or together with `rst`; `values` and `zero` stable until the last value is taken.
//   s_raw_tready is a function of registers only.
// Does not: look at the unused bytes of the last word.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_value_source #(
    parameter W           = 8,    // bits of a value: 8 or 16
    parameter BLOCK_BYTES = 4096  // largest raw block in bytes: a power of two
) (
    input  wire                             clk,
    input  wire                             rst,          // aborts the block
    input  wire                             start,
    input  wire [$clog2(BLOCK_BYTES*8/W):0] values,       // 1..BLOCK_BYTES*8/W
    input  wire [W-1:0]                     zero,

    input  wire [63:0]                      s_raw_tdata,
    input  wire                             s_raw_tvalid,
    output wire                             s_raw_tready,

    output wire                             m_valid,
    input  wire                             m_ready,
    output wire [W-1:0]                     m_u,
    output wire                             m_nonzero,
    output wire                             m_last
);

    localparam PLACES      = 64 / W;               // values of a word
    localparam PLACE_WIDTH = $clog2(PLACES);
    localparam VW          = $clog2(BLOCK_BYTES * 8 / W);
    localparam COUNT_WIDTH = VW + 1 - PLACE_WIDTH; // counts words

    localparam [PLACE_WIDTH-1:0] LAST_PLACE = {PLACE_WIDTH{1'b1}};
    localparam [PLACE_WIDTH-1:0] ONE_PLACE  = 1;
    localparam [COUNT_WIDTH-1:0] ONE_WORD   = 1;

    // ---------------------------------------------------------------------------------------------------------------
    // The next word and the word at work; words are counted when they are taken in
    // ---------------------------------------------------------------------------------------------------------------
    reg                   fetch_q;       // words of this block are still to come
    reg [COUNT_WIDTH-1:0] words_q;       // how many, valid with fetch_q, less one
    reg                   next_valid_q;
    reg                   next_last_q;   // next_q is the last word of the block
    reg [63:0]            next_q;
    reg                   word_valid_q;
    reg                   word_last_q;
    reg [31:0]            half_q;        // the half of the word at work
    reg [31:0]            rest_q;        // and the upper half
    reg [PLACE_WIDTH-1:0] end_place_q;   // place of the last value of the word
    reg [PLACE_WIDTH-1:0] last_place_q;  // and of the last word of the block
    reg [PLACE_WIDTH-1:0] place_q;

    wire [VW:0] rounded = values - {{VW{1'b0}}, 1'b1};

    wire advance  = m_ready || !m_valid;
    wire step     = advance && word_valid_q;
    wire word_end = place_q == end_place_q;
    wire half_end = &place_q[PLACE_WIDTH-2:0];
    wire take     = s_raw_tvalid && s_raw_tready;
    wire move     = next_valid_q && (!word_valid_q || (step && word_end));

    assign s_raw_tready = fetch_q && !next_valid_q;

    always @(posedge clk) begin
        if (take) begin
            next_q      <= s_raw_tdata;
            next_last_q <= words_q == {COUNT_WIDTH{1'b0}};
            words_q     <= words_q - ONE_WORD;
        end
        if (start) words_q <= rounded[VW:PLACE_WIDTH];
        if (start) last_place_q <= rounded[PLACE_WIDTH-1:0];

        if (start) fetch_q <= 1'b1;
        else if (take && words_q == {COUNT_WIDTH{1'b0}}) fetch_q <= 1'b0;

        if (take) next_valid_q <= 1'b1;
        else if (move) next_valid_q <= 1'b0;

        if (move) begin
            {rest_q, half_q} <= next_q;
            word_last_q <= next_last_q;
            end_place_q <= next_last_q ? last_place_q : LAST_PLACE;
            place_q     <= {PLACE_WIDTH{1'b0}};
        end else if (step) begin
            place_q <= place_q + ONE_PLACE;
            if (half_end) half_q <= rest_q;
        end

        if (move) word_valid_q <= 1'b1;
        else if (step && word_end) word_valid_q <= 1'b0;

        if (rst) begin
            fetch_q      <= 1'b0;
            next_valid_q <= 1'b0;
            word_valid_q <= 1'b0;
        end
    end

    // ---------------------------------------------------------------------------------------------------------------
    // u
    // ---------------------------------------------------------------------------------------------------------------
    reg         valid_q;
    reg         nonzero_q;
    reg         last_q;
    reg [W-1:0] u_q;

    wire [W-1:0] v = half_q[place_q[PLACE_WIDTH-2:0]*W+:W];

    always @(posedge clk) begin
        if (advance) begin
            u_q       <= v - zero;
            nonzero_q <= v != zero;
            last_q    <= word_last_q && word_end;
            valid_q   <= word_valid_q;
        end
        if (rst) valid_q <= 1'b0;
    end

    assign m_valid   = valid_q;
    assign m_u       = u_q;
    assign m_nonzero = nonzero_q;
    assign m_last    = last_q;

endmodule

`resetall
