// SPDX-License-Identifier: Apache-2.0
//
// Takes the finished blocks in order and says where they go: the write command (DDR) and the read-out command of drain_reader.
//
// Compress: packs the payload (a block's offset is the sum of those before), makes the index entries and has them written in batches
// of at most 16. A block that does not fit into the payload region ends the job before anything of it is written.
// Decompress: raw blocks to consecutive addresses, or to the stream. FORMAT.md, section 2.
// Throughput: a block every 9 (compress; 11 with an index batch), 8 (decompress to DDR) or 7 (to the stream) cycles; commands run ahead
// of the data. It does not see the words.

`resetall
`timescale 1ns / 1ps
`default_nettype none

`include "tensorpress_registers.vh"

module drain_sequencer #(
    parameter LANES         = 8,     // 1..16
    parameter ENCODE_LANES  = LANES, // the first lanes, that compress
    parameter DECODE_LANES  = LANES, // the first lanes, that decompress
    parameter BLOCK_BYTES   = 4096,  // 512..16384
    parameter RAW_PAIRS     = 0,     // 1: lanes give raw blocks in pairs of words as well
    parameter ADDRESS_WIDTH = $clog2(BLOCK_BYTES) - 3   // derived; do not set
) (
    input  wire                                clk,
    input  wire                                rst,
    input  wire                                halt,
    input  wire                                stop,               // take no more blocks of this job
    // job, stable from go to done; the next go at the earliest in the cycle after done
    input  wire                                go,
    input  wire                                job_decompress,
    input  wire                                job_stream,
    input  wire [                        28:0] job_values,
    input  wire [                        14:0] job_block_values,
    input  wire [                        31:0] job_raw_address,
    input  wire [                        31:0] job_index_address,
    input  wire [                        31:0] job_payload_address,
    input  wire [                        31:0] job_payload_words,
    // finished blocks
    input  wire [                   LANES-1:0] done_valid,
    output reg  [                   LANES-1:0] done_ready,
    input  wire [LANES*(ADDRESS_WIDTH+1)-1:0] done_a_words,
    input  wire [LANES*(ADDRESS_WIDTH+1)-1:0] done_words,
    input  wire [                   LANES-1:0] done_raw,
    input  wire [                   LANES-1:0] done_corrupt,
    // write commands
    output wire                                write_valid,
    input  wire                                write_ready,
    output wire [                        31:0] write_address,
    output wire [                        15:0] write_words,
    output wire [                         7:0] write_last_strobe,
    output wire [                         1:0] write_mark,         // 1: last words of the job, 2: a status
    // read-out commands
    output wire                                read_valid,
    input  wire                                read_ready,
    output wire                                read_index,         // the words are index entries
    output wire [                         3:0] read_lane,
    output wire [             ADDRESS_WIDTH:0] read_up_words,      // words from 0 up; the others from the top down
    output wire [             ADDRESS_WIDTH:0] read_words,
    output wire [                         5:0] read_index_address, // 0..31 of the ring, 32..34 of the status
    output wire [                         2:0] read_tail,          // bytes used in the last word, 0 = 8
    output wire                                read_last,          // last block of the job
    output wire                                read_pairs,         // they may be read two at a time
    output wire                                read_stream,        // the words go to the stream
    // a status of three words, written between two blocks
    input  wire                                status_valid,
    output wire                                status_ready,       // one cycle, when its commands are given
    input  wire [                        31:0] status_address,
    // index entries for drain_reader
    input  wire [                         4:0] index_address,
    output wire [                        63:0] index_data,
    // state
    output wire                                done,
    output reg  [                        31:0] payload_words,      // written so far (compress)
    output reg  [                        31:0] raw_blocks,
    output reg                                 error,              // pulse
    output reg  [                         7:0] error_code,
    output wire [                        31:0] error_block
);

    localparam WORDS_WIDTH = ADDRESS_WIDTH + 1;
    localparam [4:0] BATCH = 5'd16;

    localparam [31:0] LAST_ENCODE_LANE = ENCODE_LANES - 1;
    localparam [31:0] LAST_DECODE_LANE = DECODE_LANES - 1;
    localparam [16:0] FIRST_LANE = 17'd1;
    localparam [3:0] IDLE = 4'd0, TAKE = 4'd1, ADD = 4'd2, COMPARE = 4'd12, CHECK = 4'd3, WRITE = 4'd4, READ = 4'd5, ENTRY = 4'd6, INDEX_WRITE = 4'd7,
                     INDEX_READ = 4'd8, NEXT = 4'd9, DONE = 4'd10, STOPPED = 4'd11, STATUS_WRITE = 4'd13, STATUS_READ = 4'd14;

    reg [3:0] state_q, state_d, back_q;  // back_q: where to go after a status
    reg [28:0] left_q;
    reg [31:0] block_q;
    reg [3:0] lane_q;
    reg [LANES-1:0] lane_here_q;  // the same, one-hot
    reg last_q;
    reg [2:0] tail_q;
    reg lane_done_q;
    reg [31:0] raw_address_q, payload_address_q, index_address_q;
    reg [32:0] end_q;

    reg [WORDS_WIDTH-1:0] a_words_q, words_q;
    reg raw_q, corrupt_q;
    reg start_q;  // the next job was given
    reg bad_q;  // corrupt, or past the payload region

    // index ring: two batches, one being collected, one being written
    reg [63:0] index_ring[0:31];
    reg [4:0] ring_q;         // next place
    reg [4:0] batch_start_q;  // first place of this batch
    reg [4:0] batch_count_q;

    assign index_data = index_ring[index_address];

    // the lane's result, all lanes' ANDed with the lane's turn and ORed: the lane changes long before it is looked at
    reg [WORDS_WIDTH-1:0] a_words_here, words_here;
    reg raw_here, corrupt_here, valid_here;
    integer i;

    always @* begin
        a_words_here = {WORDS_WIDTH{1'b0}};
        words_here   = {WORDS_WIDTH{1'b0}};
        raw_here     = 1'b0;
        corrupt_here = 1'b0;
        valid_here   = 1'b0;
        for (i = 0; i < LANES; i = i + 1)
            if (lane_here_q[i]) begin
                a_words_here = a_words_here | done_a_words[WORDS_WIDTH*i+:WORDS_WIDTH];
                words_here   = words_here | done_words[WORDS_WIDTH*i+:WORDS_WIDTH];
                raw_here     = raw_here | done_raw[i];
                corrupt_here = corrupt_here | done_corrupt[i];
                valid_here   = valid_here | done_valid[i];
            end
    end

    // a subtraction's borrow: with 16 lanes a comparison would be one with a constant result
    wire [4:0] lanes_left = (job_decompress ? LAST_DECODE_LANE[4:0] : LAST_ENCODE_LANE[4:0]) - {1'b0, lane_q};
    reg last_lane_q, lane_over_q;  // of the cycle before: the lane stands for longer than that
    wire to_ddr = !job_decompress || !job_stream;
    wire batch_full = batch_count_q == BATCH || last_q;
    wire [15:0] words_16 = {{(16 - WORDS_WIDTH) {1'b0}}, words_q};

    assign write_valid        = (state_q == WRITE || state_q == INDEX_WRITE || state_q == STATUS_WRITE);
    assign write_address      = state_q == STATUS_WRITE ? status_address : state_q == INDEX_WRITE ? index_address_q : job_decompress ? raw_address_q : payload_address_q;
    assign write_words        = state_q == STATUS_WRITE ? 16'd3 : state_q == INDEX_WRITE ? {11'd0, batch_count_q} : words_16;
    assign write_mark         = {state_q == STATUS_WRITE, last_q && state_q == (job_decompress ? WRITE : INDEX_WRITE)};
    assign write_last_strobe  = state_q == WRITE && job_decompress && last_q && tail_q != 3'd0 ? ~(8'hFF << tail_q) : 8'hFF;
    assign read_valid         = (state_q == READ || state_q == INDEX_READ || state_q == STATUS_READ);
    assign read_index         = state_q == INDEX_READ || state_q == STATUS_READ;
    assign read_pairs         = (raw_q ? RAW_PAIRS != 0 : job_decompress) && !read_index;
    assign read_stream        = !to_ddr && state_q == READ;
    assign status_ready       = state_q == STATUS_READ && read_ready;
    assign read_lane          = lane_q;
    assign read_up_words      = read_index || job_decompress || raw_q ? read_words : a_words_q;
    assign read_words         = !read_index ? words_q : {{(WORDS_WIDTH - 5) {1'b0}}, state_q == STATUS_READ ? 5'd3 : batch_count_q};
    assign read_index_address = state_q == STATUS_READ ? 6'd32 : {1'b0, batch_start_q};
    assign read_tail          = tail_q;
    assign read_last          = last_q && !read_index;
    assign done               = state_q == DONE && !start_q;
    assign error_block        = block_q;

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE:        if (status_valid) state_d = STATUS_WRITE;
                         else if (start_q) state_d = TAKE;
            TAKE:        if (lane_done_q && !halt) state_d = ADD;
                         else if (status_valid && !halt) state_d = STATUS_WRITE;
            ADD:         state_d = COMPARE;
            COMPARE:     state_d = CHECK;
            CHECK:       state_d = bad_q ? STOPPED : to_ddr ? WRITE : READ;
            WRITE:       if (write_ready) state_d = READ;
            READ:        if (read_ready) state_d = job_decompress ? NEXT : ENTRY;
            ENTRY:       state_d = batch_full ? INDEX_WRITE : NEXT;
            INDEX_WRITE: if (write_ready) state_d = INDEX_READ;
            INDEX_READ:  if (read_ready) state_d = NEXT;
            NEXT:        state_d = last_q ? DONE : TAKE;
            DONE:        if (status_valid) state_d = STATUS_WRITE;
                         else if (start_q) state_d = TAKE;
            STOPPED:     if (status_valid && !halt) state_d = STATUS_WRITE;
            STATUS_WRITE: if (write_ready) state_d = STATUS_READ;
            STATUS_READ: if (read_ready) state_d = back_q;
            default:     state_d = STOPPED;
        endcase
        if (stop && (state_q == TAKE || state_q == ADD || state_q == COMPARE || state_q == CHECK)) state_d = STOPPED;
        // a write command that was taken must get its data: stop only where none is owed
        if (halt && (state_q == TAKE || state_q == ADD || state_q == COMPARE || state_q == CHECK || state_q == WRITE || state_q == NEXT || state_q == INDEX_WRITE || state_q == STATUS_WRITE))
            state_d = STOPPED;
    end

    always @(posedge clk) begin
        if (rst) begin
            state_q    <= IDLE;
            start_q    <= 1'b0;
            done_ready <= {LANES{1'b0}};
            error      <= 1'b0;
        end else begin
            state_q    <= state_d;
            start_q    <= go || (start_q && state_q != TAKE);
            error      <= state_q == CHECK && bad_q && !halt;
            done_ready <= state_q == TAKE && lane_done_q && !halt && !stop ? lane_here_q : {LANES{1'b0}};
        end
    end

    always @(posedge clk) begin
        lane_done_q <= valid_here && state_q == TAKE;
        last_lane_q <= lanes_left == 5'd0;
        lane_over_q <= lanes_left[4];
        error_code  <= job_decompress ? `ERROR_CORRUPT_BLOCK : `ERROR_PAYLOAD_FULL;
        if (state_q != STATUS_WRITE && state_q != STATUS_READ) back_q <= state_q;
        case (state_q)
            IDLE, DONE:
            if (start_q || go) begin
                left_q            <= job_values;
                block_q           <= 32'd0;
                if (state_q == IDLE || lane_over_q) begin  // in the second of two cycles it is that of this job
                    lane_q      <= 4'd0;
                    lane_here_q <= FIRST_LANE[LANES-1:0];
                end
                raw_address_q     <= job_raw_address;
                payload_address_q <= job_payload_address;
                index_address_q   <= job_index_address;
                payload_words     <= 32'd0;
                raw_blocks        <= 32'd0;
                // entries of the last job may still wait to be read
                ring_q            <= state_q == IDLE ? 5'd0 : ring_q;
                batch_start_q     <= state_q == IDLE ? 5'd0 : ring_q;
                batch_count_q     <= 5'd0;
            end
            TAKE: begin
                a_words_q <= a_words_here;
                words_q   <= words_here;
                raw_q     <= raw_here;
                corrupt_q <= corrupt_here;
                last_q    <= left_q <= {14'd0, job_block_values};
                tail_q    <= left_q <= {14'd0, job_block_values} ? left_q[2:0] : 3'd0;
            end
            ADD: begin
                end_q  <= {1'b0, payload_words} + {17'd0, words_16};
                left_q <= left_q - {14'd0, job_block_values};
            end
            COMPARE: bad_q <= job_decompress ? corrupt_q : end_q > {1'b0, job_payload_words};
            WRITE:
            if (write_ready) begin
                raw_address_q     <= raw_address_q + {13'd0, words_16, 3'b000};
                payload_address_q <= payload_address_q + {13'd0, words_16, 3'b000};
            end
            READ:
            if (read_ready) begin
                if (raw_q) raw_blocks <= raw_blocks + 1'b1;
                batch_count_q <= batch_count_q + 1'b1;
            end
            ENTRY: begin
                ring_q        <= ring_q + 1'b1;
                payload_words <= end_q[31:0];
            end
            INDEX_READ:
            if (read_ready) begin
                index_address_q <= index_address_q + {24'd0, batch_count_q, 3'b000};
                batch_start_q   <= ring_q;
                batch_count_q   <= 5'd0;
            end
            NEXT: begin
                block_q <= block_q + 1'b1;
                lane_q  <= last_lane_q ? 4'd0 : lane_q + 1'b1;
                lane_here_q <= last_lane_q ? FIRST_LANE[LANES-1:0] : lane_here_q << 1;
            end
            default: ;
        endcase
    end

    wire [14:0] entry_a_words = raw_q ? 15'd0 : {{(15 - WORDS_WIDTH) {1'b0}}, a_words_q};
    wire [14:0] entry_b_words = words_16[14:0] - entry_a_words;

    always @(posedge clk)
        if (state_q == ENTRY) index_ring[ring_q] <= {raw_q, 1'b0, entry_b_words, entry_a_words, payload_words};

    wire unused = &{1'b0, FIRST_LANE[16:LANES], LAST_ENCODE_LANE[31:5], LAST_DECODE_LANE[31:5]};

endmodule

`resetall
