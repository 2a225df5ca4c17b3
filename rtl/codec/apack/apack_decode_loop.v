// SPDX-License-Identifier: Apache-2.0
//
// apack_decode_loop: CODERS interleaved arithmetic decoders in one pipeline loop, one value a cycle (FORMAT.md sections 3.1..3.3).
//
// The loop has CODERS stages and holds one coder in each; the coder's state lives in the pipeline registers: LO, M = HI - LO,
// D = CODE - LO and its look-ahead (the bits of its last part that it has not used, left-aligned, and how many they are).
// Slot k of a block passes the head of the loop in its k-th enabled cycle: it ends value k - CODERS (takes a part of stream A if the
// shift of that value needs one) and begins value k, with a fresh coder (CODE = the next part) while k < CODERS.
//
//   stage               does
//   head 0              shift by the normalisation: LO, M, D with look-ahead bits behind; fresh coders come in here
//   head 1              the missing bits of D, and the new look-ahead, from the next part of A
//   wait                CODERS - FINDER - 4 stages
//   finder 1..FINDER    row (apack_row_finder 3, apack_row_tree 6)
//   sums                LO, HI, M of the row
//   shift               count of the shift (apack_shift)
//
// Latency: FINDER + CODERS - FINDER - 2 enabled cycles from a slot's entry to its row. Throughput: one value each enabled cycle.
// Assumes: `enable` only if a part is there or stream A has ended (`part_take` without part reads zero).
// Does not: know when it must wait (the user stops it by `enable`).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_decode_loop #(
    parameter CODERS = 8,  // S, 8..16 (10..16 with TREE)
    parameter TREE   = 0   // 1: the 6-DSP tree instead of 15 comparisons
) (
    input  wire        clk,
    input  wire        rst,          // empties all slots
    input  wire        enable,
    input  wire        load_valid,   // table, between blocks
    input  wire [ 3:0] load_row,
    input  wire [ 9:0] load_low,     // 1023 - cum of the row
    input  wire        fresh,        // the slot that enters begins a coder
    input  wire        active,       // the slot that enters holds a value
    input  wire        last,         // with active: the block's last one
    input  wire [15:0] part,         // next part of stream A, 0 if there is none
    output wire        part_take,    // with enable: the part is used up
    output wire        row_valid,    // with enable: a row
    output wire        row_last,     // with row_valid
    output wire [ 3:0] row
);

  localparam FINDER = TREE != 0 ? 6 : 3;
  localparam WAIT = CODERS - FINDER - 4;

  generate
    if (CODERS < (TREE != 0 ? 10 : 8) || CODERS > 16) begin : g_bad_coders
      apack_decode_loop_CODERS_must_be_8_to_16_and_at_least_10_with_TREE u_error ();
    end
  endgenerate

  // Which slots hold a value: bit 0 entered last.
  reg [CODERS-1:0] active_q;
  always @(posedge clk) begin
    if (enable) active_q <= {active_q[CODERS-2:0], active};
    if (rst) active_q <= {CODERS{1'b0}};
  end

  // ------------------------------------------------------------------------------------------------------------------
  // End of the loop: sums and shift count
  // ------------------------------------------------------------------------------------------------------------------
  wire [15:0] less_one, distance, found_rest, found_end;
  wire [15:0] code_late;
  wire [ 3:0] found_row;
  reg [15:0] code_q;

  reg [15:0] sum_low_q, sum_high_q, sum_less_q, sum_rest_q;
  always @(posedge clk) begin
    if (enable) begin
      sum_low_q  <= code_late - found_rest;
      sum_high_q <= code_late + ~found_end;
      sum_less_q <= found_rest + ~found_end;
      sum_rest_q <= found_rest;
    end
  end

  wire [3:0] shift;
  apack_shift u_shift (
      .low(sum_low_q),
      .high(sum_high_q),
      .less_one(sum_less_q),
      .shift(shift)
  );

  reg [ 3:0] shift_q;
  reg [14:0] low_q;
  reg [15:0] less_q, rest_q;
  always @(posedge clk) begin
    if (enable) begin
      shift_q <= shift;
      low_q   <= sum_low_q[14:0];
      less_q  <= sum_less_q;
      rest_q  <= sum_rest_q;
    end
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Head 0: the shift. A fresh coder is one that takes a whole part: LO = 0, M = 0xFFFF, no bits of D or look-ahead.
  // ------------------------------------------------------------------------------------------------------------------
  reg head_take_q;
  reg [14:0] head_low_q, head_ahead_q;
  reg [15:0] head_less_q, head_rest_q;
  reg [3:0] head_bits_q;

  wire [14:0] ahead_late;
  wire [ 3:0] ahead_bits_late;
  wire [ 4:0] ahead_left = {1'b0, ahead_bits_late} - {1'b0, shift_q};
  wire [30:0] joined = {rest_q, ahead_late} << shift_q;
  wire [15:0] to_rest;  // places of the turned part that belong to D
  genvar k;
  generate
    for (k = 0; k < 15; k = k + 1) begin : g_mask
      localparam [3:0] HERE = k;
      assign to_rest[15-k] = head_bits_q <= HERE;
    end
  endgenerate
  assign to_rest[0] = 1'b1;
  wire [30:0] less_shifted = {less_q, 15'h7FFF} << shift_q;  // ones come into M
  wire [14:0] low_shifted = low_q << shift_q;

  always @(posedge clk) begin
    if (enable) begin
      head_take_q  <= fresh || (active_q[CODERS-1] && ahead_left[4]);
      head_low_q   <= low_shifted;
      head_less_q  <= less_shifted[30:15];
      head_rest_q  <= joined[30:15];
      head_ahead_q <= joined[14:0];
      head_bits_q  <= ahead_left[3:0];
      if (fresh) begin
        head_low_q   <= 15'd0;
        head_less_q  <= 16'hFFFF;
        head_rest_q  <= 16'd0;
        head_ahead_q <= 15'd0;
        head_bits_q  <= 4'd0;
      end
    end
    if (rst) head_take_q <= 1'b0;
  end

  assign part_take = head_take_q;

  // ------------------------------------------------------------------------------------------------------------------
  // Head 1: the part's first 16 - bits bits go behind D, the others become the look-ahead
  // ------------------------------------------------------------------------------------------------------------------
  wire [31:0] doubled = {part, part} >> head_bits_q;
  wire [15:0] turned = doubled[15:0];

  reg [14:0] low_1_q, ahead_1_q;
  reg [15:0] less_1_q, rest_1_q;
  reg [3:0] bits_1_q;
  wire [15:0] take_mask = {16{head_take_q}} & to_rest;
  wire [15:0] keep_mask = {16{head_take_q}} & ~to_rest;
  wire [15:0] ahead_taken = turned & keep_mask;
  always @(posedge clk) begin
    if (enable) begin
      low_1_q   <= head_low_q;
      less_1_q  <= head_less_q;
      rest_1_q  <= head_rest_q | (turned & take_mask);
      ahead_1_q <= head_ahead_q | ahead_taken[15:1];
      bits_1_q  <= head_bits_q;
    end
  end

  apack_delay #(
      .WIDTH (19),
      .STAGES(CODERS - 2)
  ) u_ahead (
      .clk(clk),
      .clear(rst),
      .enable(enable),
      .s_data({ahead_1_q, bits_1_q}),
      .m_data({ahead_late, ahead_bits_late})
  );

  wire [14:0] low;
  apack_delay #(
      .WIDTH (47),
      .STAGES(WAIT)
  ) u_wait (
      .clk(clk),
      .clear(rst),
      .enable(enable),
      .s_data({low_1_q, less_1_q, rest_1_q}),
      .m_data({low, less_one, distance})
  );

  // ------------------------------------------------------------------------------------------------------------------
  // The row
  // ------------------------------------------------------------------------------------------------------------------
  generate
    if (TREE != 0) begin : g_tree
      apack_row_tree u_finder (
          .clk(clk),
          .clear(rst),
          .enable(enable),
          .load_valid(load_valid),
          .load_row(load_row),
          .load_low(load_low),
          .less_one(less_one),
          .distance(distance),
          .row(found_row),
          .rest(found_rest),
          .rest_end(found_end)
      );
    end else begin : g_products
      apack_row_finder u_finder (
          .clk(clk),
          .clear(rst),
          .enable(enable),
          .load_valid(load_valid),
          .load_row(load_row),
          .load_low(load_low),
          .less_one(less_one),
          .distance(distance),
          .row(found_row),
          .rest(found_rest),
          .rest_end(found_end)
      );
    end
  endgenerate

  // CODE = LO + D goes along.
  always @(posedge clk) if (enable) code_q <= {1'b0, low} + distance;
  apack_delay #(
      .WIDTH (16),
      .STAGES(FINDER - 1)
  ) u_code (
      .clk(clk),
      .clear(rst),
      .enable(enable),
      .s_data(code_q),
      .m_data(code_late)
  );

  apack_delay #(
      .WIDTH (1),
      .STAGES(CODERS - 2)
  ) u_last (
      .clk(clk),
      .clear(rst),
      .enable(enable),
      .s_data(last),
      .m_data(row_last)
  );

  assign row_valid = active_q[CODERS-3];
  assign row = found_row;

  wire unused = &{1'b0, doubled[31:16], ahead_taken[0], less_shifted[14:0]};

endmodule

`resetall
