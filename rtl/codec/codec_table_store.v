// SPDX-License-Identifier: Apache-2.0
//
// Holds the tables of the jobs on their way, 32 of 16 rows, and sends one to the lanes that ask for it.
//
// A job's table is written once, after its check. Each lane asks when it comes to a block whose table it does not have; the lane with the lowest
// number goes first, and all lanes that wait for the same table take it together.
// Latency: a lane has row 0 about 5 cycles after it asked, with more than 8 lanes 6, when nobody else did; row 15 comes 15 cycles later.
// Assumes: a table is not written while a lane may ask for it; `want` falls within 3 cycles of the last row.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module codec_table_store #(
    parameter LANES = 8  // 1..16
) (
    input  wire               clk,
    input  wire               rst,
    // a row of a checked table
    input  wire               write_valid,
    input  wire [        4:0] write_number,
    input  wire [        3:0] write_row,
    input  wire [       31:0] write_data,   // {6'd0, cum[9:0], 8'd0, vmin[7:0]}
    // lanes
    input  wire [  LANES-1:0] want,
    input  wire [5*LANES-1:0] want_number,
    output reg                bus_valid,
    output reg  [        4:0] bus_number,
    output reg  [        3:0] bus_row,
    output wire [       31:0] bus_data
);

    localparam [1:0] IDLE = 2'd0, SEND = 2'd1, PAUSE = 2'd2;

    reg [1:0] state_q;
    reg [3:0] row_q;
    reg [4:0] number_q, number_here;
    wire [LANES-1:0] wants;
    integer i;

    // The choice among many lanes takes a cycle of its own. A lane that no longer wants is known of before IDLE; what is sent for one that was reset
    // harms nobody.
    generate
        if (LANES > 8) begin : g_many
            reg [LANES-1:0] want_q;
            always @(posedge clk) want_q <= want;
            assign wants = want_q;
        end else begin : g_few
            assign wants = want;
        end
    endgenerate

    always @* begin
        number_here = 5'd0;
        for (i = LANES - 1; i >= 0; i = i - 1) if (wants[i]) number_here = want_number[5*i+:5];
    end

    always @(posedge clk) begin
        bus_valid  <= state_q == SEND && !rst;
        bus_number <= number_q;
        bus_row    <= row_q;
        case (state_q)
            IDLE: begin
                row_q    <= 4'd0;
                number_q <= number_here;
                if (|wants) state_q <= SEND;
            end
            SEND: begin
                row_q <= row_q + 1'b1;
                if (row_q == 4'd15) state_q <= PAUSE;
            end
            default: begin  // until the lanes have what they wanted
                row_q <= row_q + 1'b1;
                if (row_q == 4'd6) state_q <= IDLE;
            end
        endcase
        if (rst) state_q <= IDLE;
    end

    wire [17:0] row_data;

    ram #(
        .WIDTH(18),
        .DEPTH(512),
        .STROBE_WIDTH(18),
        .OUTPUT_REGISTER(0)
    ) u_rows (
        .clk(clk),
        .write_enable(write_valid),
        .write_address({write_number, write_row}),
        .write_data({write_data[25:16], write_data[7:0]}),
        .read_enable(1'b1),
        .read_address({number_q, row_q}),
        .read_data(row_data)
    );

    assign bus_data = {6'd0, row_data[17:8], 8'd0, row_data[7:0]};

    wire unused = &{1'b0, write_data[31:26], write_data[15:8]};

endmodule

`resetall
