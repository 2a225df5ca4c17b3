// SPDX-License-Identifier: Apache-2.0
//
// ebpc_encoder: extended bit-plane compression of one block, one value a cycle (FORMAT.md section 4; arXiv 1908.11645).
//
// Does: u = v - zero (mod 2^W). Stream A gets the zero / non-zero runs, stream B the bit planes of the non-zero u in groups of W values.
//   The planes of a group leave two a cycle while the next group fills, so dense data costs no more than a value a cycle.
// Latency: start to done values + 32 cycles at most (W = 8; 43 at W = 16) without back-pressure, see README.md.
// Throughput: one value a cycle, whatever the data.
// Assumes: the codec box (docs/ARCHITECTURE.md). It never sets `limit`, and has no table. A has at most 3 bits a value, so that
//   m_a_taddress cannot wrap.
//   s_raw_tready is a function of registers only.
// Does not: compare coded with raw size (the lane does), nor keep anything from one block to the next.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_encoder #(
    parameter W           = 8,    // bits of a value, values of a group: 8 or 16
    parameter BLOCK_BYTES = 4096  // largest raw block in bytes: a power of two, 512..16384
) (
    input  wire                               clk,
    input  wire                               rst,             // also aborts a block

    // Control
    input  wire                               start,
    input  wire [$clog2(BLOCK_BYTES*8/W):0]   values,          // 1..BLOCK_BYTES*8/W
    input  wire [W-1:0]                       zero,            // zero point
    input  wire                               is_signed,       // differences of signed values
    output wire                               done,
    output wire [$clog2(BLOCK_BYTES/8):0]     a_words,         // words of A, valid with done
    output wire                               limit,           // always 0

    // Table load bus, not used by ebpc
    input  wire                               table_valid,
    input  wire [7:0]                         table_address,
    input  wire [31:0]                        table_data,

    // Raw words, byte 0 = first value
    input  wire [63:0]                        s_raw_tdata,
    input  wire                               s_raw_tvalid,
    output wire                               s_raw_tready,

    // Stream A, first bit = bit 63
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

    localparam AW          = $clog2(BLOCK_BYTES / 8);
    localparam COUNT_WIDTH = $clog2(2 * W + 1);
    localparam [AW:0] ONE_WORD = 1;

    generate
        if (W != 8 && W != 16) begin : g_check_w
            ebpc_encoder_W_must_be_8_or_16 u_error ();
        end
        if (BLOCK_BYTES < 512 || BLOCK_BYTES > 16384 || (BLOCK_BYTES & (BLOCK_BYTES - 1)) != 0) begin : g_check_block_bytes
            ebpc_encoder_BLOCK_BYTES_must_be_a_power_of_two_in_512_to_16384 u_error ();
        end
    endgenerate

    wire unused_inputs = &{1'b0, table_valid, table_address, table_data};

    // ---------------------------------------------------------------------------------------------------------------
    // A block: everything below is in reset between blocks
    // ---------------------------------------------------------------------------------------------------------------
    reg  busy_q;      // from start to the cycle before done
    reg  begin_q;     // first cycle of a block
    reg  done_q;
    reg  a_closed_q;  // the packer has taken the last bits of A
    reg  b_closed_q;
    wire a_empty, b_empty;

    wire idle     = rst || !busy_q;
    wire finished = a_closed_q && b_closed_q && a_empty && b_empty;

    always @(posedge clk) begin
        begin_q <= start && !rst;
        done_q  <= busy_q && finished && !rst;
        if (start) busy_q <= 1'b1;
        else if (finished) busy_q <= 1'b0;
        if (rst) busy_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Values, to both streams at once
    // ---------------------------------------------------------------------------------------------------------------
    wire         value_valid, value_nonzero, value_last, runs_ready, planes_ready;
    wire [W-1:0] value_u;
    wire         value_ready = runs_ready && planes_ready;

    ebpc_value_source #(.W(W), .BLOCK_BYTES(BLOCK_BYTES)) u_source (
        .clk         (clk),
        .rst         (idle),
        .start       (begin_q),
        .values      (values),
        .zero        (zero),
        .s_raw_tdata (s_raw_tdata),
        .s_raw_tvalid(s_raw_tvalid),
        .s_raw_tready(s_raw_tready),
        .m_valid     (value_valid),
        .m_ready     (value_ready),
        .m_u         (value_u),
        .m_nonzero   (value_nonzero),
        .m_last      (value_last)
    );

    // ---------------------------------------------------------------------------------------------------------------
    // Stream A
    // ---------------------------------------------------------------------------------------------------------------
    wire       run_valid, run_ready, run_flush;
    wire [5:0] run_bits;
    wire [2:0] run_count;

    ebpc_zero_runs u_runs (
        .clk      (clk),
        .rst      (idle),
        .s_valid  (value_valid && planes_ready),
        .s_ready  (runs_ready),
        .s_nonzero(value_nonzero),
        .s_last   (value_last),
        .m_valid  (run_valid),
        .m_ready  (run_ready),
        .m_bits   (run_bits),
        .m_count  (run_count),
        .m_flush  (run_flush)
    );

    bit_packer #(.MAX_BITS(6), .GRANULARITY(1)) u_a_packer (
        .clk    (clk),
        .rst    (idle),
        .s_valid(run_valid),
        .s_ready(run_ready),
        .s_bits (run_bits),
        .s_count(run_count),
        .s_flush(run_flush),
        .m_valid(m_a_tvalid),
        .m_ready(m_a_tready),
        .m_data (m_a_tdata),
        .empty  (a_empty)
    );

    reg [AW:0] a_words_q;  // words taken

    always @(posedge clk) begin
        if (begin_q) a_words_q <= {(AW + 1) {1'b0}};
        else if (m_a_tvalid && m_a_tready) a_words_q <= a_words_q + ONE_WORD;
        if (run_valid && run_ready && run_flush) a_closed_q <= 1'b1;
        if (idle) a_closed_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stream B
    // ---------------------------------------------------------------------------------------------------------------
    wire         step_valid, step_ready, step_flush, step_base, step_final, step_one_zero, step_two_zero;
    wire [W-1:0] step_one;
    wire [W-2:0] step_two;

    ebpc_delta_planes #(.W(W)) u_planes (
        .clk       (clk),
        .rst       (idle),
        .is_signed (is_signed),
        .s_valid   (value_valid && runs_ready),
        .s_ready   (planes_ready),
        .s_u       (value_u),
        .s_nonzero (value_nonzero),
        .s_last    (value_last),
        .m_valid   (step_valid),
        .m_ready   (step_ready),
        .m_flush   (step_flush),
        .m_base    (step_base),
        .m_final   (step_final),
        .m_one     (step_one),
        .m_two     (step_two),
        .m_one_zero(step_one_zero),
        .m_two_zero(step_two_zero)
    );

    wire                   code_valid, code_ready, code_flush;
    wire [2*W-1:0]         code_bits;
    wire [COUNT_WIDTH-1:0] code_count;

    ebpc_plane_encoder #(.W(W)) u_codes (
        .clk       (clk),
        .rst       (idle),
        .s_valid   (step_valid),
        .s_ready   (step_ready),
        .s_flush   (step_flush),
        .s_base    (step_base),
        .s_final   (step_final),
        .s_one     (step_one),
        .s_two     (step_two),
        .s_one_zero(step_one_zero),
        .s_two_zero(step_two_zero),
        .m_valid   (code_valid),
        .m_ready   (code_ready),
        .m_bits    (code_bits),
        .m_count   (code_count),
        .m_flush   (code_flush)
    );

    bit_packer #(.MAX_BITS(2 * W), .GRANULARITY(1)) u_b_packer (
        .clk    (clk),
        .rst    (idle),
        .s_valid(code_valid),
        .s_ready(code_ready),
        .s_bits (code_bits),
        .s_count(code_count),
        .s_flush(code_flush),
        .m_valid(m_b_tvalid),
        .m_ready(m_b_tready),
        .m_data (m_b_tdata),
        .empty  (b_empty)
    );

    always @(posedge clk) begin
        if (code_valid && code_ready && code_flush) b_closed_q <= 1'b1;
        if (idle) b_closed_q <= 1'b0;
    end

    assign m_a_taddress = a_words_q[AW-1:0];
    assign m_a_tstrb    = 4'b1111;
    assign done         = done_q;
    assign a_words      = a_words_q;
    assign limit        = 1'b0;

endmodule

`resetall
