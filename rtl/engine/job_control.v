// SPDX-License-Identifier: Apache-2.0
//
// Runs one job: copies its parameters, checks them, has the codec's table loaded, lets the sequencers go, and ends it.
//
// The first error (or an abort) is latched with its block; then everything halts: the masters finish their issued bursts, the rest is
// cleared, and the job ends with the code. So the next job starts on a clean engine, whatever happened in this one.
// Regions: the index is counted at its largest (blocks of 128 bytes) when its end is compared with the end of the address space.
// Latency: 8 cycles from start to the first command, plus the table load.

`resetall
`timescale 1ns / 1ps
`default_nettype none

`include "tensorpress_registers.vh"

module job_control #(
    parameter BLOCK_BYTES   = 4096,  // 512..16384
    parameter ENCODE_CODECS = 3,     // mask of the codecs built to compress
    parameter DECODE_CODECS = 3      // the same to decompress
) (
    input  wire        clk,
    input  wire        rst,
    // registers
    input  wire        start,
    input  wire        stop,               // abort the job
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
    output wire        busy,
    output reg         ended,              // pulse
    output reg  [ 7:0] code,               // of the job that ended, 0 = well
    output reg  [31:0] code_block,
    // the job, stable while it runs
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
    // table
    output wire        table_load,         // pulse
    input  wire        table_done,
    input  wire        table_error,        // with done
    // everything else
    output reg         clear,              // reset of lanes, sequencers and masters
    output wire        go,                 // pulse
    output reg         halt,
    input  wire        finished,           // nothing is left to do
    input  wire        quiet,              // nothing issued is unfinished
    // errors, pulses, in the order of their rank
    input  wire        read_error,
    input  wire        write_error,
    input  wire        fill_error,
    input  wire [ 7:0] fill_code,
    input  wire [31:0] fill_block,
    input  wire        drain_error,
    input  wire [ 7:0] drain_code,
    input  wire [31:0] drain_block,
    input  wire        underrun,
    input  wire        overrun,
    input  wire [31:0] arrived_blocks
);

    localparam [3:0] IDLE = 4'd0, SUM = 4'd1, ADD = 4'd2, SETTLE = 4'd9, COMPARE = 4'd3, CHECK = 4'd4, TABLE = 4'd5, GO = 4'd6, RUN = 4'd7,
                     HALT = 4'd8, CLEAR = 4'd10;
    localparam [31:0] ENCODERS = ENCODE_CODECS;
    localparam [31:0] DECODERS = DECODE_CODECS;
    localparam [31:0] BLOCK_LIMIT = BLOCK_BYTES;

    reg [3:0] state_q, state_d;
    reg [31:0] values_q;
    reg [15:0] block_values_q;
    reg [32:0] raw_end_q, index_end_q;
    reg [35:0] payload_end_q;
    reg abort_q, asked_q;

    reg [22:0] most_entries_q;
    reg partial_q;  // the last 128 values are not all there

    // ends of the regions: these run freely, and are there when COMPARE looks at them
    always @(posedge clk) begin
        raw_end_q      <= {1'b0, job_raw_address} + {1'b0, values_q};
        partial_q      <= |values_q[6:0];
        most_entries_q <= {1'b0, job_values[28:7]} + {22'd0, partial_q};
        index_end_q    <= {1'b0, job_index_address} + {7'd0, most_entries_q, 3'b000};
        payload_end_q  <= {4'd0, job_payload_address} + {1'b0, job_payload_words, 3'b000};
    end

    // what is wrong with the job
    reg bad_length_q, bad_block_q, bad_address_q, bad_codec_q;
    reg [7:0] job_code;

    always @(posedge clk)
        if (state_q == COMPARE) begin
            bad_length_q <= values_q == 32'd0 || values_q > 32'h1000_0000;
            bad_block_q <= block_values_q == 16'd0 || block_values_q[6:0] != 7'd0 || block_values_q > BLOCK_LIMIT[15:0];
            bad_address_q <= (!job_stream && (job_raw_address[2:0] != 3'd0 || raw_end_q > 33'h1_0000_0000))
                || job_index_address[2:0] != 3'd0 || index_end_q > 33'h1_0000_0000
                || job_payload_address[2:0] != 3'd0 || payload_end_q > 36'h1_0000_0000;
            bad_codec_q <= job_decompress ? !DECODERS[{1'b0, job_codec}] : !ENCODERS[{1'b0, job_codec}];
        end

    always @* begin
        if (bad_length_q) job_code = `ERROR_BAD_LENGTH;
        else if (bad_block_q) job_code = `ERROR_BAD_BLOCK;
        else if (bad_address_q) job_code = `ERROR_BAD_ADDRESS;
        else if (bad_codec_q) job_code = `ERROR_UNSUPPORTED_CODEC;
        else job_code = `ERROR_NONE;
    end

    // the first thing that goes wrong while it runs
    wire trouble = read_error || write_error || fill_error || drain_error || underrun || overrun || abort_q;
    reg fault_q, bad_table_q;
    reg [7:0] fault_code_q;
    reg [31:0] fault_block_q;

    always @(posedge clk) begin
        if (state_q == GO) fault_q <= 1'b0;
        else if (state_q == RUN && trouble) fault_q <= 1'b1;

        if (!fault_q) begin
            fault_block_q <= arrived_blocks;
            if (read_error) fault_code_q <= `ERROR_READ_RESPONSE;
            else if (write_error) begin
                fault_code_q  <= `ERROR_WRITE_RESPONSE;
                fault_block_q <= drain_block;
            end else if (fill_error) begin
                fault_code_q  <= fill_code;
                fault_block_q <= fill_block;
            end else if (drain_error) begin
                fault_code_q  <= drain_code;
                fault_block_q <= drain_block;
            end else if (underrun) fault_code_q <= `ERROR_STREAM_UNDERRUN;
            else if (overrun) fault_code_q <= `ERROR_STREAM_OVERRUN;
            else fault_code_q <= `ERROR_ABORTED;
        end
    end

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE:  if (start) state_d = SUM;
            SUM:   state_d = ADD;
            ADD:   state_d = SETTLE;
            SETTLE: state_d = COMPARE;
            COMPARE: state_d = CHECK;
            CHECK: state_d = bad_length_q || bad_block_q || bad_address_q || bad_codec_q ? CLEAR : TABLE;
            TABLE: if (table_done) state_d = table_error ? CLEAR : GO;
            GO:    state_d = RUN;
            RUN:
            if (fault_q) state_d = HALT;
            else if (finished) state_d = CLEAR;
            HALT:  if (quiet) state_d = CLEAR;
            CLEAR: state_d = IDLE;
            default: state_d = IDLE;
        endcase
    end

    assign busy       = state_q != IDLE;
    assign table_load = state_q == TABLE && !asked_q;
    assign go         = state_q == GO;

    always @(posedge clk) begin
        if (rst) begin
            state_q <= IDLE;
            ended   <= 1'b0;
            clear   <= 1'b1;
            halt    <= 1'b0;
            abort_q <= 1'b0;
            asked_q <= 1'b0;
        end else begin
            state_q <= state_d;
            ended   <= state_q == CLEAR;
            clear   <= state_d == CLEAR;
            halt    <= state_d == HALT;
            abort_q <= busy && (abort_q || stop) && state_q != CLEAR;
            asked_q <= state_q == TABLE;
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
                if (start) begin
                    code       <= `ERROR_NONE;
                    code_block <= 32'd0;
                end
            end
            CHECK: begin
                code        <= job_code;
                bad_table_q <= 1'b0;
            end
            TABLE: bad_table_q <= table_done && table_error;
            HALT: begin
                code       <= fault_code_q;
                code_block <= fault_block_q;
            end
            CLEAR: if (bad_table_q) code <= `ERROR_BAD_TABLE;
            default: ;
        endcase
    end

    wire unused = &{1'b0, BLOCK_LIMIT[31:16], ENCODERS[31:16], DECODERS[31:16]};

endmodule

`resetall
