// SPDX-License-Identifier: Apache-2.0
//
// Counts what happens while a job runs, for REGISTERS.md's COUNT_* and PEAK_*. Cleared at start, held after the end, saturating.
// A lane is in exactly one of four states each cycle, so the four lane counters sum to LANES * cycles.
//
// What a counter means when the job is stuck: BLOCKED grows alone = the writer or the stream's partner does not take data;
// STARVED grows alone = the reader or the stream's partner gives none; IDLE grows alone = no block is asked for (index missing).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module job_counters #(
    parameter LANES = 8  // 1..16
) (
    input  wire             clk,
    input  wire             start,
    input  wire             busy,
    input  wire [LANES-1:0] lane_busy,
    input  wire [LANES-1:0] lane_starved,
    input  wire [LANES-1:0] lane_blocked,
    input  wire [      1:0] read_beats,   // in this cycle
    input  wire             read_wait,
    input  wire             write_beat,
    input  wire             write_wait,
    input  wire             stream_wait,
    input  wire [      7:0] reads,
    input  wire [      7:0] writes,
    output wire [     31:0] count_cycles,
    output wire [     31:0] count_lane_busy,
    output wire [     31:0] count_lane_starved,
    output wire [     31:0] count_lane_blocked,
    output wire [     31:0] count_lane_idle,
    output wire [     31:0] count_read_beats,
    output wire [     31:0] count_read_wait,
    output wire [     31:0] count_write_beats,
    output wire [     31:0] count_write_wait,
    output wire [     31:0] count_stream_wait,
    output wire [     31:0] peak_reads,
    output wire [     31:0] peak_writes
);

    localparam COUNTERS = 10;
    localparam LANE_COUNTERS = 4;  // the first ones after count_cycles

    function majority;  // two or three of the bits are one
        input [2:0] bits;
        majority = (bits[0] && bits[1]) || (bits[0] && bits[2]) || (bits[1] && bits[2]);
    endfunction

    // Ones among eight bits, in plain logic of two levels: three groups, then their sum. As additions it would become carry chains.
    function [3:0] ones;
        input [7:0] bits;
        reg [2:0] units, twos;  // of the groups 2..0, 5..3, 7..6
        reg more;               // the units make a two
        begin
            units   = {^bits[7:6], ^bits[5:3], ^bits[2:0]};
            twos    = {&bits[7:6], majority(bits[5:3]), majority(bits[2:0])};
            more    = majority(units);
            ones[0] = ^units;
            ones[1] = ^twos ^ more;
            ones[3] = &twos && more;
            ones[2] = !ones[3] && (majority(twos) || (|twos && more));
        end
    endfunction

    // One cycle for the steps, one for the counters. Counting lanes takes two cycles before that, so their counters are a cycle behind.
    reg busy_q, start_q, busy_late_q, start_late_q;
    reg [5*COUNTERS-1:0] step_q;
    wire [16*LANE_COUNTERS-1:0] lanes = {
        {{(16 - LANES) {1'b0}}, ~(lane_busy | lane_starved | lane_blocked)},
        {{(16 - LANES) {1'b0}}, lane_blocked},
        {{(16 - LANES) {1'b0}}, lane_starved},
        {{(16 - LANES) {1'b0}}, lane_busy}
    };

    always @(posedge clk) begin
        busy_q       <= busy;
        start_q      <= start;
        busy_late_q  <= busy_q;
        start_late_q <= start_q;
        step_q[4:0]  <= 5'd1;
        step_q[5*COUNTERS-1:5*(1+LANE_COUNTERS)] <= {
            {4'd0, stream_wait}, {4'd0, write_wait}, {4'd0, write_beat}, {4'd0, read_wait}, {3'd0, read_beats}
        };
    end

    genvar c;
    generate
        for (c = 0; c < LANE_COUNTERS; c = c + 1) begin : g_lanes
            reg [3:0] low_q, high_q;

            always @(posedge clk) begin
                low_q              <= ones(lanes[16*c+:8]);
                high_q             <= ones(lanes[16*c+8+:8]);
                step_q[5*(c+1)+:5] <= {1'b0, low_q} + {1'b0, high_q};
            end
        end
    endgenerate

    reg [32*COUNTERS-1:0] count_q;
    generate
        for (c = 0; c < COUNTERS; c = c + 1) begin : g_counter
            wire late = c >= 1 && c <= LANE_COUNTERS;
            wire [32:0] sum = {1'b0, count_q[32*c+:32]} + {28'd0, step_q[5*c+:5]};

            always @(posedge clk) begin
                if (late ? start_late_q : start_q) count_q[32*c+:32] <= 32'd0;
                else if (late ? busy_late_q : busy_q) count_q[32*c+:32] <= sum[32] ? 32'hFFFF_FFFF : sum[31:0];
            end
        end
    endgenerate

    assign {count_stream_wait, count_write_wait, count_write_beats, count_read_wait, count_read_beats, count_lane_idle, count_lane_blocked,
            count_lane_starved, count_lane_busy, count_cycles} = count_q;

    reg [7:0] peak_reads_q, peak_writes_q;

    always @(posedge clk) begin
        if (start) begin
            peak_reads_q  <= 8'd0;
            peak_writes_q <= 8'd0;
        end else if (busy) begin
            if (reads > peak_reads_q) peak_reads_q <= reads;
            if (writes > peak_writes_q) peak_writes_q <= writes;
        end
    end

    assign peak_reads  = {24'd0, peak_reads_q};
    assign peak_writes = {24'd0, peak_writes_q};

endmodule

`resetall
