// SPDX-License-Identifier: Apache-2.0
//
// Brings arriving words to where they were asked for, a lane's bank. Two sources, of which one is active at a time.
// Bytes past the tensor's end in its last word become zero here, so that nothing after it depends on foreign memory.
// Latency 1 cycle, a word every cycle. It counts the blocks that have arrived, so that an error can be placed.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module fill_router #(
    parameter LANES = 8  // 1..16
) (
    input  wire             clk,
    input  wire             rst,
    // words of blocks from read_master; tag = {job[4:0], tail[2:0], lane[3:0]}
    input  wire             read_valid,
    input  wire [     63:0] read_data,
    input  wire [     11:0] read_tag,
    input  wire             read_last,
    // from stream_source
    input  wire             stream_valid,
    input  wire [     63:0] stream_data,
    input  wire [     11:0] stream_tag,
    input  wire             stream_last,
    // to the lanes
    output reg  [LANES-1:0] fill_valid,
    output reg  [     63:0] fill_data,
    // the job of the last word, and its blocks that have arrived whole
    output reg  [      4:0] job,
    output reg  [     31:0] blocks
);

    wire valid = read_valid || stream_valid;
    wire [63:0] data = stream_valid ? stream_data : read_data;
    wire [11:0] tag = stream_valid ? stream_tag : read_tag;
    wire last = stream_valid ? stream_last : read_last;
    wire [16:0] lane_here = 17'd1 << tag[3:0];
    wire [2:0] tail = tag[6:4];

    reg [31:0] blocks_more_q;  // blocks + 1, so that the choice of the job and the carry do not follow each other
    wire same_job = job == tag[11:7];

    reg [7:0] keep;

    always @* begin
        if (!last) keep = 8'hFF;
        else
            case (tail)
                3'd1: keep = 8'h01;
                3'd2: keep = 8'h03;
                3'd3: keep = 8'h07;
                3'd4: keep = 8'h0F;
                3'd5: keep = 8'h1F;
                3'd6: keep = 8'h3F;
                3'd7: keep = 8'h7F;
                default: keep = 8'hFF;
            endcase
    end

    always @(posedge clk) begin
        if (rst) begin
            fill_valid    <= {LANES{1'b0}};
            job           <= 5'd0;
            blocks        <= 32'd0;
            blocks_more_q <= 32'd1;
        end else begin
            fill_valid <= valid ? lane_here[LANES-1:0] : {LANES{1'b0}};
            if (valid) begin
                job <= tag[11:7];
                if (!same_job) begin
                    blocks        <= {31'd0, last};
                    blocks_more_q <= last ? 32'd2 : 32'd1;
                end else if (last) begin
                    blocks        <= blocks_more_q;
                    blocks_more_q <= blocks_more_q + 32'd1;
                end
            end
        end
        fill_data <= data & {
            {8{keep[7]}}, {8{keep[6]}}, {8{keep[5]}}, {8{keep[4]}}, {8{keep[3]}}, {8{keep[2]}}, {8{keep[1]}}, {8{keep[0]}}
        };
    end

    wire unused = &{1'b0, lane_here[16:LANES]};

endmodule

`resetall
