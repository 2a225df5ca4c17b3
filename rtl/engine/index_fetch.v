// SPDX-License-Identifier: Apache-2.0
//
// Reads the index of a compressed tensor ahead of its use: at most 16 entries (one 128-byte burst when aligned) a command, into a
// FIFO of 32, so that the next batch is on its way while this one is used. FORMAT.md, section 2.
//
// It finds the number of entries by counting blocks, one a cycle, while it waits: no divider. A batch is asked for only when it has places.
// It does not check entries; fill_sequencer does.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module index_fetch (
    input  wire        clk,
    input  wire        rst,
    // job
    input  wire        go,                 // pulse: begin; only while ready. Entries of earlier jobs may still wait to be taken
    output wire        ready,
    input  wire [28:0] job_values,
    input  wire [14:0] job_block_values,
    input  wire [31:0] job_index_address,
    // read commands
    output reg         cmd_valid,
    input  wire        cmd_ready,
    output wire [31:0] cmd_address,
    output wire [15:0] cmd_words,
    // the words read
    input  wire        s_valid,
    input  wire [63:0] s_data,
    // entries in block order
    output wire        entry_valid,
    input  wire        entry_ready,
    output wire [63:0] entry_data
);

    localparam [4:0] BATCH = 5'd16;

    localparam [1:0] IDLE = 2'd0, COUNT = 2'd1, ASK = 2'd2;

    reg [1:0] state_q, state_d;
    reg [14:0] block_values_q;
    reg [28:0] values_q;   // values of the blocks not counted yet
    reg [31:0] address_q;
    reg [4:0] count_q;     // entries of this batch
    reg [5:0] reserved_q;  // entries in the FIFO or on the way, a cycle late: asked_count_q and popped_q are still to be counted
    reg [5:0] asked_count_q;
    reg popped_q;

    wire last_block = values_q <= {14'd0, block_values_q};
    wire counted = state_q == COUNT;
    wire batch_end = last_block || count_q == BATCH - 5'd1;
    wire asked = cmd_valid && cmd_ready;
    wire popped = entry_valid && entry_ready;
    reg more_q;  // blocks remain after this batch

    assign ready       = state_q == IDLE;
    assign cmd_address = address_q;
    assign cmd_words   = {11'd0, count_q};

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE: if (go) state_d = COUNT;
            COUNT: if (batch_end) state_d = ASK;
            ASK: if (asked) state_d = more_q ? COUNT : IDLE;
            default: state_d = IDLE;
        endcase
    end

    always @(posedge clk) begin
        if (rst) begin
            state_q       <= IDLE;
            cmd_valid     <= 1'b0;
            reserved_q    <= 6'd0;
            asked_count_q <= 6'd0;
            popped_q      <= 1'b0;
        end else begin
            state_q       <= state_d;
            // once shown, a command stays; after it COUNT lasts long enough for reserved_q to know of it
            cmd_valid     <= state_q == ASK && (cmd_valid || reserved_q <= 6'd16) && !asked;
            reserved_q    <= reserved_q + asked_count_q - {5'd0, popped_q};
            asked_count_q <= asked ? {1'b0, count_q} : 6'd0;
            popped_q      <= popped;
        end
    end

    always @(posedge clk) begin
        if (go) begin
            values_q  <= job_values;
            block_values_q <= job_block_values;
            address_q <= job_index_address;
            count_q   <= 5'd0;
        end else if (counted) begin
            values_q <= values_q - {14'd0, block_values_q};
            count_q  <= count_q + 1'b1;
            more_q   <= !last_block;
        end else if (asked) begin
            address_q <= address_q + {24'd0, count_q, 3'b000};
            count_q   <= 5'd0;
        end
    end

    wire place;  // always 1: places are reserved
    wire [5:0] level, peak;

    fifo #(
        .WIDTH(64),
        .DEPTH(32)
    ) u_entries (
        .clk(clk),
        .rst(rst),
        .s_valid(s_valid),
        .s_ready(place),
        .s_data(s_data),
        .m_valid(entry_valid),
        .m_ready(entry_ready),
        .m_data(entry_data),
        .level(level),
        .peak(peak)
    );

    wire unused = &{1'b0, place, level, peak};

endmodule

`resetall
