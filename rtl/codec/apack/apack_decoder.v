// SPDX-License-Identifier: Apache-2.0
//
// apack_decoder: the APack decoder behind the codec box of docs/ARCHITECTURE.md (FORMAT.md section 3; arXiv 2201.08830).
//
//   A words -> apack_part_reader -> apack_decode_loop -> rows, fifo -> apack_offset_adder -> raw words
//   B words ---------------------------------------------------------^
//
// Latency: a block of n values takes n + CODERS + 14 cycles from start to done when nothing waits. Throughput: one value a
// cycle. The loop stops in any cycle in which the next part of A or a place for a row might be missing; what it needs to know
// for that is registered, so `enable` is a register. It runs CODERS slots past the last value, so that each shift has its bits.
// Missing bits read as zero and are reported with done; whatever the bits are, 0 <= D <= M holds, so there is nothing else that
// could go wrong: every block ends, with exactly its raw words.
// Assumes: the codec box; rows 0..15 on the table bus in this order before the first start, each word {5'd0, cum, vmin}.
// Does not: check the table (apack_table does); use zero or is_signed.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_decoder #(
    parameter W           = 8,     // bits of a value: 4, 8 or 16
    parameter BLOCK_BYTES = 4096,  // largest raw block in bytes: a power of two, 512..16384
    parameter CODERS      = 8,     // S, interleaved coders: 8..16; 10..16 with TREE
    parameter TREE        = 0      // 1: find rows with a tree of 6 DSP blocks instead of 15 at once
) (
    input  wire                             clk,
    input  wire                             rst,            // also aborts a block
    // control
    input  wire                             start,
    input  wire [$clog2(BLOCK_BYTES*8/W):0] values,         // 1..BLOCK_BYTES*8/W
    input  wire [                    W-1:0] zero,           // not used by this codec
    input  wire                             is_signed,      // not used by this codec
    // table load bus
    input  wire                             table_valid,
    input  wire [                      7:0] table_address,  // row, 0..15
    input  wire [                     31:0] table_data,     // {5'd0, cum[10:0], vmin[15:0]}
    // stream A
    input  wire [                     63:0] s_a_tdata,
    input  wire                             s_a_tvalid,
    output wire                             s_a_tready,
    input  wire                             s_a_end,
    // stream B
    input  wire [                     63:0] s_b_tdata,
    input  wire                             s_b_tvalid,
    output wire                             s_b_tready,
    input  wire                             s_b_end,
    // raw words
    output wire [                     63:0] m_raw_tdata,
    output wire                             m_raw_tvalid,
    input  wire                             m_raw_tready,
    // status
    output wire                             done,
    output wire                             corrupt         // with done
);

  localparam VW = $clog2(BLOCK_BYTES * 8 / W) + 1;
  localparam [VW-1:0] VALUE_ONE = 1;
  localparam [4:0] CODERS_COUNT = CODERS[4:0];
  localparam ROWS_DEPTH = 16;

  generate
    if (W != 4 && W != 8 && W != 16) begin : g_bad_width
      apack_decoder_W_must_be_4_8_or_16 u_error ();
    end
    if (BLOCK_BYTES < 512 || BLOCK_BYTES > 16384 || (BLOCK_BYTES & (BLOCK_BYTES - 1)) != 0) begin : g_bad_block
      apack_decoder_BLOCK_BYTES_must_be_a_power_of_two_from_512_to_16384 u_error ();
    end
    if (CODERS < (TREE != 0 ? 10 : 8) || CODERS > 16) begin : g_bad_coders
      apack_decoder_CODERS_must_be_8_to_16_and_at_least_10_with_TREE u_error ();
    end
  endgenerate

  wire unused = &{1'b0, zero, is_signed, table_address[7:4], table_data[31:26]};
  generate
    if (W < 16) begin : g_unused
      wire unused_vmin = &{1'b0, table_data[15:W]};
    end
  endgenerate

  // ------------------------------------------------------------------------------------------------------------------
  // Table bus: one registered copy per instance, kept apart from those of other lanes
  // ------------------------------------------------------------------------------------------------------------------
  (* keep *)reg load_valid_q;
  (* keep *)reg [3:0] load_row_q;
  (* keep *)reg [9:0] load_low_q;
  (* keep *)reg [W-1:0] load_vmin_q;
  always @(posedge clk) begin
    load_valid_q <= table_valid;
    load_row_q <= table_address[3:0];
    load_low_q <= ~table_data[25:16];
    load_vmin_q <= table_data[W-1:0];
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Control: counts of slots
  // ------------------------------------------------------------------------------------------------------------------
  reg running_q, active_q, fresh_q, tail_q, enable_q, loop_done_q;
  reg [VW-1:0] left_q;  // values after the one that enters next
  reg [4:0] slots_q, tail_slots_q;  // slots left of the first round, and of the round behind the last value
  wire finish;

  always @(posedge clk) begin
    if (start) begin
      running_q <= 1'b1;
      active_q <= 1'b1;
      fresh_q <= 1'b1;
      tail_q <= 1'b0;
      loop_done_q <= 1'b0;
      left_q <= values - VALUE_ONE;
    end else if (enable_q) begin
      left_q <= left_q - VALUE_ONE;
      if (left_q == {VW{1'b0}}) begin
        active_q <= 1'b0;
        tail_q   <= 1'b1;
      end
      if (tail_q && tail_slots_q == 5'd0) loop_done_q <= 1'b1;
      if (slots_q == 5'd0) fresh_q <= 1'b0;
    end
    if (finish || rst) running_q <= 1'b0;
  end

  always @(posedge clk) begin
    if (start) slots_q <= CODERS_COUNT - 5'd1;
    else if (enable_q) slots_q <= slots_q - 5'd1;
    if (start) tail_slots_q <= CODERS_COUNT;
    else if (enable_q && tail_q) tail_slots_q <= tail_slots_q - 5'd1;
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Stream A
  // ------------------------------------------------------------------------------------------------------------------
  wire idle = rst || !running_q;
  wire part_ready, part_valid, part_more, part_take;
  wire [15:0] part;

  apack_part_reader u_parts (
      .clk(clk),
      .rst(idle),
      .s_valid(s_a_tvalid && running_q),
      .s_ready(part_ready),
      .s_data(s_a_tdata),
      .m_valid(part_valid),
      .m_part(part),
      .more(part_more),
      .m_take(part_take && enable_q)
  );
  assign s_a_tready = part_ready && running_q;

  // ------------------------------------------------------------------------------------------------------------------
  // Loop
  // ------------------------------------------------------------------------------------------------------------------
  wire row_valid, row_last;
  wire [3:0] row;
  wire [$clog2(ROWS_DEPTH):0] rows_level;

  apack_decode_loop #(
      .CODERS(CODERS),
      .TREE  (TREE)
  ) u_loop (
      .clk(clk),
      .rst(idle),
      .enable(enable_q),
      .load_valid(load_valid_q),
      .load_row(load_row_q),
      .load_low(load_low_q),
      .fresh(fresh_q),
      .active(active_q),
      .last(left_q == {VW{1'b0}}),
      .part(part),
      .part_take(part_take),
      .row_valid(row_valid),
      .row_last(row_last),
      .row(row)
  );

  // Enable of the next cycle: a part is sure to be there then (or none will ever be), and a place for a row.
  reg a_end_q;
  always @(posedge clk) begin
    a_end_q  <= s_a_end && running_q;
    enable_q <= (a_end_q || (part_valid && (part_more || !(part_take && enable_q)))) && rows_level < ROWS_DEPTH - 2 && !loop_done_q;
    if (idle || finish) begin
      a_end_q  <= 1'b0;
      enable_q <= 1'b0;
    end
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Rows to values
  // ------------------------------------------------------------------------------------------------------------------
  wire rows_ready, queued_valid, queued_ready, queued_last;
  wire [3:0] queued_row;
  wire [$clog2(ROWS_DEPTH):0] rows_peak;

  fifo #(
      .WIDTH(5),
      .DEPTH(ROWS_DEPTH)
  ) u_rows (
      .clk(clk),
      .rst(idle),
      .s_valid(row_valid && enable_q),
      .s_ready(rows_ready),
      .s_data({row_last, row}),
      .m_valid(queued_valid),
      .m_ready(queued_ready),
      .m_data({queued_last, queued_row}),
      .level(rows_level),
      .peak(rows_peak)
  );

  // A stage that is registered both ways: what the adder waits for does not reach the queue.
  wire next_valid, next_ready, next_last;
  wire [3:0] next_row;
  skid_buffer #(
      .WIDTH(5)
  ) u_next (
      .clk(clk),
      .rst(idle),
      .s_valid(queued_valid),
      .s_ready(queued_ready),
      .s_data({queued_last, queued_row}),
      .m_valid(next_valid),
      .m_ready(next_ready),
      .m_data({next_last, next_row})
  );

  wire m_valid, m_last, b_ready, b_missing;
  apack_offset_adder #(
      .W(W)
  ) u_adder (
      .clk(clk),
      .rst(idle),
      .load_valid(load_valid_q),
      .load_row(load_row_q),
      .load_vmin(load_vmin_q),
      .s_valid(next_valid),
      .s_ready(next_ready),
      .s_row(next_row),
      .s_last(next_last),
      .s_b_valid(s_b_tvalid && running_q),
      .s_b_ready(b_ready),
      .s_b_data(s_b_tdata),
      .s_b_end(s_b_end && running_q),
      .missing(b_missing),
      .m_valid(m_valid),
      .m_ready(m_raw_tready),
      .m_data(m_raw_tdata),
      .m_last(m_last)
  );
  assign m_raw_tvalid = m_valid;
  assign s_b_tready = b_ready && running_q;

  // ------------------------------------------------------------------------------------------------------------------
  // End of the block
  // ------------------------------------------------------------------------------------------------------------------
  reg raw_done_q, done_q, corrupt_q;
  assign finish = running_q && raw_done_q && loop_done_q;
  always @(posedge clk) begin
    if (m_valid && m_raw_tready && m_last) raw_done_q <= 1'b1;
    if (b_missing || (part_take && enable_q && !part_valid)) corrupt_q <= 1'b1;
    if (start || rst) begin
      raw_done_q <= 1'b0;
      corrupt_q  <= 1'b0;
    end
    done_q <= finish && !rst;
  end

  assign done = done_q;
  assign corrupt = corrupt_q;

  wire unused_fifo = &{1'b0, rows_ready, rows_peak};

endmodule

`resetall
