// SPDX-License-Identifier: Apache-2.0
//
// Walks through the blocks of a job in order and has each one brought to its lane: gives the lane its task, then issues the read
// command (DDR) or the stream command (s_axis_raw). Each block goes to the next lane of its direction; it is asked for only when that lane has a slot.
//
// Decompressing, it takes the index entries in order and checks each before use: an entry can make no read outside the payload region
// and no block larger than a bank. FORMAT.md, section 2.
// Throughput: a block every 5 (compress) or 8 (decompress) cycles. It does not see the words.

`resetall
`timescale 1ns / 1ps
`default_nettype none

`include "tensorpress_registers.vh"

module fill_sequencer #(
    parameter LANES         = 8,     // 1..16
    parameter ENCODE_LANES  = LANES, // the first lanes, that compress
    parameter DECODE_LANES  = LANES, // the first lanes, that decompress
    parameter BLOCK_BYTES   = 4096,  // 512..16384
    parameter ADDRESS_WIDTH = $clog2(BLOCK_BYTES) - 3,  // derived; do not set
    parameter VALUES_WIDTH  = $clog2(BLOCK_BYTES) + 1   // derived; do not set
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    halt,
    // job, stable from go to done; the next go at the earliest in the cycle after done
    input  wire                    go,
    input  wire [             3:0] job_codec,
    input  wire                    job_decompress,
    input  wire                    job_stream,
    input  wire [            28:0] job_values,
    input  wire [            14:0] job_block_values,
    input  wire [            31:0] job_raw_address,
    input  wire [            31:0] job_payload_address,
    input  wire [            31:0] job_payload_words,
    // index entries (decompress)
    input  wire                    entry_valid,
    output wire                    entry_ready,
    input  wire [            63:0] entry_data,
    // lanes
    output reg  [       LANES-1:0] task_valid,
    input  wire [       LANES-1:0] task_ready,
    output wire [VALUES_WIDTH-1:0] task_values,
    output wire [ ADDRESS_WIDTH:0] task_a_words,
    output wire [ ADDRESS_WIDTH:0] task_words,
    output wire                    task_raw,
    // read or stream command
    output wire                    read_valid,
    input  wire                    read_ready,
    output wire                    stream_valid,
    input  wire                    stream_ready,
    output wire [            31:0] cmd_address,
    output wire [            15:0] cmd_words,
    output wire [             3:0] cmd_lane,
    output wire [             2:0] cmd_tail,       // bytes used in the last word, 0 = 8
    output wire                    cmd_last,       // last block of the job
    // state
    output wire                    done,
    output reg  [            31:0] payload_words,  // of the blocks asked for (decompress)
    output reg                     error,          // pulse
    output reg  [             7:0] error_code,
    output wire [            31:0] error_block
);

    localparam [3:0] CODEC_RAW = 4'd0;
    localparam [31:0] LAST_ENCODE_LANE = ENCODE_LANES - 1;
    localparam [31:0] LAST_DECODE_LANE = DECODE_LANES - 1;
    localparam [3:0] IDLE = 4'd0, MEASURE = 4'd1, ENTRY = 4'd2, WORDS = 4'd3, SUM = 4'd4, COMPARE = 4'd5, CHECK = 4'd6, GIVE = 4'd7,
                     COMMAND = 4'd8, DONE = 4'd9, STOPPED = 4'd10;

    reg [3:0] state_q, state_d;
    reg [28:0] left_q;  // values from this block on
    reg [31:0] block_q;
    reg [3:0] lane_q;
    reg lane_ready_q;
    reg last_q;
    reg [VALUES_WIDTH-1:0] values_q;
    reg [31:0] address_q;  // raw address, or the payload address of this block

    // the entry being checked
    reg [31:0] offset_q;
    reg [14:0] a_words_q, b_words_q;
    reg raw_q, reserved_bit_q;
    reg [15:0] raw_words_q, entry_words_q;
    reg [15:0] words_q;
    reg [32:0] end_q;
    reg malformed_q, too_large_q, outside_q;

    // a subtraction's borrow: with 16 lanes a comparison would be one with a constant result
    wire [4:0] lanes_left = (job_decompress ? LAST_DECODE_LANE[4:0] : LAST_ENCODE_LANE[4:0]) - {1'b0, lane_q};
    reg last_lane_q, lane_over_q;  // of the cycle before: the lane stands for longer than that
    wire [15:0] values_16 = {{(16 - VALUES_WIDTH) {1'b0}}, values_q};
    wire [16:0] lane_here = 17'd1 << lane_q;
    reg [LANES-1:0] lane_here_q;
    wire give = state_q == GIVE && lane_ready_q;
    reg read_q, stream_q;  // state_q is COMMAND, and whose it is
    wire command = (read_valid && read_ready) || (stream_valid && stream_ready);

    wire job_stream_in = job_stream && !job_decompress;

    assign entry_ready  = state_q == ENTRY;
    assign read_valid   = read_q;
    assign stream_valid = stream_q;

    assign task_values  = values_q;
    assign task_a_words = job_decompress ? a_words_q[ADDRESS_WIDTH:0] : {ADDRESS_WIDTH + 1{1'b0}};
    assign task_words   = words_q[ADDRESS_WIDTH:0];
    assign task_raw     = job_decompress ? raw_q : job_codec == CODEC_RAW;
    assign cmd_address  = address_q;
    assign cmd_words    = words_q;
    assign cmd_lane     = lane_q;
    assign cmd_tail     = job_decompress ? 3'd0 : values_q[2:0];
    assign cmd_last     = last_q;
    assign done         = state_q == DONE;
    assign error_block  = block_q;

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE:    if (go) state_d = MEASURE;
            MEASURE: state_d = job_decompress ? ENTRY : WORDS;
            ENTRY:   if (entry_valid) state_d = WORDS;
            WORDS:   state_d = SUM;
            SUM:     state_d = job_decompress ? COMPARE : GIVE;
            COMPARE: state_d = CHECK;
            CHECK:   state_d = malformed_q || too_large_q || outside_q ? STOPPED : GIVE;
            GIVE:    if (lane_ready_q) state_d = COMMAND;
            COMMAND: if (command) state_d = last_q ? DONE : MEASURE;
            DONE:    if (go) state_d = MEASURE;
            STOPPED: state_d = STOPPED;
            default: state_d = STOPPED;
        endcase
        if (halt && state_q != IDLE) state_d = STOPPED;
    end

    always @(posedge clk) begin
        if (rst) begin
            state_q    <= IDLE;
            read_q     <= 1'b0;
            stream_q   <= 1'b0;
            task_valid <= {LANES{1'b0}};
            error      <= 1'b0;
        end else begin
            state_q    <= state_d;
            read_q     <= state_d == COMMAND && !job_stream_in;
            stream_q   <= state_d == COMMAND && job_stream_in;
            task_valid <= give && !halt ? lane_here_q : {LANES{1'b0}};
            error      <= state_q == CHECK && (malformed_q || too_large_q || outside_q) && !halt;
        end
    end

    always @(posedge clk) begin
        lane_here_q  <= lane_here[LANES-1:0];
        lane_ready_q <= |(task_ready & lane_here_q);
        last_lane_q  <= lanes_left == 5'd0;
        lane_over_q  <= lanes_left[4];
        error_code   <= malformed_q ? `ERROR_INDEX_MALFORMED : too_large_q ? `ERROR_BLOCK_TOO_LARGE : `ERROR_INDEX_OUT_OF_BOUNDS;
        case (state_q)
            IDLE, DONE:
            if (go) begin
                left_q        <= job_values;
                address_q     <= job_raw_address;
                block_q       <= 32'd0;
                payload_words <= 32'd0;
                if (state_q == IDLE) lane_q <= 4'd0;
            end
            MEASURE: begin
                if (lane_over_q) lane_q <= 4'd0;  // the job before was of the direction with more lanes
                last_q   <= left_q <= {14'd0, job_block_values};
                values_q <= left_q <= {14'd0, job_block_values} ? left_q[VALUES_WIDTH-1:0] : job_block_values[VALUES_WIDTH-1:0];
            end
            ENTRY: {raw_q, reserved_bit_q, b_words_q, a_words_q, offset_q} <= entry_data;
            WORDS: begin
                raw_words_q   <= {3'd0, values_16[15:3]} + {15'd0, |values_16[2:0]};
                entry_words_q <= {1'b0, a_words_q} + {1'b0, b_words_q};
                if (job_decompress) address_q <= job_payload_address + {offset_q[28:0], 3'b000};
            end
            SUM: begin
                words_q <= job_decompress ? entry_words_q : raw_words_q;
                end_q   <= {1'b0, offset_q} + {17'd0, entry_words_q};
            end
            COMPARE: begin
                malformed_q <= reserved_bit_q || words_q == 16'd0 || (raw_q && (a_words_q != 15'd0 || words_q != raw_words_q));
                too_large_q <= !raw_q && words_q >= raw_words_q;
                outside_q   <= end_q > {1'b0, job_payload_words};
            end
            COMMAND:
            if (command) begin
                left_q        <= left_q - {{(29 - VALUES_WIDTH) {1'b0}}, values_q};
                block_q       <= block_q + 1'b1;
                lane_q        <= last_lane_q ? 4'd0 : lane_q + 1'b1;
                payload_words <= payload_words + {16'd0, words_q};
                if (!job_decompress) address_q <= address_q + {13'd0, words_q, 3'b000};
            end
            default: ;
        endcase
    end

    wire unused = &{1'b0, lane_here[16:LANES], LAST_ENCODE_LANE[31:5], LAST_DECODE_LANE[31:5]};

endmodule

`resetall
