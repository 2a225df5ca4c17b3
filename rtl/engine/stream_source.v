// SPDX-License-Identifier: Apache-2.0
//
// Cuts the accelerator's stream into blocks: takes the words of each command from s_axis_raw, in order.
//
// Throughput: one word a cycle, no gap between queued commands of 2 words or more. TREADY is registered state only. TLAST must come with the last word
// of the job and nowhere else: too early is an under-run, missing is an over-run. TKEEP is not looked at: the value count decides.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module stream_source #(
    parameter TAG_WIDTH = 8  // bits handed on with the words
) (
    input  wire                 clk,
    input  wire                 rst,
    input  wire                 halt,
    // commands
    input  wire                 cmd_valid,
    output wire                 cmd_ready,
    input  wire [         15:0] cmd_words,
    input  wire [TAG_WIDTH-1:0] cmd_tag,
    input  wire                 cmd_last,       // the last block of the job
    // the accelerator
    input  wire [         63:0] s_axis_tdata,
    input  wire                 s_axis_tvalid,
    output wire                 s_axis_tready,
    input  wire                 s_axis_tlast,
    // words, always taken
    output wire                 m_data_valid,
    output wire [         63:0] m_data,
    output wire [TAG_WIDTH-1:0] m_data_tag,
    output wire                 m_data_last,
    // pulses
    output reg                  underrun,
    output reg                  overrun
);

    // the command being served, and the next one
    reg active_q, job_last_q, stopped_q, final_q;
    reg [15:0] left_q;
    reg [TAG_WIDTH-1:0] tag_q;
    reg next_valid_q, next_last_q;
    reg [15:0] next_words_q;
    reg [TAG_WIDTH-1:0] next_tag_q;

    wire take = s_axis_tvalid && s_axis_tready;
    wire load = next_valid_q && (!active_q || (take && final_q));

    assign s_axis_tready = active_q && !stopped_q;
    assign cmd_ready     = !next_valid_q;
    assign m_data_valid  = take;
    assign m_data        = s_axis_tdata;
    assign m_data_tag    = tag_q;
    assign m_data_last   = final_q;

    always @(posedge clk) begin
        if (rst) begin
            next_valid_q <= 1'b0;
            active_q     <= 1'b0;
            stopped_q    <= 1'b0;
            underrun     <= 1'b0;
            overrun      <= 1'b0;
        end else begin
            next_valid_q <= next_valid_q ? !load : cmd_valid;
            if (load) active_q <= 1'b1;
            else if (take && final_q) active_q <= 1'b0;
            stopped_q <= stopped_q || halt || (take && s_axis_tlast != (final_q && job_last_q));
            underrun  <= take && s_axis_tlast && !(final_q && job_last_q);
            overrun   <= take && !s_axis_tlast && final_q && job_last_q;
        end
    end

    always @(posedge clk) begin
        if (cmd_ready) begin
            next_words_q <= cmd_words;
            next_tag_q   <= cmd_tag;
            next_last_q  <= cmd_last;
        end
        if (load) begin
            left_q     <= next_words_q - 1'b1;
            final_q    <= next_words_q == 16'd1;
            tag_q      <= next_tag_q;
            job_last_q <= next_last_q;
        end else if (take) begin
            left_q  <= left_q - 1'b1;
            final_q <= left_q == 16'd1;
        end
    end

endmodule

`resetall
