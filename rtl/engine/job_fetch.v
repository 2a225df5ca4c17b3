// SPDX-License-Identifier: Apache-2.0
//
// Fetches one job of a queue: reads its descriptor, then, for a codec that has one, its table, whose words go where the CPU's would go.
// The layout of a descriptor is in docs/ARCHITECTURE.md, "The job queue".
//
// A table word takes a cycle, so that a beat (two words) takes two: beats wait in a FIFO of 8, as many as there are.
// Latency: a read of 5 words, and with a table one of 8 words and 16 cycles more. One job at a time.
// Assumes: read data in the order of the commands; no `go` between `go` and `done`. It does not check the job (job_intake does).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module job_fetch (
    input  wire        clk,
    input  wire        rst,
    input  wire        go,                 // pulse
    input  wire [31:0] address,            // of the descriptor, stable from go to done
    // read commands
    output wire        cmd_valid,
    input  wire        cmd_ready,
    output wire [31:0] cmd_address,
    output wire [15:0] cmd_words,
    // the words read
    input  wire        s_valid,
    input  wire [63:0] s_data,
    input  wire        s_error,            // pulse, with or before the word's successor: the memory answered with an error
    // the job, stable from done on
    output reg         done,               // pulse
    output reg         error,              // with done: the memory answered with an error
    output reg         unreadable,         // with error: to the read of the descriptor
    output reg  [31:0] job_config,
    output reg  [31:0] job_next,           // descriptor of the next job, 0: none
    output reg  [31:0] job_values,
    output reg  [31:0] job_block_values,
    output reg  [31:0] job_raw_address,
    output reg  [31:0] job_index_address,
    output reg  [31:0] job_payload_address,
    output reg  [31:0] job_payload_words,
    // its table
    output wire        table_valid,
    output wire [ 7:0] table_address,
    output wire [31:0] table_data
);

    localparam [3:0] CODEC_APACK = 4'd3;
    localparam [2:0] IDLE = 3'd0, ASK = 3'd1, READ = 3'd2, CHOOSE = 3'd3, ASK_TABLE = 3'd4, READ_TABLE = 3'd5, LAST = 3'd6;

    reg [2:0] state_q, state_d;
    reg [2:0] word_q;
    reg [31:0] table_address_q;
    reg error_q, error_late_q;
    reg [4:0] row_q;  // table words written

    wire beat_valid, beat_ready, place;
    wire [63:0] beat;
    wire [3:0] level, peak;

    assign cmd_valid   = state_q == ASK || state_q == ASK_TABLE;
    assign cmd_address = state_q == ASK ? address : table_address_q;
    assign cmd_words   = state_q == ASK ? 16'd5 : 16'd8;

    wire has_table = job_config[3:0] == CODEC_APACK && table_address_q != 32'd0;

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE:       if (go) state_d = ASK;
            ASK:        if (cmd_ready) state_d = READ;
            READ:       if (s_valid && word_q == 3'd4) state_d = CHOOSE;
            CHOOSE:     state_d = has_table && !error_q && !s_error ? ASK_TABLE : LAST;
            ASK_TABLE:  if (cmd_ready) state_d = READ_TABLE;
            READ_TABLE: if (row_q == 5'd16) state_d = LAST;
            LAST:       state_d = IDLE;
            default:    state_d = IDLE;
        endcase
    end

    always @(posedge clk) begin
        if (rst) begin
            state_q <= IDLE;
            done    <= 1'b0;
        end else begin
            state_q <= state_d;
            done    <= state_q == LAST;
        end
    end

    always @(posedge clk) begin
        error_late_q <= s_error;
        error        <= error_q || error_late_q;
        if (state_q == IDLE) begin
            error_q <= 1'b0;
            word_q  <= 3'd0;
            row_q   <= 5'd0;
        end else begin
            if (s_error || error_late_q) error_q <= 1'b1;
            if (table_valid) row_q <= row_q + 1'b1;
        end
        if (state_q == CHOOSE) unreadable <= error_q || s_error || error_late_q;
        if (state_q == READ && s_valid) begin
            word_q <= word_q + 1'b1;
            case (word_q)
                3'd0: {job_next, job_config} <= s_data;
                3'd1: {job_block_values, job_values} <= s_data;
                3'd2: {job_index_address, job_raw_address} <= s_data;
                3'd3: {job_payload_words, job_payload_address} <= s_data;
                default: table_address_q <= s_data[31:0];
            endcase
        end
    end

    fifo #(
        .WIDTH(64),
        .DEPTH(8)
    ) u_beats (
        .clk(clk),
        .rst(rst),
        .s_valid(s_valid && state_q == READ_TABLE),
        .s_ready(place),
        .s_data(s_data),
        .m_valid(beat_valid),
        .m_ready(beat_ready),
        .m_data(beat),
        .level(level),
        .peak(peak)
    );

    assign table_valid   = beat_valid;
    assign table_address = {4'd0, row_q[3:0]};
    assign table_data    = row_q[0] ? beat[63:32] : beat[31:0];
    assign beat_ready    = row_q[0];

    wire unused = &{1'b0, place, level, peak};

endmodule

`resetall
