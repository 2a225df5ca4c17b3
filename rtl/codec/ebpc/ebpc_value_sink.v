// SPDX-License-Identifier: Apache-2.0
//
// ebpc_value_sink: puts values into raw words, the first one lowest; the last word of a block is filled up with zeros.
//
// Latency: last value of a word to m_raw_tvalid 2 cycles. Throughput: one value a cycle while each word is taken within 64/W cycles.
// Assumes: an s_last beat closes every block, or `rst`. s_ready is a function of registers only.
// Does not: count words or values.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_value_sink #(
    parameter W = 8  // bits of a value: 8 or 16
) (
    input  wire         clk,
    input  wire         rst,
    input  wire         s_valid,
    output wire         s_ready,
    input  wire [W-1:0] s_value,
    input  wire         s_last,

    output wire [63:0]  m_raw_tdata,
    output wire         m_raw_tvalid,
    input  wire         m_raw_tready,
    output wire         empty          // no complete word waits
);

    localparam PLACES      = 64 / W;
    localparam PLACE_WIDTH = $clog2(PLACES);
    localparam [PLACE_WIDTH-1:0] ONE_PLACE = 1;
    localparam [PLACE_WIDTH-1:0] LAST_PLACE = {PLACE_WIDTH{1'b1}};

    reg                   full_q;   // word_q is complete
    reg [PLACE_WIDTH-1:0] place_q;  // of the next value
    wire [63:0]           word;
    reg                   valid_q;
    reg [63:0]            raw_q;

    wire write = s_valid && s_ready;
    wire first = place_q == {PLACE_WIDTH{1'b0}};
    wire move  = full_q && !valid_q;

    assign s_ready = !(full_q && valid_q);

    genvar k;
    generate
        for (k = 0; k < PLACES; k = k + 1) begin : g_place
            localparam [PLACE_WIDTH-1:0] HERE = k;
            reg [W-1:0] part_q;
            always @(posedge clk) begin
                if (write && place_q == HERE) part_q <= s_value;
                else if (write && first) part_q <= {W{1'b0}};
            end
            assign word[k*W+:W] = part_q;
        end
    endgenerate

    always @(posedge clk) begin
        if (write) place_q <= s_last ? {PLACE_WIDTH{1'b0}} : place_q + ONE_PLACE;

        if (write && (s_last || place_q == LAST_PLACE)) full_q <= 1'b1;
        else if (move) full_q <= 1'b0;

        if (move) raw_q <= word;
        if (move) valid_q <= 1'b1;
        else if (m_raw_tready) valid_q <= 1'b0;

        if (rst) begin
            place_q <= {PLACE_WIDTH{1'b0}};
            full_q  <= 1'b0;
            valid_q <= 1'b0;
        end
    end

    assign m_raw_tdata  = raw_q;
    assign m_raw_tvalid = valid_q;
    assign empty        = !full_q && !valid_q;

endmodule

`resetall
