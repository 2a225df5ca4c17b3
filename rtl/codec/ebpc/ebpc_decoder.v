// SPDX-License-Identifier: Apache-2.0
//
// ebpc_decoder: one block of extended bit-plane compression back to raw words, one value a cycle (FORMAT.md section 4; arXiv 1908.11645).
//
// Does: stream A says of each value whether it is zero; the others come out of the bit planes of stream B, in groups of W values that
//   are read ahead: up to two planes a cycle, the next group fills while the one before is added up. v = u + zero (mod 2^W).
// Latency: start to done values + 23 cycles at most (W = 8; 27 at W = 16) without back-pressure and waiting for input, see README.md.
// Throughput: one value a cycle, whatever the data.
// Assumes: the codec box (docs/ARCHITECTURE.md). It has no table; is_signed does not matter to it, as sums are modulo 2^W.
//   s_*_tready are functions of registers only (unit_cutter's, and `busy`).
// Does not: look at words of A and B that the block does not need. `corrupt` tells of missing bits; all other bits have a meaning.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_decoder #(
    parameter W           = 8,    // bits of a value, values of a group: 8 or 16
    parameter BLOCK_BYTES = 4096  // largest raw block in bytes: a power of two, 512..16384
) (
    input  wire                               clk,
    input  wire                               rst,             // also aborts a block

    // Control
    input  wire                               start,
    input  wire [$clog2(BLOCK_BYTES*8/W):0]   values,          // 1..BLOCK_BYTES*8/W
    input  wire [W-1:0]                       zero,            // zero point
    input  wire                               is_signed,       // not used: both give the same values
    output wire                               done,
    output wire                               corrupt,         // valid with done

    // Table load bus, not used by ebpc
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

    localparam VALUES_WIDTH = $clog2(BLOCK_BYTES * 8 / W) + 1;

    generate
        if (W != 8 && W != 16) begin : g_check_w
            ebpc_decoder_W_must_be_8_or_16 u_error ();
        end
        if (BLOCK_BYTES < 512 || BLOCK_BYTES > 16384 || (BLOCK_BYTES & (BLOCK_BYTES - 1)) != 0) begin : g_check_block_bytes
            ebpc_decoder_BLOCK_BYTES_must_be_a_power_of_two_in_512_to_16384 u_error ();
        end
    endgenerate

    wire unused_inputs = &{1'b0, is_signed, table_valid, table_address, table_data};

    // ---------------------------------------------------------------------------------------------------------------
    // A block: everything below is in reset between blocks
    // ---------------------------------------------------------------------------------------------------------------
    reg  busy_q;     // from start to the cycle before done
    reg  begin_q;    // first cycle of a block
    reg  done_q;
    reg  ending_q;   // the last value is in the sink, or never will be
    reg  corrupt_q;
    wire sink_empty;

    wire idle     = rst || !busy_q;
    wire finished = ending_q && sink_empty;

    always @(posedge clk) begin
        begin_q <= start && !rst;
        done_q  <= busy_q && finished && !rst;
        if (start) busy_q <= 1'b1;
        else if (finished) busy_q <= 1'b0;
        if (rst) busy_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stream A: flags
    // ---------------------------------------------------------------------------------------------------------------
    wire       a_ready, a_window_valid, a_window_ready;
    wire [4:0] a_window_bits;
    wire [2:0] a_window_available, a_window_consume;

    assign s_a_tready = busy_q && a_ready;

    bit_unpacker #(.MAX_BITS(5), .GRANULARITY(1)) u_a_unpacker (
        .clk        (clk),
        .rst        (idle),
        .s_valid    (s_a_tvalid),
        .s_ready    (a_ready),
        .s_data     (s_a_tdata),
        .s_end      (s_a_end),
        .m_valid    (a_window_valid),
        .m_ready    (a_window_ready),
        .m_bits     (a_window_bits),
        .m_available(a_window_available),
        .m_consume  (a_window_consume)
    );

    wire run_valid, run_ready, run_nonzero, run_last, run_bad;
    wire flag_valid, flag_ready, flag_nonzero, flag_last, flag_bad;

    ebpc_run_flags #(.VALUES_WIDTH(VALUES_WIDTH)) u_flags (
        .clk             (clk),
        .rst             (idle),
        .start           (begin_q),
        .values          (values),
        .window_valid    (a_window_valid),
        .window_ready    (a_window_ready),
        .window_bits     (a_window_bits),
        .window_available(a_window_available),
        .window_consume  (a_window_consume),
        .m_valid         (run_valid),
        .m_ready         (run_ready),
        .m_nonzero       (run_nonzero),
        .m_last          (run_last),
        .m_bad           (run_bad)
    );

    // A register in both directions: whether a value goes on is not known early enough for u_a_unpacker.
    skid_buffer #(.WIDTH(3)) u_flag (
        .clk    (clk),
        .rst    (idle),
        .s_valid(run_valid),
        .s_ready(run_ready),
        .s_data ({run_nonzero, run_last, run_bad}),
        .m_valid(flag_valid),
        .m_ready(flag_ready),
        .m_data ({flag_nonzero, flag_last, flag_bad})
    );

    // ---------------------------------------------------------------------------------------------------------------
    // Stream B: values that are not zero
    // ---------------------------------------------------------------------------------------------------------------
    wire b_ready;

    assign s_b_tready = busy_q && b_ready;

    wire         item_valid, item_ready, item_base, item_final, item_bad, item_one_keep, item_two_keep;
    wire [W-1:0] item_value, item_from;
    wire [W-2:0] item_one, item_two;

    ebpc_plane_parser #(.W(W)) u_parser (
        .clk       (clk),
        .rst       (idle),
        .s_valid   (s_b_tvalid),
        .s_ready   (b_ready),
        .s_data    (s_b_tdata),
        .s_end     (s_b_end),
        .m_valid   (item_valid),
        .m_ready   (item_ready),
        .m_base    (item_base),
        .m_final   (item_final),
        .m_bad     (item_bad),
        .m_value   (item_value),
        .m_from    (item_from),
        .m_one     (item_one),
        .m_one_keep(item_one_keep),
        .m_two     (item_two),
        .m_two_keep(item_two_keep)
    );

    wire         u_valid, u_ready, u_bad;
    wire [W-1:0] u_value;

    ebpc_group_sums #(.W(W)) u_sums (
        .clk       (clk),
        .rst       (idle),
        .s_valid   (item_valid),
        .s_ready   (item_ready),
        .s_base    (item_base),
        .s_final   (item_final),
        .s_bad     (item_bad),
        .s_value   (item_value),
        .s_from    (item_from),
        .s_one     (item_one),
        .s_one_keep(item_one_keep),
        .s_two     (item_two),
        .s_two_keep(item_two_keep),
        .m_valid   (u_valid),
        .m_ready   (u_ready),
        .m_value   (u_value),
        .m_bad     (u_bad)
    );

    // ---------------------------------------------------------------------------------------------------------------
    // Both together
    // ---------------------------------------------------------------------------------------------------------------
    reg         valid_q, last_q, bad_q;
    reg [W-1:0] value_q;

    wire sink_ready;

    assign flag_ready = sink_ready && (u_valid || !flag_nonzero);
    assign u_ready    = sink_ready && flag_valid && flag_nonzero;

    always @(posedge clk) begin
        if (sink_ready) begin
            valid_q <= flag_valid && flag_ready;
            last_q  <= flag_last;
            bad_q   <= flag_bad || (flag_nonzero && u_bad);
            value_q <= (u_value & {W{flag_nonzero}}) + zero;
        end
        if (valid_q && sink_ready && (last_q || bad_q)) ending_q <= 1'b1;
        if (valid_q && sink_ready && bad_q && !ending_q) corrupt_q <= 1'b1;
        if (idle) begin
            valid_q  <= 1'b0;
            ending_q <= 1'b0;
        end
        if (begin_q) corrupt_q <= 1'b0;
    end

    ebpc_value_sink #(.W(W)) u_sink (
        .clk         (clk),
        .rst         (idle),
        .s_valid     (valid_q && !bad_q && !ending_q),
        .s_ready     (sink_ready),
        .s_value     (value_q),
        .s_last      (last_q),
        .m_raw_tdata (m_raw_tdata),
        .m_raw_tvalid(m_raw_tvalid),
        .m_raw_tready(m_raw_tready),
        .empty       (sink_empty)
    );

    assign done    = done_q;
    assign corrupt = corrupt_q;

endmodule

`resetall
