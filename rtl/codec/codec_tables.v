// SPDX-License-Identifier: Apache-2.0
//
// codec_tables: the engine-wide keeper of codec tables; one for all lanes.
//
// Does: passes the words that the CPU writes into the TABLE window to the keeper of each codec that has tables. At `load` (job start)
//   the keeper of the job's codec checks its table and sends it to the boxes of all lanes over the lane_table bus; then it answers.
//   For a codec without tables the answer is at once and good.
// Answer: load_done is high for one cycle; load_error is high in that same cycle if the table is missing or breaks a rule of FORMAT.md.
// Latency: load to load_done 1 cycle for codecs without tables, otherwise as long as the codec's keeper says.
// Assumes: one load at a time (the next one not before load_done or rst), no table_valid from load to load_done; `codec` is valid with load.
// Does not: keep a table for the next job: what the keepers say of that is in the codec's README.
//
// To add a codec with tables: one generate block, one name in each and-or below; see README.md.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module codec_tables #(
    parameter W      = 8,  // bits of a value: 8
    parameter CODECS = 15  // mask of the codecs built: bit 1 zvc, 2 ebpc, 3 apack
) (
    input  wire        clk,
    input  wire        rst,

    // Words of the TABLE window, from csr
    input  wire        table_valid,
    input  wire [7:0]  table_address,
    input  wire [31:0] table_data,

    // Job start
    input  wire        load,
    input  wire [3:0]  codec,
    output wire        load_done,
    output wire        load_error,

    // To the boxes of all lanes
    output wire        lane_table_valid,
    output wire [7:0]  lane_table_address,
    output wire [31:0] lane_table_data
);

    // Codecs without tables: the answer comes a cycle later
    wire has_table = CODECS[3] && codec == 4'd3;
    reg  plain_done_q;
    always @(posedge clk) plain_done_q <= load && !has_table && !rst;

    // ---------------------------------------------------------------------------------------------------------------
    // Codec 3: apack
    // ---------------------------------------------------------------------------------------------------------------
    wire        apack_load_done, apack_load_error, apack_lane_table_valid;
    wire [7:0]  apack_lane_table_address;
    wire [31:0] apack_lane_table_data;

    generate
        if (CODECS[3]) begin : g_apack
            apack_table #(.W(W)) u_apack_table (
                .clk               (clk),
                .rst               (rst),
                .table_valid       (table_valid),
                .table_address     (table_address),
                .table_data        (table_data),
                .load              (load && codec == 4'd3),
                .load_done         (apack_load_done),
                .load_error        (apack_load_error),
                .lane_table_valid  (apack_lane_table_valid),
                .lane_table_address(apack_lane_table_address),
                .lane_table_data   (apack_lane_table_data)
            );
        end else begin : g_no_apack
            wire unused_table = &{1'b0, table_valid, table_address, table_data, W[0]};
            assign apack_load_done          = 1'b0;
            assign apack_load_error         = 1'b0;
            assign apack_lane_table_valid   = 1'b0;
            assign apack_lane_table_address = 8'd0;
            assign apack_lane_table_data    = 32'd0;
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Only one keeper works at a time: address and data need no selection while only one codec has tables
    // ---------------------------------------------------------------------------------------------------------------
    assign load_done          = plain_done_q || apack_load_done;
    assign load_error         = apack_load_done && apack_load_error;
    assign lane_table_valid   = apack_lane_table_valid;
    assign lane_table_address = apack_lane_table_address;
    assign lane_table_data    = apack_lane_table_data;

endmodule

`resetall
