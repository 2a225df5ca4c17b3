// SPDX-License-Identifier: Apache-2.0
//
// Writes what the coder makes into the out bank, through one registered write port.
//
// Compress: stream A parts go to their places, counted up from word 0; stream B words go down from the top word. So both share
// one bank, and collide only when together they fill it, by which time the block is stored raw anyway.
// Decompress: raw words go up from word 0.
// Stream words hold the first bit in bit 63, memory words are little-endian: A and B words are byte-swapped here, raw words are not.
// Throughput: one write a cycle, B before A: the coders make a word of B in several cycles, so A waits for one at a time; parts of apack's
// A come in runs of many, and B would have to wait for the end of a run. `size` is behind the ports: A by 3 cycles, B by 2.
// It does not decide anything: the lane compares `size` with the raw words.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module lane_collector #(
    parameter ADDRESS_WIDTH = 9  // bits of a bank's word address, 6..11
) (
    input  wire                     clk,
    input  wire                     load,          // before each block
    input  wire                     decompress,
    // stream A, placed 16-bit parts
    input  wire [             63:0] s_a_tdata,
    input  wire [ADDRESS_WIDTH-1:0] s_a_taddress,
    input  wire [              3:0] s_a_tstrb,
    input  wire                     s_a_tvalid,
    output wire                     s_a_tready,
    // stream B
    input  wire [             63:0] s_b_tdata,
    input  wire                     s_b_tvalid,
    output wire                     s_b_tready,
    // raw words
    input  wire [             63:0] s_raw_tdata,
    input  wire                     s_raw_tvalid,
    output wire                     s_raw_tready,
    // out bank
    output reg  [              3:0] write_enable,
    output reg  [ADDRESS_WIDTH-1:0] write_address,
    output reg  [             63:0] write_data,
    // words so far
    output reg  [  ADDRESS_WIDTH:0] b_words,
    output reg  [ADDRESS_WIDTH+1:0] size           // highest A word written + 1, plus B words
);

    function [63:0] to_memory;
        input [63:0] word;
        to_memory = {word[7:0], word[15:8], word[23:16], word[31:24], word[39:32], word[47:40], word[55:48], word[63:56]};
    endfunction

    assign s_a_tready   = !s_b_tvalid;
    assign s_b_tready   = 1'b1;
    assign s_raw_tready = 1'b1;

    wire take_a = !decompress && s_a_tvalid && !s_b_tvalid;
    wire take_b = !decompress && s_b_tvalid;
    wire take_raw = decompress && s_raw_tvalid;

    // B goes down from the top; counting the address down costs no subtraction
    reg [ADDRESS_WIDTH-1:0] b_address_q, raw_address_q;
    reg [ADDRESS_WIDTH:0] a_top_q;
    reg a_written_q;  // write_address is of a part of A: counted from there, not from the coders' outputs

    always @(posedge clk) begin
        write_enable  <= take_a ? {s_a_tstrb[0], s_a_tstrb[1], s_a_tstrb[2], s_a_tstrb[3]} : {4{take_b || take_raw}};
        write_address <= decompress ? raw_address_q : s_b_tvalid ? b_address_q : s_a_taddress;
        write_data    <= decompress ? s_raw_tdata : to_memory(s_b_tvalid ? s_b_tdata : s_a_tdata);

        a_written_q <= take_a && !load;

        if (load) begin
            b_address_q   <= {ADDRESS_WIDTH{1'b1}};
            raw_address_q <= {ADDRESS_WIDTH{1'b0}};
            a_top_q       <= {ADDRESS_WIDTH + 1{1'b0}};
            b_words       <= {ADDRESS_WIDTH + 1{1'b0}};
            size          <= {ADDRESS_WIDTH + 2{1'b0}};
        end else begin
            if (a_written_q && {1'b0, write_address} >= a_top_q) a_top_q <= {1'b0, write_address} + 1'b1;
            if (take_b) begin
                b_address_q <= b_address_q - 1'b1;
                b_words     <= b_words + 1'b1;
            end
            if (take_raw) raw_address_q <= raw_address_q + 1'b1;
            size <= {1'b0, a_top_q} + {1'b0, b_words};
        end
    end

endmodule

`resetall
