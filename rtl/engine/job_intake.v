// SPDX-License-Identifier: Apache-2.0
//
// Takes jobs, one from the registers or one after the other from a queue in memory, checks each, has its table loaded, and gives it to the
// stages of the engine: the index first, so that it is on its way early, then the filling stage as soon as that is free.
//
// So the next job is ready while this one is filled. A job that is refused stops the intake; job_end brings it to the books in its turn.
// Jobs are numbered in their order, mod 32; at most 24 are on their way, so that a number names one job only.
// Regions: the index is counted at its largest (blocks of 128 bytes) when its end is compared with the end of the address space.
// Latency: 8 cycles from start to the index stage, plus the table load.

`resetall
`timescale 1ns / 1ps
`default_nettype none

`include "tensorpress_registers.vh"

module job_intake #(
    parameter BLOCK_BYTES   = 4096,  // 512..16384
    parameter ENCODE_CODECS = 3,     // mask of the codecs built to compress
    parameter DECODE_CODECS = 3      // the same to decompress
) (
    input  wire        clk,
    input  wire        rst,
    // registers
    input  wire        start,               // pulse: the job of the registers
    input  wire        start_queue,         // pulse: the jobs from queue_address on
    input  wire [31:0] queue_address,
    input  wire [ 3:0] s_codec,
    input  wire        s_decompress,
    input  wire        s_stream,
    input  wire        s_signed,
    input  wire [ 7:0] s_zero,
    input  wire [31:0] s_values,
    input  wire [15:0] s_block_values,
    input  wire [31:0] s_raw_address,
    input  wire [31:0] s_index_address,
    input  wire [31:0] s_payload_address,
    input  wire [31:0] s_payload_words,
    // job_fetch
    output reg         fetch_go,            // pulse
    output wire [31:0] fetch_address,
    input  wire        fetch_done,
    input  wire        fetch_error,         // with done
    input  wire        fetch_unreadable,    // with error: the descriptor itself
    input  wire [31:0] fetch_config,
    input  wire [31:0] fetch_next,
    input  wire [31:0] fetch_values,
    input  wire [31:0] fetch_block_values,
    input  wire [31:0] fetch_raw_address,
    input  wire [31:0] fetch_index_address,
    input  wire [31:0] fetch_payload_address,
    input  wire [31:0] fetch_payload_words,
    // table
    output wire        table_load,          // pulse
    input  wire        table_done,
    input  wire        table_error,         // with done
    // the job, stable from index_go to fill_go
    output reg  [ 4:0] job,                 // its number
    output reg  [ 3:0] job_codec,
    output reg         job_decompress,
    output reg         job_stream,
    output reg         job_signed,
    output reg  [ 7:0] job_zero,
    output reg  [28:0] job_values,
    output reg  [14:0] job_block_values,
    output reg  [31:0] job_raw_address,
    output reg  [31:0] job_index_address,
    output reg  [31:0] job_payload_address,
    output reg  [31:0] job_payload_words,
    output wire        index_go,            // pulse
    input  wire        index_ready,
    output wire        fill_go,             // pulse
    input  wire        fill_ready,
    // for job_end, by the number of a job
    input  wire [ 4:0] end_job,             // first job that has not ended
    output wire [31:0] end_descriptor,      // where its descriptor is
    output wire        end_queued,          // it came from a queue
    output wire        end_last,            // no job follows it
    output wire        end_writes,          // it writes to memory
    output wire        end_interrupt,       // its end raises the interrupt
    // the job that stopped the intake
    output wire        error,               // level
    output reg  [ 7:0] error_code,
    output reg         error_nowhere        // with error: its descriptor cannot be written
);

    localparam [3:0] IDLE = 4'd0, FETCH = 4'd1, SUM = 4'd2, ADD = 4'd3, SETTLE = 4'd4, COMPARE = 4'd5, CHECK = 4'd6, TABLE = 4'd7,
                     INDEX = 4'd8, FILL = 4'd9, NEXT = 4'd10, OVER = 4'd11, REFUSED = 4'd12, WAIT = 4'd13;
    localparam [31:0] ENCODERS = ENCODE_CODECS;
    localparam [31:0] DECODERS = DECODE_CODECS;
    localparam [31:0] BLOCK_LIMIT = BLOCK_BYTES;
    localparam [4:0] MOST = 5'd24;

    reg [3:0] state_q, state_d;
    reg [31:0] values_q, address_q, next_q;
    reg [15:0] block_values_q;
    reg queued_q, last_q, interrupt_q, asked_q;
    reg [4:0] ahead_q;  // jobs on their way, as of the cycle before
    reg waited_q;  // WAIT was there in the cycle before: ahead_q counts the last job
    reg [32:0] raw_end_q, index_end_q;
    reg [35:0] payload_end_q;
    reg [22:0] most_entries_q;
    reg partial_q;  // the last 128 values are not all there
    reg raw_past_q, index_past_q, payload_past_q;  // past the end of the address space

    // ends of the regions: these run freely, and are there when COMPARE looks at them
    always @(posedge clk) begin
        raw_end_q      <= {1'b0, job_raw_address} + {1'b0, values_q};
        partial_q      <= |values_q[6:0];
        most_entries_q <= {1'b0, job_values[28:7]} + {22'd0, partial_q};
        index_end_q    <= {1'b0, job_index_address} + {7'd0, most_entries_q, 3'b000};
        payload_end_q  <= {4'd0, job_payload_address} + {1'b0, job_payload_words, 3'b000};
        raw_past_q     <= raw_end_q > 33'h1_0000_0000;
        index_past_q   <= index_end_q > 33'h1_0000_0000;  // there in CHECK, the others in COMPARE
        payload_past_q <= payload_end_q > 36'h1_0000_0000;
    end

    // what is wrong with the job
    reg bad_length_q, bad_block_q, bad_address_q, bad_codec_q;
    wire bad_address = bad_address_q || index_past_q;
    wire bad = bad_length_q || bad_block_q || bad_address || bad_codec_q;

    always @(posedge clk)
        if (state_q == COMPARE) begin
            bad_length_q <= values_q == 32'd0 || values_q > 32'h1000_0000;
            bad_block_q <= block_values_q == 16'd0 || block_values_q[6:0] != 7'd0 || block_values_q > BLOCK_LIMIT[15:0];
            bad_address_q <= (!job_stream && (job_raw_address[2:0] != 3'd0 || raw_past_q))
                || job_index_address[2:0] != 3'd0
                || job_payload_address[2:0] != 3'd0 || payload_past_q;
            bad_codec_q <= job_decompress ? !DECODERS[{1'b0, job_codec}] : !ENCODERS[{1'b0, job_codec}];
        end

    wire misplaced = address_q[5:0] != 6'd0;  // the descriptor

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE:    if (start) state_d = SUM;
                     else if (start_queue) state_d = WAIT;
            WAIT:    if (misplaced) state_d = REFUSED;
                     else if (waited_q && ahead_q < MOST) state_d = FETCH;
            FETCH:   if (fetch_done) state_d = fetch_error ? REFUSED : SUM;
            SUM:     state_d = ADD;
            ADD:     state_d = SETTLE;
            SETTLE:  state_d = COMPARE;
            COMPARE: state_d = CHECK;
            CHECK:   state_d = bad ? REFUSED : TABLE;
            TABLE:   if (table_done) state_d = table_error ? REFUSED : INDEX;
            INDEX:   if (index_ready) state_d = FILL;
            FILL:    if (fill_ready) state_d = NEXT;
            NEXT:    state_d = last_q ? OVER : WAIT;
            OVER:    state_d = OVER;  // until rst
            REFUSED: state_d = REFUSED;
            default: state_d = REFUSED;
        endcase
    end

    assign table_load    = state_q == TABLE && !asked_q;
    assign index_go      = state_q == INDEX && index_ready;
    assign fill_go       = state_q == FILL && fill_ready;
    assign error         = state_q == REFUSED;
    assign fetch_address = address_q;

    // Which jobs are on their way. A job's entry is written when its number is the next one, long before its end.
    reg [35:0] entries[0:31];
    reg [4:0] end_job_q;

    always @(posedge clk) entries[job] <= {!job_decompress || !job_stream, interrupt_q, last_q, queued_q, address_q};
    assign {end_writes, end_interrupt, end_last, end_queued, end_descriptor} = entries[end_job];

    always @(posedge clk) begin
        if (rst) begin
            state_q   <= IDLE;
            fetch_go  <= 1'b0;
            asked_q   <= 1'b0;
            job       <= 5'd0;
            ahead_q   <= 5'd0;
            waited_q  <= 1'b0;
            end_job_q <= 5'd0;
        end else begin
            state_q   <= state_d;
            fetch_go  <= state_q == WAIT && state_d == FETCH;
            asked_q   <= state_q == TABLE;
            waited_q  <= state_q == WAIT;
            end_job_q <= end_job;
            ahead_q   <= job - end_job_q;
            if (state_q == NEXT && !last_q) job <= job + 5'd1;
        end
    end

    always @(posedge clk) begin
        case (state_q)
            IDLE: begin
                job_codec           <= s_codec;
                job_decompress      <= s_decompress;
                job_stream          <= s_stream;
                job_signed          <= s_signed;
                job_zero            <= s_zero;
                values_q            <= s_values;
                block_values_q      <= s_block_values;
                job_values          <= s_values[28:0];
                job_block_values    <= s_block_values[14:0];
                job_raw_address     <= s_raw_address;
                job_index_address   <= s_index_address;
                job_payload_address <= s_payload_address;
                job_payload_words   <= s_payload_words;
                address_q           <= queue_address;
                queued_q            <= !start;
                last_q              <= 1'b1;
                interrupt_q         <= 1'b0;
                error_nowhere       <= 1'b0;
            end
            WAIT: begin
                last_q        <= 1'b0;
                error_code    <= `ERROR_BAD_DESCRIPTOR;
                error_nowhere <= 1'b1;
            end
            FETCH: begin
                job_codec           <= fetch_config[3:0];
                job_decompress      <= fetch_config[`REG_JOB_CONFIG_DECOMPRESS_SHIFT];
                job_stream          <= fetch_config[`REG_JOB_CONFIG_STREAM_SHIFT];
                job_signed          <= fetch_config[`REG_JOB_CONFIG_SIGNED_SHIFT];
                job_zero            <= fetch_config[`REG_JOB_CONFIG_ZERO_BITS];
                values_q            <= fetch_values;
                block_values_q      <= fetch_block_values[15:0];
                job_values          <= fetch_values[28:0];
                job_block_values    <= fetch_block_values[14:0];
                job_raw_address     <= fetch_raw_address;
                job_index_address   <= fetch_index_address;
                job_payload_address <= fetch_payload_address;
                job_payload_words   <= fetch_payload_words;
                next_q              <= fetch_next;
                last_q              <= fetch_next == 32'd0;
                interrupt_q         <= fetch_config[16];
                error_code          <= `ERROR_READ_RESPONSE;
                error_nowhere       <= fetch_unreadable;
            end
            CHECK:
            if (bad_length_q) error_code <= `ERROR_BAD_LENGTH;
            else if (bad_block_q) error_code <= `ERROR_BAD_BLOCK;
            else if (bad_address) error_code <= `ERROR_BAD_ADDRESS;
            else error_code <= `ERROR_UNSUPPORTED_CODEC;
            TABLE: error_code <= `ERROR_BAD_TABLE;
            NEXT:  if (!last_q) address_q <= next_q;
            default: ;
        endcase
    end

    wire unused = &{
        1'b0, BLOCK_LIMIT[31:16], ENCODERS[31:16], DECODERS[31:16], fetch_config[31:17], fetch_config[7], fetch_block_values[31:16], fetch_config[15:8]
    };

endmodule

`resetall
