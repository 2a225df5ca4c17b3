// SPDX-License-Identifier: Apache-2.0
//
// Reads finished blocks out of the lanes' banks, in the order of its commands, as one stream of words; releases each lane's slot
// with its last word. Index entries come through here too, so that words and write commands keep one order.
//
// Throughput: one word a cycle (two with WORDS = 2 and cmd_pairs), no gap between queued commands. Latency: 9 cycles from a command, 7 from the read. Reads run only while the FIFO behind has places.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module drain_reader #(
    parameter LANES         = 8,  // 1..16
    parameter ADDRESS_WIDTH = 9,  // bits of a bank's word address, 6..11
    parameter WORDS         = 1   // words that a lane gives at once: 1, 2 (2 of an even address only)
) (
    input  wire                     clk,
    input  wire                     rst,
    // commands, see drain_sequencer
    input  wire                     cmd_valid,
    output wire                     cmd_ready,
    input  wire                     cmd_index,
    input  wire [              3:0] cmd_lane,
    input  wire [  ADDRESS_WIDTH:0] cmd_up_words,
    input  wire [  ADDRESS_WIDTH:0] cmd_words,
    input  wire [              5:0] cmd_index_address,
    input  wire [              2:0] cmd_tail,
    input  wire                     cmd_last,
    input  wire                     cmd_pairs,       // WORDS = 2: its words are read two at a time; they count up from 0
    input  wire                     cmd_stream,
    // lanes, data 3 cycles after enable
    output reg  [        LANES-1:0] drain_enable,
    output reg                      drain_last,
    output reg  [ADDRESS_WIDTH-1:0] drain_address,
    input  wire [64*WORDS*LANES-1:0] drain_data,
    // index ring, read at once
    output wire [              5:0] index_address,
    input  wire [             63:0] index_data,
    // words out
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire [     64*WORDS-1:0] m_data,
    output wire                     m_both,        // two words, else the low one
    output wire [              2:0] m_tail,        // with m_last: bytes used, 0 = 8
    output wire                     m_last,        // last word of the job
    output wire                     m_stream,      // it goes to the stream
    // state
    output wire                     idle,
    output reg  [             31:0] blocks,        // of the job, read out whole
    output wire                     over           // they are all of that job
);

    localparam DEPTH = 16;
    localparam [4:0] PLACES = 5'd16;
    localparam CMD_WIDTH = 2 * (ADDRESS_WIDTH + 1) + 17;

    // a queue of commands, so that the sequencer runs ahead
    wire next_valid, next_ready, next_index, next_last, next_stream, next_pairs;
    wire [3:0] next_lane;
    wire [ADDRESS_WIDTH:0] next_up_words, next_words;
    wire [5:0] next_index_address;
    wire [2:0] next_tail;
    wire [2:0] queue_level, queue_peak;

    fifo #(
        .WIDTH(CMD_WIDTH),
        .DEPTH(4)
    ) u_commands (
        .clk(clk),
        .rst(rst),
        .s_valid(cmd_valid),
        .s_ready(cmd_ready),
        .s_data({cmd_index, cmd_lane, cmd_up_words, cmd_words, cmd_index_address, cmd_tail, cmd_last, cmd_pairs, cmd_stream}),
        .m_valid(next_valid),
        .m_ready(next_ready),
        .m_data({next_index, next_lane, next_up_words, next_words, next_index_address, next_tail, next_last, next_pairs, next_stream}),
        .level(queue_level),
        .peak(queue_peak)
    );

    // issue: one read a cycle while there are places
    reg active_q, index_q, last_q, stream_q, pairs_q;
    reg [3:0] lane_q;
    reg [2:0] tail_q;
    reg [ADDRESS_WIDTH:0] left_q, up_left_q;
    reg [ADDRESS_WIDTH-1:0] address_q;
    reg [5:0] index_address_q;
    reg [4:0] credit_q;
    reg credit_there_q;  // it is not 0

    wire pop = m_valid && m_ready;
    wire issue = active_q && credit_there_q;
    wire one_left = left_q == {{ADDRESS_WIDTH{1'b0}}, 1'b1};
    wire two_left = left_q == {{ADDRESS_WIDTH - 1{1'b0}}, 2'd2};
    wire final_word = one_left || (pairs_q && two_left);
    wire both = pairs_q && !one_left;
    wire turn = up_left_q == {{ADDRESS_WIDTH{1'b0}}, 1'b1};  // this is the last word of those counted up

    assign next_ready = !active_q || (issue && final_word);

    always @(posedge clk) begin
        if (rst) begin
            active_q <= 1'b0;
            credit_q <= PLACES;
            credit_there_q <= 1'b1;
        end else begin
            if (next_ready) active_q <= next_valid;
            if (issue != pop) begin
                credit_q       <= issue ? credit_q - 1'b1 : credit_q + 1'b1;
                credit_there_q <= !issue || credit_q != 5'd1;
            end
        end
    end

    reg down_q;

    always @(posedge clk) begin
        if (next_ready) begin
            index_q         <= next_index;
            lane_q          <= next_lane;
            tail_q          <= next_tail;
            last_q          <= next_last;
            stream_q        <= next_stream;
            pairs_q         <= WORDS == 2 && next_pairs;
            left_q          <= next_words;
            up_left_q       <= next_up_words;
            index_address_q <= next_index_address;
            down_q          <= next_up_words == {ADDRESS_WIDTH + 1{1'b0}};
            address_q       <= {ADDRESS_WIDTH{next_up_words == {ADDRESS_WIDTH + 1{1'b0}}}};
        end else if (issue) begin
            left_q          <= left_q - (pairs_q ? {{ADDRESS_WIDTH - 1{1'b0}}, 2'd2} : {{ADDRESS_WIDTH{1'b0}}, 1'b1});
            up_left_q       <= up_left_q - 1'b1;
            index_address_q <= {index_address_q[5], index_address_q[4:0] + 1'b1};  // the ring closes
            down_q          <= down_q || turn;
            address_q       <= pairs_q ? address_q + {{ADDRESS_WIDTH - 2{1'b0}}, 2'd2} : turn && !down_q ? {ADDRESS_WIDTH{1'b1}} : down_q ? address_q - 1'b1 : address_q + 1'b1;
        end
    end

    // the way through a lane: enable, array, output register, lane register, then the choice of lane here
    localparam STAGES = 4;
    localparam INFO_WIDTH = 18;

    reg [STAGES-1:0] valid_q;
    reg [STAGES*INFO_WIDTH-1:0] info_q;  // {both, stream, final, job last, tail, index, index address, lane}

    wire [16:0] lane_here = 17'd1 << lane_q;
    wire [INFO_WIDTH-1:0] info = {both, stream_q, final_word, final_word && last_q && !index_q, tail_q, index_q, index_address_q, lane_q};
    wire [INFO_WIDTH-1:0] info_out = info_q[STAGES*INFO_WIDTH-1-:INFO_WIDTH];
    wire valid_out = valid_q[STAGES-1];
    wire final_out = info_out[15];

    // whose word comes out: decoded a cycle before
    wire index_soon = info_q[(STAGES-2)*INFO_WIDTH+10];
    wire [16:0] lane_soon = 17'd1 << info_q[(STAGES-2)*INFO_WIDTH+:4];
    reg index_out_q;
    reg [LANES-1:0] lane_out_q;

    assign index_address = info_out[9:4];

    always @(posedge clk) begin
        drain_address <= address_q;
        drain_last    <= final_word;
        info_q        <= {info_q[(STAGES-1)*INFO_WIDTH-1:0], info};
        index_out_q   <= index_soon;
        lane_out_q    <= index_soon ? {LANES{1'b0}} : lane_soon[LANES-1:0];
        if (rst) begin
            drain_enable <= {LANES{1'b0}};
            valid_q      <= {STAGES{1'b0}};
        end else begin
            drain_enable <= issue && !index_q ? lane_here[LANES-1:0] : {LANES{1'b0}};
            valid_q      <= {valid_q[STAGES-2:0], issue};
        end
    end

    reg [64*WORDS-1:0] lane_data;
    integer i;

    always @* begin
        lane_data = {64 * WORDS{1'b0}};
        lane_data[63:0] = {64{index_out_q}} & index_data;
        for (i = 0; i < LANES; i = i + 1)
            lane_data = lane_data | ({64 * WORDS{lane_out_q[i]}} & drain_data[64*WORDS*i+:64*WORDS]);
    end

    reg word_valid_q, word_last_q, word_stream_q, word_both_q, over_q;
    reg [ 2:0] word_tail_q;
    reg [64*WORDS-1:0] word_q;

    always @(posedge clk) begin
        word_q      <= lane_data;
        word_last_q <= info_out[14];
        word_stream_q <= info_out[16];
        word_both_q   <= info_out[17];
        word_tail_q <= info_out[13:11];
        if (rst) begin
            word_valid_q <= 1'b0;
            blocks       <= 32'd0;
            over_q       <= 1'b0;
        end else begin
            word_valid_q <= valid_out;
            if (valid_out && final_out && !index_out_q) begin
                blocks <= over_q ? 32'd1 : blocks + 1'b1;
                over_q <= info_out[14];
            end
        end
    end

    wire place;  // always 1 by the credits
    wire [4:0] level, peak;
    wire out_valid, out_ready;
    wire [64*WORDS+5:0] out;

    fifo #(
        .WIDTH(64 * WORDS + 6),
        .DEPTH(DEPTH)
    ) u_words (
        .clk(clk),
        .rst(rst),
        .s_valid(word_valid_q),
        .s_ready(place),
        .s_data({word_both_q, word_stream_q, word_last_q, word_tail_q, word_q}),
        .m_valid(out_valid),
        .m_ready(out_ready),
        .m_data(out),
        .level(level),
        .peak(peak)
    );

    // The next word in registers: its flags choose who takes it, and the memory gives them late.
    reg m_valid_q;
    reg [64*WORDS+5:0] m_q;

    assign out_ready = !m_valid_q || m_ready;
    assign m_valid   = m_valid_q;
    assign {m_both, m_stream, m_last, m_tail, m_data} = m_q;

    always @(posedge clk) begin
        if (out_ready) begin
            m_valid_q <= out_valid;
            m_q       <= out;
        end
        if (rst) m_valid_q <= 1'b0;
    end

    assign over = over_q;
    assign idle = !next_valid && !active_q && credit_q == PLACES;

    wire unused = &{1'b0, place, level, peak, queue_level, queue_peak, lane_here[16:LANES], lane_soon[16:LANES], info_out[10], info_out[3:0]};

endmodule

`resetall
