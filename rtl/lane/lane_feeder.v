// SPDX-License-Identifier: Apache-2.0
//
// Reads one filled bank as two word streams: A = words 0..a_words-1, B = words a_words..words-1.
//
// A block may be read while it is still being filled: `available` words are in the bank already.
// Throughput: one word a cycle in total, shared fairly by A and B. Latency: 4 cycles from `load` to the first word.
// `load` drops whatever the last block left and starts the next one; `a_words`, `words` are stable from `load` on.
// `available` may grow only, and may be stale-low by any number of cycles; it must not be stale-high after `load`.
// `*_end`: every word of that stream has been handed over. It does not know what the words mean.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module lane_feeder #(
    parameter ADDRESS_WIDTH = 9  // bits of a bank's word address, 6..11
) (
    input  wire                     clk,
    input  wire                     rst,
    // block
    input  wire                     load,
    input  wire [  ADDRESS_WIDTH:0] a_words,
    input  wire [  ADDRESS_WIDTH:0] words,
    input  wire [  ADDRESS_WIDTH:0] available,
    // bank, read latency 2
    output wire                     read_enable,
    output wire [ADDRESS_WIDTH-1:0] read_address,
    input  wire [             63:0] read_data,
    // stream A
    output wire [             63:0] m_a_tdata,
    output wire                     m_a_tvalid,
    input  wire                     m_a_tready,
    output wire                     m_a_end,
    // stream B
    output wire [             63:0] m_b_tdata,
    output wire                     m_b_tvalid,
    input  wire                     m_b_tready,
    output wire                     m_b_end
);

    localparam CREDITS = 4;  // places behind each stream = words on the way or waiting

    wire clear = rst || load;

    reg [ADDRESS_WIDTH:0] a_next_q, b_next_q;  // next word to read
    reg [ADDRESS_WIDTH:0] a_left_q, b_left_q;  // words not handed over yet
    reg [2:0] a_credit_q, b_credit_q;
    reg turn_q;  // 1: B was served last

    wire a_pop = m_a_tvalid && m_a_tready;
    wire b_pop = m_b_tvalid && m_b_tready;
    wire a_want = (a_next_q < a_words) && (a_next_q < available) && (a_credit_q != 3'd0);
    wire b_want = (b_next_q < available) && (b_credit_q != 3'd0);
    wire a_read = a_want && (!b_want || turn_q);
    wire b_read = b_want && !a_read;

    assign read_enable  = a_read || b_read;
    assign read_address = a_read ? a_next_q[ADDRESS_WIDTH-1:0] : b_next_q[ADDRESS_WIDTH-1:0];

    always @(posedge clk) begin
        if (clear) begin
            a_next_q   <= {ADDRESS_WIDTH + 1{1'b0}};
            b_next_q   <= a_words;
            a_left_q   <= a_words;
            b_left_q   <= words - a_words;
            a_credit_q <= CREDITS[2:0];
            b_credit_q <= CREDITS[2:0];
            turn_q     <= 1'b0;
        end else begin
            if (a_read) a_next_q <= a_next_q + 1'b1;
            if (b_read) b_next_q <= b_next_q + 1'b1;
            if (a_pop) a_left_q <= a_left_q - 1'b1;
            if (b_pop) b_left_q <= b_left_q - 1'b1;
            if (a_read != a_pop) a_credit_q <= a_read ? a_credit_q - 1'b1 : a_credit_q + 1'b1;
            if (b_read != b_pop) b_credit_q <= b_read ? b_credit_q - 1'b1 : b_credit_q + 1'b1;
            if (a_read || b_read) turn_q <= b_read;
        end
    end

    // the reads on the way through the bank
    reg [1:0] a_flight_q, b_flight_q;

    always @(posedge clk) begin
        if (clear) begin
            a_flight_q <= 2'b00;
            b_flight_q <= 2'b00;
        end else begin
            a_flight_q <= {a_flight_q[0], a_read};
            b_flight_q <= {b_flight_q[0], b_read};
        end
    end

    wire a_place, b_place;  // always 1 by the credits
    wire [2:0] a_level, a_peak, b_level, b_peak;

    fifo #(
        .WIDTH(64),
        .DEPTH(CREDITS)
    ) u_a_fifo (
        .clk(clk),
        .rst(clear),
        .s_valid(a_flight_q[1]),
        .s_ready(a_place),
        .s_data(read_data),
        .m_valid(m_a_tvalid),
        .m_ready(m_a_tready),
        .m_data(m_a_tdata),
        .level(a_level),
        .peak(a_peak)
    );

    fifo #(
        .WIDTH(64),
        .DEPTH(CREDITS)
    ) u_b_fifo (
        .clk(clk),
        .rst(clear),
        .s_valid(b_flight_q[1]),
        .s_ready(b_place),
        .s_data(read_data),
        .m_valid(m_b_tvalid),
        .m_ready(m_b_tready),
        .m_data(m_b_tdata),
        .level(b_level),
        .peak(b_peak)
    );

    assign m_a_end = (a_left_q == {ADDRESS_WIDTH + 1{1'b0}});
    assign m_b_end = (b_left_q == {ADDRESS_WIDTH + 1{1'b0}});

    wire unused = &{1'b0, a_place, b_place, a_level, a_peak, b_level, b_peak};

endmodule

`resetall
