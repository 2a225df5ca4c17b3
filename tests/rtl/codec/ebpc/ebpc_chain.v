// SPDX-License-Identifier: Apache-2.0
//
// ebpc_chain: an encoder, its streams in two FIFOs, and a decoder that works on the same block at the same time (test top).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_chain #(
    parameter W           = 8,   // bits of a value: 8 or 16
    parameter BLOCK_BYTES = 512  // largest raw block in bytes
) (
    input  wire                             clk,
    input  wire                             rst,
    input  wire                             start,
    input  wire [$clog2(BLOCK_BYTES*8/W):0] values,
    input  wire [W-1:0]                     zero,
    input  wire                             is_signed,
    output wire                             done,
    output wire                             corrupt,
    input  wire [63:0]                      s_raw_tdata,
    input  wire                             s_raw_tvalid,
    output wire                             s_raw_tready,
    output wire [63:0]                      m_raw_tdata,
    output wire                             m_raw_tvalid,
    input  wire                             m_raw_tready
);

    wire [63:0] in_a_data, in_b_data, out_a_data, out_b_data;
    wire in_a_valid, in_a_ready, in_b_valid, in_b_ready, out_a_valid, out_a_ready, out_b_valid, out_b_ready, encoded;

    // The end of both streams: the encoder is done, and its last words have had the time to get through the FIFOs.
    reg       encoded_q;
    reg [3:0] passed_q;
    reg       end_q;

    // The block is over when both are done.
    wire decoded;
    reg  decoded_q;
    reg  done_q;

    always @(posedge clk) begin
        if (encoded) encoded_q <= 1'b1;
        if (!encoded_q) passed_q <= 4'd0;
        else if (passed_q != 4'd15) passed_q <= passed_q + 4'd1;
        end_q <= passed_q == 4'd15;
        if (decoded) decoded_q <= 1'b1;
        done_q <= encoded_q && decoded_q;
        if (rst || start || done_q) begin
            encoded_q <= 1'b0;
            decoded_q <= 1'b0;
            done_q    <= 1'b0;
            passed_q  <= 4'd0;
            end_q     <= 1'b0;
        end
    end

    assign done = done_q;

    localparam AW = $clog2(BLOCK_BYTES / 8);
    wire [AW:0]   a_words;
    wire [AW-1:0] a_address;
    wire [3:0]    a_strb;
    wire          limit;
    wire [5:0]    a_level, a_peak, b_level, b_peak;
    wire          unused = &{1'b0, a_words, a_address, a_strb, limit, a_level, a_peak, b_level, b_peak};

    ebpc_encoder #(.W(W), .BLOCK_BYTES(BLOCK_BYTES)) u_encoder (
        .clk          (clk),
        .rst          (rst),
        .start        (start),
        .values       (values),
        .zero         (zero),
        .is_signed    (is_signed),
        .done         (encoded),
        .a_words      (a_words),
        .limit        (limit),
        .table_valid  (1'b0),
        .table_address(8'd0),
        .table_data   (32'd0),
        .s_raw_tdata  (s_raw_tdata),
        .s_raw_tvalid (s_raw_tvalid),
        .s_raw_tready (s_raw_tready),
        .m_a_tdata    (in_a_data),
        .m_a_taddress (a_address),
        .m_a_tstrb    (a_strb),
        .m_a_tvalid   (in_a_valid),
        .m_a_tready   (in_a_ready),
        .m_b_tdata    (in_b_data),
        .m_b_tvalid   (in_b_valid),
        .m_b_tready   (in_b_ready)
    );

    fifo #(.WIDTH(64), .DEPTH(32)) u_a (
        .clk    (clk),
        .rst    (rst || done_q),  // a decoder may leave words unread
        .s_valid(in_a_valid),
        .s_ready(in_a_ready),
        .s_data (in_a_data),
        .m_valid(out_a_valid),
        .m_ready(out_a_ready),
        .m_data (out_a_data),
        .level  (a_level),
        .peak   (a_peak)
    );

    fifo #(.WIDTH(64), .DEPTH(32)) u_b (
        .clk    (clk),
        .rst    (rst || done_q),  // a decoder may leave words unread
        .s_valid(in_b_valid),
        .s_ready(in_b_ready),
        .s_data (in_b_data),
        .m_valid(out_b_valid),
        .m_ready(out_b_ready),
        .m_data (out_b_data),
        .level  (b_level),
        .peak   (b_peak)
    );

    ebpc_decoder #(.W(W), .BLOCK_BYTES(BLOCK_BYTES)) u_decoder (
        .clk          (clk),
        .rst          (rst),
        .start        (start),
        .values       (values),
        .zero         (zero),
        .is_signed    (is_signed),
        .done         (decoded),
        .corrupt      (corrupt),
        .table_valid  (1'b0),
        .table_address(8'd0),
        .table_data   (32'd0),
        .s_a_tdata    (out_a_data),
        .s_a_tvalid   (out_a_valid),
        .s_a_tready   (out_a_ready),
        .s_a_end      (end_q && !out_a_valid),
        .s_b_tdata    (out_b_data),
        .s_b_tvalid   (out_b_valid),
        .s_b_tready   (out_b_ready),
        .s_b_end      (end_q && !out_b_valid),
        .m_raw_tdata  (m_raw_tdata),
        .m_raw_tvalid (m_raw_tvalid),
        .m_raw_tready (m_raw_tready)
    );

endmodule

`resetall
