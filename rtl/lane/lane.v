// SPDX-License-Identifier: Apache-2.0
//
// One lane: two slots of (in bank, out bank, descriptor) around one codec box. See docs/ARCHITECTURE.md, "The lane".
//
// A block takes a slot with its task, is filled, coded, drained and released; slots alternate, so blocks stay in order. Filling the next
// block, coding this one and draining the last overlap. Coding starts at the first word of a block, not at its last.
// Where the encoder takes `start` ahead, the feeder and the encoder go on to the next slot when every word of this one has been handed over: the
// end of a block (its last parts, the lane's judgement) costs no time then.
// Latency: about 9 cycles from the first word of a block to its coder. Throughput: the codec's; a raw block is filled with one word a cycle
// and drained with RAW_WORDS.
// A block brings the parameters of its job (`job_*`, with the task), so that blocks of several jobs may be in a lane. The number of its table
// decides whether the coder must load one first: the lane asks for it on `table_want` and takes rows 0..15 off the bus.
// Assumes: fill words come in task order, exactly `task_words` for each task.
// It does not know addresses, nor which block of the tensor it holds.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module lane #(
    parameter BLOCK_BYTES   = 4096,  // bytes of a bank, power of two, 512..16384
    parameter ENCODE_CODECS = 3,     // mask of the codecs built to compress: bit 0 raw, 1 zvc, 2 ebpc, 3 apack; 0: this lane never compresses
    parameter DECODE_CODECS = 3,     // the same to decompress
    parameter APACK_CODERS  = 8,     // S, interleaved coders of apack
    parameter APACK_TREE    = 0,     // apack decoder: 1 = the one with 6 DSP blocks
    parameter DRAIN_WORDS   = 1,     // words drained at once: 1, 2
    parameter RAW_WORDS     = 1,     // the same of raw blocks, at most DRAIN_WORDS; with 2 the coder's reads wait for theirs
    parameter ADDRESS_WIDTH = $clog2(BLOCK_BYTES) - 3,  // derived: bits of a word address; do not set
    parameter VALUES_WIDTH  = $clog2(BLOCK_BYTES) + 1   // derived: bits of a value count; do not set
) (
    input  wire                     clk,
    input  wire                     rst,
    // job of the next block, with its task
    input  wire [              3:0] job_codec,
    input  wire                     job_decompress,  // of no meaning where the lane has one direction
    input  wire                     job_signed,
    input  wire [              7:0] job_zero,
    input  wire [              4:0] job_table,        // number of its table
    // table load bus
    output wire                     table_want,
    output wire [              4:0] table_want_number,
    input  wire                     table_forget,     // pulse: a table gets another content
    input  wire [              4:0] table_forget_number,
    input  wire [              4:0] table_number,     // of the row on the bus
    input  wire                     table_valid,
    input  wire [              7:0] table_address,
    input  wire [             31:0] table_data,
    // the next block
    input  wire                     task_valid,
    output wire                     task_ready,
    input  wire [ VALUES_WIDTH-1:0] task_values,
    input  wire [  ADDRESS_WIDTH:0] task_a_words,   // words of stream A (decompress), else 0
    input  wire [  ADDRESS_WIDTH:0] task_words,     // words that will be filled, 1..BLOCK_WORDS
    input  wire                     task_raw,       // stored raw (decompress), or codec raw: no coder
    // its words
    input  wire                     fill_valid,
    input  wire [             63:0] fill_data,
    // the oldest finished block that was not taken yet
    output wire                     done_valid,
    input  wire                     done_ready,
    output wire [  ADDRESS_WIDTH:0] done_a_words,   // words of stream A in it (compress), else 0
    output wire [  ADDRESS_WIDTH:0] done_words,     // words to drain
    output wire                     done_raw,
    output wire                     done_corrupt,
    // draining the oldest block of those taken: data 3 cycles after enable; A and raw words from 0 up, B from the top word down
    input  wire                     drain_enable,
    input  wire                     drain_last,     // with the last word's enable: releases the slot
    input  wire [ADDRESS_WIDTH-1:0] drain_address,
    output wire [64*DRAIN_WORDS-1:0] drain_data,    // with 2: at an even address words come in pairs (those of raw blocks only with RAW_WORDS = 2); else the word is the low one
    // exactly one of these is 1
    output reg                      is_busy,
    output reg                      is_starved,
    output reg                      is_blocked,
    output reg                      is_idle
);

    localparam BLOCK_WORDS = BLOCK_BYTES / 8;

    generate
        if (BLOCK_BYTES < 512 || BLOCK_BYTES > 16384 || (1 << $clog2(BLOCK_BYTES)) != BLOCK_BYTES) begin : g_bad_block_bytes
            error_BLOCK_BYTES_must_be_a_power_of_two_from_512_to_16384 u_error ();
        end
        if (ENCODE_CODECS == 0 && DECODE_CODECS == 0) begin : g_no_direction
            error_a_lane_needs_ENCODE_CODECS_or_DECODE_CODECS u_error ();
        end
        if (RAW_WORDS < 1 || RAW_WORDS > DRAIN_WORDS || DRAIN_WORDS > 2) begin : g_bad_words
            error_DRAIN_WORDS_must_be_1_or_2_and_RAW_WORDS_at_most_as_many u_error ();
        end
    endgenerate

    localparam HAS_APACK = ((ENCODE_CODECS | DECODE_CODECS) & 8) != 0 ? 1 : 0;

    // ------------------------------------------------------------------------------------------------------------------
    // Slots: five pointers walk through them in turn: task, fill, code, report (to the drain sequencer), drain.

    reg task_q, fill_q, code_q, report_q, drain_q;
    reg [1:0] occupied_q;  // has a task
    reg [1:0] full_q;      // every word is in the in bank
    reg [1:0] coded_q;     // is coded, and waits to be drained
    reg [1:0] reported_q;  // its result was taken

    reg [VALUES_WIDTH-1:0] values_q[0:1];
    reg [ADDRESS_WIDTH:0] a_words_q[0:1];
    reg [ADDRESS_WIDTH:0] words_q[0:1];
    reg [1:0] raw_q;  // no coder wanted
    reg [1:0] decompress_q, signed_q;
    reg [3:0] codec_q[0:1];
    reg [7:0] zero_q[0:1];
    reg [4:0] table_q[0:1];

    reg [ADDRESS_WIDTH:0] result_a_words_q[0:1];
    reg [ADDRESS_WIDTH:0] result_words_q[0:1];
    reg [1:0] result_raw_q;
    reg [1:0] result_corrupt_q;

    reg [ADDRESS_WIDTH:0] fill_count_q;  // words of slot fill_q that have come
    reg [ADDRESS_WIDTH:0] fill_next_q;   // fill_count_q + 1
    wire fill_last = fill_next_q == words_q[fill_q];

    wire code_finish;  // the block of slot code_q is done, its result valid
    wire [ADDRESS_WIDTH:0] code_result_a_words, code_result_words;
    wire code_result_raw, code_result_corrupt;

    assign task_ready   = !occupied_q[task_q];
    assign done_valid   = coded_q[report_q] && !reported_q[report_q];
    assign done_a_words = result_a_words_q[report_q];
    assign done_words   = result_words_q[report_q];
    assign done_raw     = result_raw_q[report_q];
    assign done_corrupt = result_corrupt_q[report_q];

    always @(posedge clk) begin
        if (rst) begin
            task_q       <= 1'b0;
            fill_q       <= 1'b0;
            code_q       <= 1'b0;
            report_q     <= 1'b0;
            drain_q      <= 1'b0;
            occupied_q   <= 2'b00;
            full_q       <= 2'b00;
            coded_q      <= 2'b00;
            reported_q   <= 2'b00;
            fill_count_q <= {ADDRESS_WIDTH + 1{1'b0}};
            fill_next_q  <= {{ADDRESS_WIDTH{1'b0}}, 1'b1};
        end else begin
            if (task_valid && task_ready) begin
                occupied_q[task_q] <= 1'b1;
                task_q             <= !task_q;
            end
            if (fill_valid) begin
                fill_count_q <= fill_last ? {ADDRESS_WIDTH + 1{1'b0}} : fill_next_q;
                fill_next_q  <= fill_last ? {{ADDRESS_WIDTH{1'b0}}, 1'b1} : fill_next_q + 1'b1;
                if (fill_last) begin
                    full_q[fill_q] <= 1'b1;
                    fill_q         <= !fill_q;
                end
            end
            if (code_finish) begin
                coded_q[code_q] <= 1'b1;
                code_q          <= !code_q;
            end
            if (done_valid && done_ready) begin
                reported_q[report_q] <= 1'b1;
                report_q             <= !report_q;
            end
            if (drain_enable && drain_last) begin
                reported_q[drain_q] <= 1'b0;
                occupied_q[drain_q] <= 1'b0;
                full_q[drain_q]     <= 1'b0;
                coded_q[drain_q]    <= 1'b0;
                drain_q             <= !drain_q;
            end
        end
    end

    always @(posedge clk) begin
        if (task_valid && task_ready) begin
            values_q[task_q]  <= task_values;
            a_words_q[task_q] <= task_a_words;
            words_q[task_q]   <= task_words;
            raw_q[task_q]     <= task_raw;
            // a lane of one direction knows it, and carries nothing of the other
            decompress_q[task_q] <= DECODE_CODECS != 0 && (ENCODE_CODECS == 0 || job_decompress);
            signed_q[task_q]  <= job_signed;
            codec_q[task_q]   <= job_codec;
            zero_q[task_q]    <= job_zero;
            table_q[task_q]   <= job_table;
        end
        if (code_finish) begin
            result_a_words_q[code_q] <= code_result_a_words;
            result_words_q[code_q]   <= code_result_words;
            result_raw_q[code_q]     <= code_result_raw;
            result_corrupt_q[code_q] <= code_result_corrupt;
        end
    end

    // ------------------------------------------------------------------------------------------------------------------
    // Banks. The slot being drained is never the one being coded: one read port serves both. With RAW_WORDS = 2 a bank holds the even or
    // the odd words of both slots, as many block RAMs, so that a raw block is drained in pairs: the coder's read waits in such a cycle.

    reg ahead_q;  // the feeder and the encoder are at the next slot
    wire feed_slot = code_q ^ ahead_q;
    wire feed_enable, feed_grant;
    wire [ADDRESS_WIDTH-1:0] feed_address;
    wire [3:0] collect_enable;
    wire [ADDRESS_WIDTH-1:0] collect_address;
    wire [63:0] collect_data;
    wire [63:0] feed_data;
    wire [127:0] in_data;  // slot 1, slot 0; or the odd word, the even one

    genvar s;
    generate
        if (RAW_WORDS == 2) begin : g_wide_in
            wire drain_raw = drain_enable && result_raw_q[drain_q];
            reg feed_odd_q, feed_odd_qq;

            for (s = 0; s < 2; s = s + 1) begin : g_half
                ram #(
                    .WIDTH(64),
                    .DEPTH(BLOCK_WORDS),
                    .STROBE_WIDTH(64),
                    .OUTPUT_REGISTER(1)
                ) u_in_bank (
                    .clk(clk),
                    .write_enable(fill_valid && fill_count_q[0] == s[0]),
                    .write_address({fill_q, fill_count_q[ADDRESS_WIDTH-1:1]}),
                    .write_data(fill_data),
                    .read_enable(drain_raw || feed_enable),
                    .read_address(drain_raw ? {drain_q, drain_address[ADDRESS_WIDTH-1:1]} : {feed_slot, feed_address[ADDRESS_WIDTH-1:1]}),
                    .read_data(in_data[64*s+:64])
                );
            end

            always @(posedge clk) begin
                feed_odd_q  <= feed_address[0];
                feed_odd_qq <= feed_odd_q;
            end

            assign feed_grant = !drain_raw;
            assign feed_data  = feed_odd_qq ? in_data[127:64] : in_data[63:0];
        end else begin : g_in
            for (s = 0; s < 2; s = s + 1) begin : g_slot
                wire fill_here = (s == 0) ? !fill_q : fill_q;

                ram #(
                    .WIDTH(64),
                    .DEPTH(BLOCK_WORDS),
                    .STROBE_WIDTH(64),
                    .OUTPUT_REGISTER(1)
                ) u_in_bank (
                    .clk(clk),
                    .write_enable(fill_valid && fill_here),
                    .write_address(fill_count_q[ADDRESS_WIDTH-1:0]),
                    .write_data(fill_data),
                    .read_enable(coded_q[s] ? drain_enable : feed_enable),
                    .read_address(coded_q[s] ? drain_address : feed_address),
                    .read_data(in_data[64*s+:64])
                );
            end

            assign feed_grant = 1'b1;
            assign feed_data  = feed_slot ? in_data[127:64] : in_data[63:0];
        end
    endgenerate

    // Out banks. With two words at once they are one memory of double words: as many block RAMs, since a slot is half as deep.
    reg [1:0] choice_q, choice_qq;  // {raw, which half of in_data} of the read in the array, in the output register

    always @(posedge clk) begin
        choice_q  <= {result_raw_q[drain_q], RAW_WORDS == 2 ? drain_address[0] : drain_q};
        choice_qq <= choice_q;
    end

    wire [63:0] in_word = choice_qq[0] ? in_data[127:64] : in_data[63:0];

    generate
        if (DRAIN_WORDS == 2) begin : g_wide_out
            wire [127:0] out_pair;
            reg odd_q, odd_qq;
            reg [127:0] pair_q;

            ram #(
                .WIDTH(128),
                .DEPTH(BLOCK_WORDS),
                .STROBE_WIDTH(16),
                .OUTPUT_REGISTER(1)
            ) u_out_banks (
                .clk(clk),
                .write_enable(collect_address[0] ? {collect_enable, 4'b0000} : {4'b0000, collect_enable}),
                .write_address({code_q, collect_address[ADDRESS_WIDTH-1:1]}),
                .write_data({2{collect_data}}),
                .read_enable(drain_enable),
                .read_address({drain_q, drain_address[ADDRESS_WIDTH-1:1]}),
                .read_data(out_pair)
            );

            always @(posedge clk) begin
                odd_q  <= drain_address[0];
                odd_qq <= odd_q;
                pair_q <= {RAW_WORDS == 2 && choice_qq[1] ? in_data[127:64] : out_pair[127:64],
                           choice_qq[1] ? in_word : odd_qq ? out_pair[127:64] : out_pair[63:0]};
            end

            assign drain_data = pair_q;
        end else begin : g_out
            wire [127:0] out_data;
            reg [63:0] word_q;

            for (s = 0; s < 2; s = s + 1) begin : g_slot
                ram #(
                    .WIDTH(64),
                    .DEPTH(BLOCK_WORDS),
                    .STROBE_WIDTH(16),
                    .OUTPUT_REGISTER(1)
                ) u_out_bank (
                    .clk(clk),
                    .write_enable(collect_enable & {4{code_q == s[0]}}),
                    .write_address(collect_address),
                    .write_data(collect_data),
                    .read_enable(drain_enable),
                    .read_address(drain_address),
                    .read_data(out_data[64*s+:64])
                );
            end

            always @(posedge clk) word_q <= choice_qq[1] ? in_word : choice_qq[0] ? out_data[127:64] : out_data[63:0];

            assign drain_data = word_q;
        end
    endgenerate

    // ------------------------------------------------------------------------------------------------------------------
    // The block being coded

    localparam [2:0] IDLE = 3'd0, LOAD = 3'd1, START = 3'd2, RUN = 3'd3, JUDGE = 3'd4, COMPARE = 3'd5, WAIT_FULL = 3'd6, TABLE = 3'd7;

    reg [2:0] state_q, state_d;
    reg [VALUES_WIDTH-1:0] code_values_q;
    reg code_decompress_q, code_signed_q;
    reg [3:0] code_codec_q;
    reg [7:0] code_zero_q;
    reg [4:0] code_table_q;
    wire needs_table, table_loaded;

    // folded where a lane has one direction
    wire decompress = DECODE_CODECS != 0 && (ENCODE_CODECS == 0 || code_decompress_q);
    reg [ADDRESS_WIDTH:0] code_a_words_q, code_words_q, code_raw_words_q, available_q;
    reg [ADDRESS_WIDTH:0] limit_words_q;  // words of slot code_q, also while code_* are those of the next one
    reg [ADDRESS_WIDTH+1:0] judged_q;
    reg [ADDRESS_WIDTH:0] coded_a_words_q;
    reg limit_q, corrupt_q, raw_result_q, raw_result_d, too_large_q;

    wire encoder_done, encoder_limit, encoder_takes_ahead, decoder_done, decoder_corrupt;
    wire [ADDRESS_WIDTH:0] encoder_a_words, b_words;
    wire [ADDRESS_WIDTH+1:0] coded_size;

    wire coder_done = decompress ? decoder_done : encoder_done;
    wire code_full = full_q[code_q];

    always @* begin
        state_d      = state_q;
        raw_result_d = raw_result_q;
        case (state_q)
            IDLE: begin
                raw_result_d = raw_q[code_q];
                if (occupied_q[code_q] && !coded_q[code_q]) state_d = raw_q[code_q] ? WAIT_FULL : LOAD;
            end
            LOAD:    state_d = needs_table ? TABLE : START;  // coder in reset, feeder and collector loaded
            TABLE:   if (table_loaded) state_d = START;
            START:   state_d = RUN;
            RUN:
            if (coder_done) begin
                state_d = JUDGE;
            end else if (too_large_q) begin
                raw_result_d = 1'b1;
                state_d      = WAIT_FULL;
            end
            JUDGE:   state_d = COMPARE;
            COMPARE: begin
                raw_result_d = !decompress && (limit_q || judged_q >= {1'b0, limit_words_q});
                state_d      = WAIT_FULL;
            end
            WAIT_FULL: if (code_full) state_d = ahead_q ? RUN : IDLE;
            default: state_d = IDLE;
        endcase
    end

    always @(posedge clk) begin
        if (rst) state_q <= IDLE;
        else state_q <= state_d;
    end

    // Ahead: the encoder has every word of this block, and the other slot has the next one for it, which differs in values only. This block's result
    // is told by `code_q` as ever; the feeder and `code_*` are at the other slot.
    reg next_slot_q;  // the slot whose parameters the coder gets next: in IDLE code_q, else the other one
    wire other_table_same;
    reg other_fits_q, ahead_start_q;
    wire go_ahead = state_q == RUN && !ahead_q && other_fits_q && feed_b_end && !too_large_q;
    wire finish_ahead = code_finish && ahead_q;

    always @(posedge clk) begin
        other_fits_q <= state_q == RUN && !ahead_q && !decompress && encoder_takes_ahead && occupied_q[next_slot_q] && !coded_q[next_slot_q] &&
                        !raw_q[next_slot_q] && !decompress_q[next_slot_q] && codec_q[next_slot_q] == code_codec_q && other_table_same;
        ahead_start_q <= go_ahead;
        if (go_ahead) ahead_q <= 1'b1;
        if (code_finish || (state_q == RUN && too_large_q && !coder_done)) ahead_q <= 1'b0;
        if (rst) next_slot_q <= 1'b0;
        else if (state_q != IDLE) next_slot_q <= code_q ^ !finish_ahead;
        if (rst || ENCODE_CODECS < 8) begin
            ahead_q       <= 1'b0;
            ahead_start_q <= 1'b0;
        end
    end

    always @(posedge clk) begin
        raw_result_q <= raw_result_d;
        // the first `available` words of the feeder's slot may be read; it changes only in IDLE and in go_ahead, and the feeder reads two cycles later
        available_q  <= full_q[feed_slot] ? code_words_q : fill_count_q;
        if (state_q == IDLE || go_ahead) begin
            code_values_q    <= values_q[next_slot_q];
            code_decompress_q <= decompress_q[next_slot_q];
            code_signed_q    <= signed_q[next_slot_q];
            code_codec_q     <= codec_q[next_slot_q];
            code_zero_q      <= zero_q[next_slot_q];
            code_table_q     <= table_q[next_slot_q];
            code_a_words_q   <= a_words_q[next_slot_q];
            code_words_q     <= words_q[next_slot_q];
            code_raw_words_q <= values_q[next_slot_q][VALUES_WIDTH-1:3] + {{ADDRESS_WIDTH{1'b0}}, |values_q[next_slot_q][2:0]};
        end
        if (state_q == IDLE) limit_words_q <= words_q[code_q];
        else if (finish_ahead) limit_words_q <= code_words_q;
        if (state_q == IDLE) begin
            corrupt_q <= 1'b0;
            limit_q   <= 1'b0;
        end
        if (coder_done && state_q == RUN) begin
            limit_q         <= !decompress && encoder_limit;
            corrupt_q       <= decompress && decoder_corrupt;
            coded_a_words_q <= encoder_a_words;
        end
        judged_q    <= {1'b0, coded_a_words_q} + {1'b0, b_words};
        too_large_q <= state_q == RUN && !decompress && coded_size >= {1'b0, limit_words_q};
    end

    wire coder_load = state_q == LOAD;
    wire coder_rst = rst || coder_load;
    wire coder_start = state_q == START || ahead_start_q;

    assign code_finish         = state_q == WAIT_FULL && code_full;
    assign code_result_raw     = raw_result_q;
    assign code_result_corrupt = corrupt_q;
    assign code_result_a_words = raw_result_q || decompress ? {ADDRESS_WIDTH + 1{1'b0}} : coded_a_words_q;
    assign code_result_words   = raw_result_q ? limit_words_q : decompress ? code_raw_words_q : judged_q[ADDRESS_WIDTH:0];

    // ------------------------------------------------------------------------------------------------------------------
    // The table of this block

    wire table_take;

    generate
        if (HAS_APACK != 0) begin : g_table
            localparam [2:0] READY_AFTER = 3'd6;  // cycles from row 15 until the coders may start
            reg loaded_q, taking_q, match_q;
            reg [4:0] number_q;
            reg [2:0] after_q;
            wire row_0 = table_address[3:0] == 4'd0;
            wire here = state_q == TABLE && after_q == 3'd0;

            assign other_table_same  = loaded_q && number_q == table_q[next_slot_q];
            assign needs_table       = code_codec_q == 4'd3 && !(loaded_q && match_q);
            assign table_want        = here;
            assign table_want_number = code_table_q;
            assign table_take        = here && table_valid && table_number == code_table_q && (row_0 || taking_q);
            assign table_loaded      = after_q == READY_AFTER;

            always @(posedge clk) begin
                // the slot's number as IDLE sees it: one cycle before LOAD looks
                match_q  <= number_q == table_q[code_q];
                taking_q <= here && (table_take ? table_address[3:0] != 4'd15 : taking_q);
                if (rst || state_q != TABLE) after_q <= 3'd0;
                else if (after_q != 3'd0 || (table_take && table_address[3:0] == 4'd15)) after_q <= after_q + 1'b1;
                if (table_take) number_q <= code_table_q;
                if (rst || (table_forget && table_forget_number == number_q) || (table_take && taking_q == 1'b0)) loaded_q <= 1'b0;
                else if (table_take && table_address[3:0] == 4'd15) loaded_q <= 1'b1;
            end
        end else begin : g_no_table
            assign other_table_same  = 1'b1;
            assign needs_table       = 1'b0;
            assign table_want        = 1'b0;
            assign table_want_number = 5'd0;
            assign table_take        = 1'b0;
            assign table_loaded      = 1'b1;
            wire unused_table        = &{1'b0, table_valid, table_number, table_forget, table_forget_number, code_table_q};
        end
    endgenerate

    // ------------------------------------------------------------------------------------------------------------------
    // Feeder, codec box, collector

    wire [63:0] feed_a_tdata, feed_b_tdata;
    wire feed_a_tvalid, feed_a_tready, feed_a_end, feed_b_tvalid, feed_b_tready, feed_b_end;
    wire encoder_raw_tready, decoder_a_tready, decoder_b_tready;

    function [63:0] to_stream;
        input [63:0] word;
        to_stream = {word[7:0], word[15:8], word[23:16], word[31:24], word[39:32], word[47:40], word[55:48], word[63:56]};
    endfunction

    lane_feeder #(
        .ADDRESS_WIDTH(ADDRESS_WIDTH)
    ) u_feeder (
        .clk(clk),
        .rst(rst),
        .load(coder_load || ahead_start_q),
        .a_words(code_a_words_q),
        .words(code_words_q),
        .available(available_q),
        .read_grant(feed_grant),
        .read_enable(feed_enable),
        .read_address(feed_address),
        .read_data(feed_data),
        .m_a_tdata(feed_a_tdata),
        .m_a_tvalid(feed_a_tvalid),
        .m_a_tready(feed_a_tready),
        .m_a_end(feed_a_end),
        .m_b_tdata(feed_b_tdata),
        .m_b_tvalid(feed_b_tvalid),
        .m_b_tready(feed_b_tready),
        .m_b_end(feed_b_end)
    );

    wire running = state_q == RUN;
    assign feed_a_tready = running && decompress && decoder_a_tready;
    assign feed_b_tready = running && (decompress ? decoder_b_tready : encoder_raw_tready);

    wire [63:0] a_tdata, b_tdata, raw_tdata;
    wire [ADDRESS_WIDTH-1:0] a_taddress;
    wire [3:0] a_tstrb;
    wire a_tvalid, a_tready, b_tvalid, b_tready, raw_tvalid, raw_tready;

    generate
        if (ENCODE_CODECS > 1) begin : g_encoder
            codec_encoder #(
                .W(8),
                .BLOCK_BYTES(BLOCK_BYTES),
                .CODECS(ENCODE_CODECS),
                .APACK_CODERS(APACK_CODERS)
            ) u_encoder (
                .clk(clk),
                .rst(coder_rst),
                .codec(code_codec_q),
                .start(coder_start && !decompress),
                .values(code_values_q),
                .zero(code_zero_q),
                .is_signed(code_signed_q),
                .table_valid(table_take),
                .table_address(table_address),
                .table_data(table_data),
                .s_raw_tdata(feed_b_tdata),
                .s_raw_tvalid(feed_b_tvalid && running && !decompress),
                .s_raw_tready(encoder_raw_tready),
                .m_a_tdata(a_tdata),
                .m_a_taddress(a_taddress),
                .m_a_tstrb(a_tstrb),
                .m_a_tvalid(a_tvalid),
                .m_a_tready(a_tready),
                .m_b_tdata(b_tdata),
                .m_b_tvalid(b_tvalid),
                .m_b_tready(b_tready),
                .done(encoder_done),
                .takes_ahead(encoder_takes_ahead),
                .a_words(encoder_a_words),
                .limit(encoder_limit)
            );
        end else begin : g_no_encoder
            assign encoder_raw_tready = 1'b0;
            assign a_tdata            = 64'd0;
            assign a_taddress         = {ADDRESS_WIDTH{1'b0}};
            assign a_tstrb            = 4'd0;
            assign a_tvalid           = 1'b0;
            assign b_tdata            = 64'd0;
            assign b_tvalid           = 1'b0;
            assign encoder_done       = 1'b0;
            assign encoder_takes_ahead = 1'b0;
            assign encoder_a_words    = {ADDRESS_WIDTH + 1{1'b0}};
            assign encoder_limit      = 1'b0;
            wire unused_encoder       = &{1'b0, a_tready, b_tready};
        end
        if (DECODE_CODECS > 1) begin : g_decoder
            codec_decoder #(
                .W(8),
                .BLOCK_BYTES(BLOCK_BYTES),
                .CODECS(DECODE_CODECS),
                .APACK_CODERS(APACK_CODERS),
                .APACK_TREE(APACK_TREE)
            ) u_decoder (
                .clk(clk),
                .rst(coder_rst),
                .codec(code_codec_q),
                .start(coder_start && decompress),
                .values(code_values_q),
                .zero(code_zero_q),
                .is_signed(code_signed_q),
                .table_valid(table_take),
                .table_address(table_address),
                .table_data(table_data),
                .s_a_tdata(to_stream(feed_a_tdata)),
                .s_a_tvalid(feed_a_tvalid && running && decompress),
                .s_a_tready(decoder_a_tready),
                .s_a_end(feed_a_end),
                .s_b_tdata(to_stream(feed_b_tdata)),
                .s_b_tvalid(feed_b_tvalid && running && decompress),
                .s_b_tready(decoder_b_tready),
                .s_b_end(feed_b_end),
                .m_raw_tdata(raw_tdata),
                .m_raw_tvalid(raw_tvalid),
                .m_raw_tready(raw_tready),
                .done(decoder_done),
                .corrupt(decoder_corrupt)
            );
        end else begin : g_no_decoder
            assign decoder_a_tready = 1'b0;
            assign decoder_b_tready = 1'b0;
            assign raw_tdata        = 64'd0;
            assign raw_tvalid       = 1'b0;
            assign decoder_done     = 1'b0;
            assign decoder_corrupt  = 1'b0;
            wire unused_decoder     = &{1'b0, raw_tready, feed_a_tdata, feed_a_end, feed_b_end, APACK_TREE[0]};
        end
    endgenerate

    lane_collector #(
        .ADDRESS_WIDTH(ADDRESS_WIDTH)
    ) u_collector (
        .clk(clk),
        .load(coder_load || finish_ahead),
        .decompress(decompress),
        .s_a_tdata(a_tdata),
        .s_a_taddress(a_taddress),
        .s_a_tstrb(a_tstrb),
        .s_a_tvalid(a_tvalid && running),
        .s_a_tready(a_tready),
        .s_b_tdata(b_tdata),
        .s_b_tvalid(b_tvalid && running),
        .s_b_tready(b_tready),
        .s_raw_tdata(raw_tdata),
        .s_raw_tvalid(raw_tvalid && running),
        .s_raw_tready(raw_tready),
        .write_enable(collect_enable),
        .write_address(collect_address),
        .write_data(collect_data),
        .b_words(b_words),
        .size(coded_size)
    );

    // ------------------------------------------------------------------------------------------------------------------
    // What the lane does with its time

    wire waits = occupied_q == coded_q;  // nothing to code
    reg nothing_q, waits_q, a_dry_q, b_dry_q, a_asked_q, b_asked_q, hungry_fill_q;
    wire hungry = (a_asked_q && a_dry_q) || (b_asked_q && b_dry_q) || hungry_fill_q;

    always @(posedge clk) begin
        nothing_q     <= rst || occupied_q == 2'b00;
        waits_q       <= rst || waits;
        a_asked_q     <= feed_a_tready;
        b_asked_q     <= feed_b_tready;
        a_dry_q       <= !feed_a_tvalid && !feed_a_end;
        b_dry_q       <= !feed_b_tvalid && !feed_b_end;
        hungry_fill_q <= state_q == WAIT_FULL && !code_full && !fill_valid;
        // a cycle later, so that the coder's handshakes end in a register of their own
        is_idle    <= rst || nothing_q;
        is_blocked <= !rst && !nothing_q && waits_q;
        is_starved <= !rst && !waits_q && hungry;
        is_busy    <= !rst && !waits_q && !hungry;
    end

endmodule

`resetall
