// SPDX-License-Identifier: Apache-2.0
//
// codec_decoder: the decoders that this build has, behind one codec box; `codec` selects the one that works.
//
// Does: gives start, valid and ready to the selected decoder only, and its outputs to the lane (an and-or of the built ones;
//   with one codec built there is no selection left). `codec`: 1 zvc, 2 ebpc, 3 apack; 0 (raw) has no decoder: the lane bypasses the box.
// Latency: none in the data path; the selection is registered, so `codec` must be stable from the cycle before `start` on.
// Assumes: the codec box (docs/ARCHITECTURE.md); `start` is never given for a codec that is not built (it would never end).
// Does not: check `codec` (job_intake refuses the job), or drain anything at a change of codec (assert `rst` for a cycle).
//
// To add a codec: one generate block, one name in each and-or below; see README.md.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module codec_decoder #(
    parameter W            = 8,     // bits of a value: 8
    parameter BLOCK_BYTES  = 4096,  // largest raw block in bytes: a power of two, 512..16384
    parameter CODECS       = 15,    // mask of the codecs built: bit 1 zvc, 2 ebpc, 3 apack (bit 0, raw, needs nothing here)
    parameter APACK_CODERS = 8,     // S, interleaved coders of an apack block: 8..16, from 10 on with APACK_TREE
    parameter APACK_TREE   = 0      // apack: 1 = rows found with 6 DSP blocks in two steps, 0 = with 15 in one
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
    output wire                               corrupt,         // valid with done

    // Table load bus, only between blocks
    input  wire                               table_valid,
    input  wire [7:0]                         table_address,
    input  wire [31:0]                        table_data,

    // Stream A, first bit = bit 63
    input  wire [63:0]                        s_a_tdata,
    input  wire                               s_a_tvalid,
    output wire                               s_a_tready,
    input  wire                               s_a_end,

    // Stream B, first bit = bit 63
    input  wire [63:0]                        s_b_tdata,
    input  wire                               s_b_tvalid,
    output wire                               s_b_tready,
    input  wire                               s_b_end,

    // Raw words, byte 0 = first value
    output wire [63:0]                        m_raw_tdata,
    output wire                               m_raw_tvalid,
    input  wire                               m_raw_tready
);

    generate
        if (CODECS[3:1] == 3'b000) begin : g_check_codecs
            codec_decoder_CODECS_must_have_a_codec_besides_raw u_error ();
        end
    endgenerate

    // The only codec of a build is always selected: that leaves no logic for the selection.
    reg [3:1] select_q;
    always @(posedge clk) select_q <= {codec == 4'd3, codec == 4'd2, codec == 4'd1};

    wire zvc_on   = CODECS[1] && (CODECS[3:2] == 2'b00 || select_q[1]);
    wire ebpc_on  = CODECS[2] && ((!CODECS[3] && !CODECS[1]) || select_q[2]);
    wire apack_on = CODECS[3] && (CODECS[2:1] == 2'b00 || select_q[3]);

    wire zvc_s_a_tready, zvc_s_b_tready, zvc_m_raw_tvalid, zvc_done, zvc_corrupt;
    wire [63:0] zvc_m_raw_tdata;

    wire ebpc_s_a_tready, ebpc_s_b_tready, ebpc_m_raw_tvalid, ebpc_done, ebpc_corrupt;
    wire [63:0] ebpc_m_raw_tdata;

    wire apack_s_a_tready, apack_s_b_tready, apack_m_raw_tvalid, apack_done, apack_corrupt;
    wire [63:0] apack_m_raw_tdata;

    // ---------------------------------------------------------------------------------------------------------------
    // Codec 1: zvc
    // ---------------------------------------------------------------------------------------------------------------
    generate
        if (CODECS[1]) begin : g_zvc
            zvc_decoder #(.W(W), .BLOCK_BYTES(BLOCK_BYTES)) u_zvc_decoder (
                .clk          (clk),
                .rst          (rst),
                .start        (start && zvc_on),
                .values       (values),
                .zero         (zero),
                .is_signed    (is_signed),
                .table_valid  (table_valid),
                .table_address(table_address),
                .table_data   (table_data),
                .s_a_tdata    (s_a_tdata),
                .s_a_tvalid   (s_a_tvalid && zvc_on),
                .s_a_tready   (zvc_s_a_tready),
                .s_a_end      (s_a_end),
                .s_b_tdata    (s_b_tdata),
                .s_b_tvalid   (s_b_tvalid && zvc_on),
                .s_b_tready   (zvc_s_b_tready),
                .s_b_end      (s_b_end),
                .m_raw_tdata  (zvc_m_raw_tdata),
                .m_raw_tvalid (zvc_m_raw_tvalid),
                .m_raw_tready (m_raw_tready && zvc_on),
                .done         (zvc_done),
                .corrupt      (zvc_corrupt)
            );
        end else begin : g_no_zvc
            assign zvc_s_a_tready   = 1'b0;
            assign zvc_s_b_tready   = 1'b0;
            assign zvc_m_raw_tdata  = 64'd0;
            assign zvc_m_raw_tvalid = 1'b0;
            assign zvc_done         = 1'b0;
            assign zvc_corrupt      = 1'b0;
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Codec 2: ebpc
    // ---------------------------------------------------------------------------------------------------------------
    generate
        if (CODECS[2]) begin : g_ebpc
            ebpc_decoder #(.W(W), .BLOCK_BYTES(BLOCK_BYTES)) u_ebpc_decoder (
                .clk          (clk),
                .rst          (rst),
                .start        (start && ebpc_on),
                .values       (values),
                .zero         (zero),
                .is_signed    (is_signed),
                .table_valid  (table_valid),
                .table_address(table_address),
                .table_data   (table_data),
                .s_a_tdata    (s_a_tdata),
                .s_a_tvalid   (s_a_tvalid && ebpc_on),
                .s_a_tready   (ebpc_s_a_tready),
                .s_a_end      (s_a_end),
                .s_b_tdata    (s_b_tdata),
                .s_b_tvalid   (s_b_tvalid && ebpc_on),
                .s_b_tready   (ebpc_s_b_tready),
                .s_b_end      (s_b_end),
                .m_raw_tdata  (ebpc_m_raw_tdata),
                .m_raw_tvalid (ebpc_m_raw_tvalid),
                .m_raw_tready (m_raw_tready && ebpc_on),
                .done         (ebpc_done),
                .corrupt      (ebpc_corrupt)
            );
        end else begin : g_no_ebpc
            assign ebpc_s_a_tready   = 1'b0;
            assign ebpc_s_b_tready   = 1'b0;
            assign ebpc_m_raw_tdata  = 64'd0;
            assign ebpc_m_raw_tvalid = 1'b0;
            assign ebpc_done         = 1'b0;
            assign ebpc_corrupt      = 1'b0;
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Codec 3: apack
    // ---------------------------------------------------------------------------------------------------------------
    generate
        if (CODECS[3]) begin : g_apack
            apack_decoder #(.W(W), .BLOCK_BYTES(BLOCK_BYTES), .CODERS(APACK_CODERS), .TREE(APACK_TREE)) u_apack_decoder (
                .clk          (clk),
                .rst          (rst),
                .start        (start && apack_on),
                .values       (values),
                .zero         (zero),
                .is_signed    (is_signed),
                .table_valid  (table_valid),
                .table_address(table_address),
                .table_data   (table_data),
                .s_a_tdata    (s_a_tdata),
                .s_a_tvalid   (s_a_tvalid && apack_on),
                .s_a_tready   (apack_s_a_tready),
                .s_a_end      (s_a_end),
                .s_b_tdata    (s_b_tdata),
                .s_b_tvalid   (s_b_tvalid && apack_on),
                .s_b_tready   (apack_s_b_tready),
                .s_b_end      (s_b_end),
                .m_raw_tdata  (apack_m_raw_tdata),
                .m_raw_tvalid (apack_m_raw_tvalid),
                .m_raw_tready (m_raw_tready && apack_on),
                .done         (apack_done),
                .corrupt      (apack_corrupt)
            );
        end else begin : g_no_apack
            assign apack_s_a_tready   = 1'b0;
            assign apack_s_b_tready   = 1'b0;
            assign apack_m_raw_tdata  = 64'd0;
            assign apack_m_raw_tvalid = 1'b0;
            assign apack_done         = 1'b0;
            assign apack_corrupt      = 1'b0;
            wire unused_coders = &{1'b0, APACK_CODERS[0], APACK_TREE[0]};
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Selection
    // ---------------------------------------------------------------------------------------------------------------
    assign s_a_tready   = (zvc_on && zvc_s_a_tready) || (ebpc_on && ebpc_s_a_tready) || (apack_on && apack_s_a_tready);
    assign s_b_tready   = (zvc_on && zvc_s_b_tready) || (ebpc_on && ebpc_s_b_tready) || (apack_on && apack_s_b_tready);
    assign m_raw_tdata  = ({64{zvc_on}} & zvc_m_raw_tdata) | ({64{ebpc_on}} & ebpc_m_raw_tdata) | ({64{apack_on}} & apack_m_raw_tdata);
    assign m_raw_tvalid = (zvc_on && zvc_m_raw_tvalid) || (ebpc_on && ebpc_m_raw_tvalid) || (apack_on && apack_m_raw_tvalid);
    assign done         = (zvc_on && zvc_done) || (ebpc_on && ebpc_done) || (apack_on && apack_done);
    assign corrupt      = (zvc_on && zvc_corrupt) || (ebpc_on && ebpc_corrupt) || (apack_on && apack_corrupt);

endmodule

`resetall
