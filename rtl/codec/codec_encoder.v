// SPDX-License-Identifier: Apache-2.0
//
// codec_encoder: the encoders that this build has, behind one codec box; `codec` selects the one that works.
//
// Does: gives start, valid and ready to the selected encoder only, and its outputs to the lane (an and-or of the built ones;
//   with one codec built there is no selection left). `codec`: 1 zvc, 2 ebpc, 3 apack; 0 (raw) has no encoder: the lane bypasses the box.
// Latency: none in the data path; the selection is registered, so `codec` must be stable from the cycle before `start` on.
// Assumes: the codec box (docs/ARCHITECTURE.md); `start` is never given for a codec that is not built (it would never end).
// Does not: check `codec` (job_intake refuses the job), or drain anything at a change of codec (assert `rst` for a cycle).
//
// To add a codec: one generate block, one name in each and-or below; see README.md.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module codec_encoder #(
    parameter W            = 8,     // bits of a value: 8
    parameter BLOCK_BYTES  = 4096,  // largest raw block in bytes: a power of two, 512..16384
    parameter CODECS       = 15,    // mask of the codecs built: bit 1 zvc, 2 ebpc, 3 apack (bit 0, raw, needs nothing here)
    parameter APACK_CODERS = 8      // S, interleaved coders of an apack block: 8..16
) (
    input  wire                               clk,
    input  wire                               rst,             // also aborts a block

    // Control
    input  wire [3:0]                         codec,           // stable while anything runs
    input  wire                               start,
    input  wire [$clog2(BLOCK_BYTES*8/W):0]   values,          // 1..BLOCK_BYTES*8/W
    input  wire [W-1:0]                       zero,            // zero point of zvc and ebpc
    input  wire                               is_signed,       // ebpc reads values as signed
    output wire                               done,
    output wire                               takes_ahead,     // the selected encoder takes `start` of the next block before `done`
    output wire [$clog2(BLOCK_BYTES/8):0]     a_words,         // words of A, valid with done
    output wire                               limit,           // valid with done: store the block raw

    // Table load bus, only between blocks
    input  wire                               table_valid,
    input  wire [7:0]                         table_address,
    input  wire [31:0]                        table_data,

    // Raw words, byte 0 = first value
    input  wire [63:0]                        s_raw_tdata,
    input  wire                               s_raw_tvalid,
    output wire                               s_raw_tready,

    // Stream A, first bit = bit 63, one strobe for each 16 bits
    output wire [63:0]                        m_a_tdata,
    output wire [$clog2(BLOCK_BYTES/8)-1:0]   m_a_taddress,
    output wire [3:0]                         m_a_tstrb,
    output wire                               m_a_tvalid,
    input  wire                               m_a_tready,

    // Stream B, first bit = bit 63
    output wire [63:0]                        m_b_tdata,
    output wire                               m_b_tvalid,
    input  wire                               m_b_tready
);

    localparam AW = $clog2(BLOCK_BYTES / 8);

    generate
        if (CODECS[3:1] == 3'b000) begin : g_check_codecs
            codec_encoder_CODECS_must_have_a_codec_besides_raw u_error ();
        end
    endgenerate

    // The only codec of a build is always selected: that leaves no logic for the selection.
    reg [3:1] select_q;
    always @(posedge clk) select_q <= {codec == 4'd3, codec == 4'd2, codec == 4'd1};

    wire zvc_on   = CODECS[1] && (CODECS[3:2] == 2'b00 || select_q[1]);
    wire ebpc_on  = CODECS[2] && ((!CODECS[3] && !CODECS[1]) || select_q[2]);
    wire apack_on = CODECS[3] && (CODECS[2:1] == 2'b00 || select_q[3]);

    wire [63:0] zvc_m_a_tdata, zvc_m_b_tdata;
    wire [AW-1:0] zvc_m_a_taddress;
    wire [3:0] zvc_m_a_tstrb;
    wire zvc_m_a_tvalid, zvc_m_b_tvalid, zvc_done, zvc_limit, zvc_s_raw_tready;
    wire [AW:0] zvc_a_words;

    wire [63:0] ebpc_m_a_tdata, ebpc_m_b_tdata;
    wire [AW-1:0] ebpc_m_a_taddress;
    wire [3:0] ebpc_m_a_tstrb;
    wire ebpc_m_a_tvalid, ebpc_m_b_tvalid, ebpc_done, ebpc_limit, ebpc_s_raw_tready;
    wire [AW:0] ebpc_a_words;

    wire [63:0] apack_m_a_tdata, apack_m_b_tdata;
    wire [AW-1:0] apack_m_a_taddress;
    wire [3:0] apack_m_a_tstrb;
    wire apack_m_a_tvalid, apack_m_b_tvalid, apack_done, apack_limit, apack_s_raw_tready;
    wire [AW:0] apack_a_words;

    // ---------------------------------------------------------------------------------------------------------------
    // Codec 1: zvc
    // ---------------------------------------------------------------------------------------------------------------
    generate
        if (CODECS[1]) begin : g_zvc
            zvc_encoder #(.W(W), .BLOCK_BYTES(BLOCK_BYTES)) u_zvc_encoder (
                .clk          (clk),
                .rst          (rst),
                .start        (start && zvc_on),
                .values       (values),
                .zero         (zero),
                .is_signed    (is_signed),
                .table_valid  (table_valid),
                .table_address(table_address),
                .table_data   (table_data),
                .s_raw_tdata  (s_raw_tdata),
                .s_raw_tvalid (s_raw_tvalid && zvc_on),
                .s_raw_tready (zvc_s_raw_tready),
                .m_a_tdata    (zvc_m_a_tdata),
                .m_a_taddress (zvc_m_a_taddress),
                .m_a_tstrb    (zvc_m_a_tstrb),
                .m_a_tvalid   (zvc_m_a_tvalid),
                .m_a_tready   (m_a_tready && zvc_on),
                .m_b_tdata    (zvc_m_b_tdata),
                .m_b_tvalid   (zvc_m_b_tvalid),
                .m_b_tready   (m_b_tready && zvc_on),
                .done         (zvc_done),
                .a_words      (zvc_a_words),
                .limit        (zvc_limit)
            );
        end else begin : g_no_zvc
            assign zvc_m_a_tdata    = 64'd0;
            assign zvc_m_a_taddress = {AW{1'b0}};
            assign zvc_m_a_tstrb    = 4'd0;
            assign zvc_m_a_tvalid   = 1'b0;
            assign zvc_m_b_tdata    = 64'd0;
            assign zvc_m_b_tvalid   = 1'b0;
            assign zvc_done         = 1'b0;
            assign zvc_a_words      = {(AW + 1) {1'b0}};
            assign zvc_limit        = 1'b0;
            assign zvc_s_raw_tready = 1'b0;
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Codec 2: ebpc
    // ---------------------------------------------------------------------------------------------------------------
    generate
        if (CODECS[2]) begin : g_ebpc
            ebpc_encoder #(.W(W), .BLOCK_BYTES(BLOCK_BYTES)) u_ebpc_encoder (
                .clk          (clk),
                .rst          (rst),
                .start        (start && ebpc_on),
                .values       (values),
                .zero         (zero),
                .is_signed    (is_signed),
                .table_valid  (table_valid),
                .table_address(table_address),
                .table_data   (table_data),
                .s_raw_tdata  (s_raw_tdata),
                .s_raw_tvalid (s_raw_tvalid && ebpc_on),
                .s_raw_tready (ebpc_s_raw_tready),
                .m_a_tdata    (ebpc_m_a_tdata),
                .m_a_taddress (ebpc_m_a_taddress),
                .m_a_tstrb    (ebpc_m_a_tstrb),
                .m_a_tvalid   (ebpc_m_a_tvalid),
                .m_a_tready   (m_a_tready && ebpc_on),
                .m_b_tdata    (ebpc_m_b_tdata),
                .m_b_tvalid   (ebpc_m_b_tvalid),
                .m_b_tready   (m_b_tready && ebpc_on),
                .done         (ebpc_done),
                .a_words      (ebpc_a_words),
                .limit        (ebpc_limit)
            );
        end else begin : g_no_ebpc
            assign ebpc_m_a_tdata    = 64'd0;
            assign ebpc_m_a_taddress = {AW{1'b0}};
            assign ebpc_m_a_tstrb    = 4'd0;
            assign ebpc_m_a_tvalid   = 1'b0;
            assign ebpc_m_b_tdata    = 64'd0;
            assign ebpc_m_b_tvalid   = 1'b0;
            assign ebpc_done         = 1'b0;
            assign ebpc_a_words      = {(AW + 1) {1'b0}};
            assign ebpc_limit        = 1'b0;
            assign ebpc_s_raw_tready = 1'b0;
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Codec 3: apack
    // ---------------------------------------------------------------------------------------------------------------
    generate
        if (CODECS[3]) begin : g_apack
            apack_encoder #(.W(W), .BLOCK_BYTES(BLOCK_BYTES), .CODERS(APACK_CODERS)) u_apack_encoder (
                .clk          (clk),
                .rst          (rst),
                .start        (start && apack_on),
                .values       (values),
                .zero         (zero),
                .is_signed    (is_signed),
                .table_valid  (table_valid),
                .table_address(table_address),
                .table_data   (table_data),
                .s_raw_tdata  (s_raw_tdata),
                .s_raw_tvalid (s_raw_tvalid && apack_on),
                .s_raw_tready (apack_s_raw_tready),
                .m_a_tdata    (apack_m_a_tdata),
                .m_a_taddress (apack_m_a_taddress),
                .m_a_tstrb    (apack_m_a_tstrb),
                .m_a_tvalid   (apack_m_a_tvalid),
                .m_a_tready   (m_a_tready && apack_on),
                .m_b_tdata    (apack_m_b_tdata),
                .m_b_tvalid   (apack_m_b_tvalid),
                .m_b_tready   (m_b_tready && apack_on),
                .done         (apack_done),
                .a_words      (apack_a_words),
                .limit        (apack_limit)
            );
        end else begin : g_no_apack
            assign apack_m_a_tdata    = 64'd0;
            assign apack_m_a_taddress = {AW{1'b0}};
            assign apack_m_a_tstrb    = 4'd0;
            assign apack_m_a_tvalid   = 1'b0;
            assign apack_m_b_tdata    = 64'd0;
            assign apack_m_b_tvalid   = 1'b0;
            assign apack_done         = 1'b0;
            assign apack_a_words      = {(AW + 1) {1'b0}};
            assign apack_limit        = 1'b0;
            assign apack_s_raw_tready = 1'b0;
            wire unused_coders = &{1'b0, APACK_CODERS[0]};
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Selection
    // ---------------------------------------------------------------------------------------------------------------
    assign m_a_tdata    = ({64{zvc_on}} & zvc_m_a_tdata) | ({64{ebpc_on}} & ebpc_m_a_tdata) | ({64{apack_on}} & apack_m_a_tdata);
    assign m_a_taddress = ({AW{zvc_on}} & zvc_m_a_taddress) | ({AW{ebpc_on}} & ebpc_m_a_taddress) | ({AW{apack_on}} & apack_m_a_taddress);
    assign m_a_tstrb    = ({4{zvc_on}} & zvc_m_a_tstrb) | ({4{ebpc_on}} & ebpc_m_a_tstrb) | ({4{apack_on}} & apack_m_a_tstrb);
    assign m_a_tvalid   = (zvc_on && zvc_m_a_tvalid) || (ebpc_on && ebpc_m_a_tvalid) || (apack_on && apack_m_a_tvalid);
    assign m_b_tdata    = ({64{zvc_on}} & zvc_m_b_tdata) | ({64{ebpc_on}} & ebpc_m_b_tdata) | ({64{apack_on}} & apack_m_b_tdata);
    assign m_b_tvalid   = (zvc_on && zvc_m_b_tvalid) || (ebpc_on && ebpc_m_b_tvalid) || (apack_on && apack_m_b_tvalid);
    assign done         = (zvc_on && zvc_done) || (ebpc_on && ebpc_done) || (apack_on && apack_done);
    assign a_words      = ({(AW + 1) {zvc_on}} & zvc_a_words) | ({(AW + 1) {ebpc_on}} & ebpc_a_words) | ({(AW + 1) {apack_on}} & apack_a_words);
    assign takes_ahead  = apack_on;
    assign limit        = (zvc_on && zvc_limit) || (ebpc_on && ebpc_limit) || (apack_on && apack_limit);
    assign s_raw_tready = (zvc_on && zvc_s_raw_tready) || (ebpc_on && ebpc_s_raw_tready) || (apack_on && apack_s_raw_tready);

endmodule

`resetall
