// SPDX-License-Identifier: Apache-2.0
//
// Reads one filled bank as two word streams: A = words 0..a_words-1, B = words a_words..words-1.
//
// A block may be read while it is still being filled: `available` words are in the bank already.
// Throughput: one word a cycle in total, shared fairly by A and B. Latency: 4 cycles from `load` to the first word.
// `load` drops whatever the last block left and starts the next one; `a_words`, `words` are stable from `load` on.
// `available` may grow only, and may be stale-low by any number of cycles; it must not be stale-high after `load`.
// `*_end`: every word of that stream has been handed over (told a cycle later). It does not know what the words mean.

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
    input  wire                     read_grant,      // 0: the bank reads something else in this cycle
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

    wire clear = rst || load;

    reg [ADDRESS_WIDTH:0] a_next_q, b_next_q;  // next word to read
    reg [ADDRESS_WIDTH:0] a_left_q, b_left_q;  // words not handed over yet
    reg a_end_q, b_end_q;
    reg turn_q;  // 1: B was served last

    // Four places behind each stream. A word is asked for only when it has a place (issue - read < 4), so these can't overflow and need
    // no ready; and a pop moves nothing but a pointer, which keeps the coder's combinational ready short.
    reg [2:0] a_issue_q, a_write_q, a_read_q, b_issue_q, b_write_q, b_read_q;
    reg [63:0] a_places[0:3];
    reg [63:0] b_places[0:3];
    reg [1:0] a_flight_q, b_flight_q;  // reads on the way through the bank
    reg a_popped_q, b_popped_q;  // counted a cycle later: the coders' readies come late

    wire a_pop = m_a_tvalid && m_a_tready;
    wire b_pop = m_b_tvalid && m_b_tready;
    wire a_place = a_issue_q != {!a_read_q[2], a_read_q[1:0]};
    wire b_place = b_issue_q != {!b_read_q[2], b_read_q[1:0]};
    wire a_want = (a_next_q < a_words) && (a_next_q < available) && a_place && read_grant;
    wire b_want = (b_next_q < available) && b_place && read_grant;
    wire a_take = a_want && !(b_want && !turn_q);
    wire b_take = b_want && !(a_want && turn_q);

    assign read_enable  = a_take || b_take;
    assign read_address = a_take ? a_next_q[ADDRESS_WIDTH-1:0] : b_next_q[ADDRESS_WIDTH-1:0];
    assign m_a_tvalid   = a_write_q != a_read_q;
    assign m_b_tvalid   = b_write_q != b_read_q;
    assign m_a_tdata    = a_places[a_read_q[1:0]];
    assign m_b_tdata    = b_places[b_read_q[1:0]];
    assign m_a_end      = a_end_q;
    assign m_b_end      = b_end_q;

    always @(posedge clk) begin
        if (clear) begin
            a_next_q   <= {ADDRESS_WIDTH + 1{1'b0}};
            b_next_q   <= a_words;
            a_left_q   <= a_words;
            b_left_q   <= words - a_words;
            a_end_q    <= 1'b0;
            b_end_q    <= 1'b0;
            turn_q     <= 1'b0;
            a_issue_q  <= 3'd0;
            a_write_q  <= 3'd0;
            a_read_q   <= 3'd0;
            b_issue_q  <= 3'd0;
            b_write_q  <= 3'd0;
            b_read_q   <= 3'd0;
            a_flight_q <= 2'b00;
            b_flight_q <= 2'b00;
            a_popped_q <= 1'b0;
            b_popped_q <= 1'b0;
        end else begin
            if (a_take) begin
                a_next_q  <= a_next_q + 1'b1;
                a_issue_q <= a_issue_q + 1'b1;
            end
            if (b_take) begin
                b_next_q  <= b_next_q + 1'b1;
                b_issue_q <= b_issue_q + 1'b1;
            end
            if (a_take || b_take) turn_q <= b_take;
            a_flight_q <= {a_flight_q[0], a_take};
            b_flight_q <= {b_flight_q[0], b_take};
            if (a_flight_q[1]) a_write_q <= a_write_q + 1'b1;
            if (b_flight_q[1]) b_write_q <= b_write_q + 1'b1;
            if (a_pop) a_read_q <= a_read_q + 1'b1;
            if (b_pop) b_read_q <= b_read_q + 1'b1;
            a_popped_q <= a_pop;
            b_popped_q <= b_pop;
            if (a_popped_q) a_left_q <= a_left_q - 1'b1;
            if (b_popped_q) b_left_q <= b_left_q - 1'b1;
            a_end_q <= a_left_q == {ADDRESS_WIDTH + 1{1'b0}};
            b_end_q <= b_left_q == {ADDRESS_WIDTH + 1{1'b0}};
        end
    end

    always @(posedge clk) begin
        if (a_flight_q[1]) a_places[a_write_q[1:0]] <= read_data;
        if (b_flight_q[1]) b_places[b_write_q[1:0]] <= read_data;
    end

endmodule

`resetall
