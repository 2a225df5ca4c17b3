// SPDX-License-Identifier: Apache-2.0
//
// Reads finished blocks out of the lanes' banks, in the order of its commands, as one stream of words; releases each lane's slot
// with its last word. Index entries come through here too, so that words and write commands keep one order.
//
// Throughput: one word a cycle, no gap between queued commands. Latency: 8 cycles from a command, 6 from the read. Reads run only while the FIFO behind has places.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module drain_reader #(
    parameter LANES         = 8,  // 1..16
    parameter ADDRESS_WIDTH = 9   // bits of a bank's word address, 6..11
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
    input  wire [              4:0] cmd_index_address,
    input  wire [              2:0] cmd_tail,
    input  wire                     cmd_last,
    // lanes, data 3 cycles after enable
    output reg  [        LANES-1:0] drain_enable,
    output reg                      drain_last,
    output reg  [ADDRESS_WIDTH-1:0] drain_address,
    input  wire [   64*LANES-1:0]   drain_data,
    // index ring, read at once
    output wire [              4:0] index_address,
    input  wire [             63:0] index_data,
    // words out
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire [             63:0] m_data,
    output wire [              2:0] m_tail,        // with m_last: bytes used, 0 = 8
    output wire                     m_last,        // last word of the job
    // state
    output wire                     idle,
    output reg  [             31:0] blocks         // read out whole
);

    localparam DEPTH = 16;
    localparam [4:0] PLACES = 5'd16;
    localparam CMD_WIDTH = 2 * (ADDRESS_WIDTH + 1) + 14;

    // a queue of commands, so that the sequencer runs ahead
    wire next_valid, next_ready, next_index, next_last;
    wire [3:0] next_lane;
    wire [ADDRESS_WIDTH:0] next_up_words, next_words;
    wire [4:0] next_index_address;
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
        .s_data({cmd_index, cmd_lane, cmd_up_words, cmd_words, cmd_index_address, cmd_tail, cmd_last}),
        .m_valid(next_valid),
        .m_ready(next_ready),
        .m_data({next_index, next_lane, next_up_words, next_words, next_index_address, next_tail, next_last}),
        .level(queue_level),
        .peak(queue_peak)
    );

    // issue: one read a cycle while there are places
    reg active_q, index_q, last_q;
    reg [3:0] lane_q;
    reg [2:0] tail_q;
    reg [ADDRESS_WIDTH:0] left_q, up_left_q;
    reg [ADDRESS_WIDTH-1:0] address_q;
    reg [4:0] index_address_q;
    reg [4:0] credit_q;

    wire pop = m_valid && m_ready;
    wire issue = active_q && credit_q != 5'd0;
    wire final_word = left_q == {{ADDRESS_WIDTH{1'b0}}, 1'b1};
    wire turn = up_left_q == {{ADDRESS_WIDTH{1'b0}}, 1'b1};  // this is the last word of those counted up

    assign next_ready = !active_q || (issue && final_word);

    always @(posedge clk) begin
        if (rst) begin
            active_q <= 1'b0;
            credit_q <= PLACES;
        end else begin
            if (next_ready) active_q <= next_valid;
            if (issue != pop) credit_q <= issue ? credit_q - 1'b1 : credit_q + 1'b1;
        end
    end

    reg down_q;

    always @(posedge clk) begin
        if (next_ready) begin
            index_q         <= next_index;
            lane_q          <= next_lane;
            tail_q          <= next_tail;
            last_q          <= next_last;
            left_q          <= next_words;
            up_left_q       <= next_up_words;
            index_address_q <= next_index_address;
            down_q          <= next_up_words == {ADDRESS_WIDTH + 1{1'b0}};
            address_q       <= {ADDRESS_WIDTH{next_up_words == {ADDRESS_WIDTH + 1{1'b0}}}};
        end else if (issue) begin
            left_q          <= left_q - 1'b1;
            up_left_q       <= up_left_q - 1'b1;
            index_address_q <= index_address_q + 1'b1;
            down_q          <= down_q || turn;
            address_q       <= turn && !down_q ? {ADDRESS_WIDTH{1'b1}} : down_q ? address_q - 1'b1 : address_q + 1'b1;
        end
    end

    // the way through a lane: enable, array, output register, lane register, then the choice of lane here
    localparam STAGES = 4;
    localparam INFO_WIDTH = 15;

    reg [STAGES-1:0] valid_q;
    reg [STAGES*INFO_WIDTH-1:0] info_q;  // {final, job last, tail, index, index address, lane}

    wire [16:0] lane_here = 17'd1 << lane_q;
    wire [INFO_WIDTH-1:0] info = {final_word, final_word && last_q && !index_q, tail_q, index_q, index_address_q, lane_q};
    wire [INFO_WIDTH-1:0] info_out = info_q[STAGES*INFO_WIDTH-1-:INFO_WIDTH];
    wire valid_out = valid_q[STAGES-1];
    wire final_out = info_out[14];
    wire index_out = info_out[9];
    wire [3:0] lane_out = info_out[3:0];

    assign index_address = info_out[8:4];

    always @(posedge clk) begin
        drain_address <= address_q;
        drain_last    <= final_word;
        info_q        <= {info_q[(STAGES-1)*INFO_WIDTH-1:0], info};
        if (rst) begin
            drain_enable <= {LANES{1'b0}};
            valid_q      <= {STAGES{1'b0}};
        end else begin
            drain_enable <= issue && !index_q ? lane_here[LANES-1:0] : {LANES{1'b0}};
            valid_q      <= {valid_q[STAGES-2:0], issue};
        end
    end

    reg [63:0] lane_data;
    integer i;

    always @* begin
        lane_data = {64{index_out}} & index_data;
        for (i = 0; i < LANES; i = i + 1) lane_data = lane_data | ({64{!index_out && lane_out == i[3:0]}} & drain_data[64*i+:64]);
    end

    reg word_valid_q, word_last_q;
    reg [ 2:0] word_tail_q;
    reg [63:0] word_q;

    always @(posedge clk) begin
        word_q      <= lane_data;
        word_last_q <= info_out[13];
        word_tail_q <= info_out[12:10];
        if (rst) begin
            word_valid_q <= 1'b0;
            blocks       <= 32'd0;
        end else begin
            word_valid_q <= valid_out;
            if (valid_out && final_out && !index_out) blocks <= blocks + 1'b1;
        end
    end

    wire place;  // always 1 by the credits
    wire [4:0] level, peak;

    fifo #(
        .WIDTH(68),
        .DEPTH(DEPTH)
    ) u_words (
        .clk(clk),
        .rst(rst),
        .s_valid(word_valid_q),
        .s_ready(place),
        .s_data({word_last_q, word_tail_q, word_q}),
        .m_valid(m_valid),
        .m_ready(m_ready),
        .m_data({m_last, m_tail, m_data}),
        .level(level),
        .peak(peak)
    );

    assign idle = !next_valid && !active_q && credit_q == PLACES;

    wire unused = &{1'b0, place, level, peak, queue_level, queue_peak, lane_here[16:LANES]};

endmodule

`resetall
