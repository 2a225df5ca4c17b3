// SPDX-License-Identifier: Apache-2.0
//
// apack_encode_loop: CODERS interleaved arithmetic encoders in one pipeline loop, one value a cycle (FORMAT.md sections 3.1, 3.2).
//
// The loop has CODERS stages and always turns; a coder's state lives in the pipeline registers: LO, M = HI - LO, the pending
// count, the bits that a decoder would have read ahead, and the number of its next part. A slot is what passes in a cycle:
//
//   kind    does
//   none    codes the whole range (counts 0..1024), which changes nothing: so a wait costs a round of the loop, but no enables
//   INIT    a fresh coder, reserves its first part; goes in at stage 4
//   VALUE   codes a row, reserves a part at the step where a decoder will ask for it
//   FLUSH   emits the last bits: b, the pending bits and one more as not b, 13 zeros
//   ZERO    emits as many zeros as the coder's last part has left
//   PAD     reserves a part of zeros unless the last word of A is whole
//
//   stage   does (latency 7 from the counts to an event)
//   0       counts and M at the multipliers
//   1, 2    two DSP blocks: {LO, cum} + M*cum = 1024*LO + R*cum
//   3       LO, HI, M of the row
//   4       count of the shift (apack_shift) and of the bits that LO and HI share (apack_leading)
//   5       shifted state; look-ahead, reservation; the bits to emit
//   6       pending bits; event
//
// An event: first bit, fill - 1 times its inverse, then `rest_bits` further bits.
// The event of a PAD slot is the user's to add: only the reservation knows whether there is one.
// Latency and throughput: see above; one slot a cycle. Assumes: each coder's INIT, in an empty slot, before its first VALUE; events and
// reservations are always taken. Does not: stop at the limit, it only reports it.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_encode_loop #(
    parameter CODERS = 8  // S, 8..16
) (
    input  wire        clk,
    input  wire        rst,           // empties all slots
    // slot at stage 0 of the next cycle; its kind is one-hot, its counts are 0 and 1024 unless it is a value
    input  wire        s_value,
    input  wire        s_flush,
    input  wire        s_zero,
    input  wire        s_pad,
    input  wire [ 9:0] s_cum,         // counts below the row
    input  wire [10:0] s_cum_end,     // counts below the next row, 1..1024
    // slot at stage 4 of the next cycle
    input  wire        s_init,
    // stage 5: reservation
    output wire        reserve,       // the slot reserves a part
    output wire        pad,           // the slot reserves a part if the last word is not whole
    output wire [ 3:0] reserve_part,  // number of the part among the coder's, modulo 16
    output wire [ 3:0] next_part,     // parts reserved so far by the coder, modulo 16
    output wire        is_value,
    // stage 6: event
    output wire        event_valid,
    output wire        event_fresh,   // begin a coder: no bits
    output wire        event_first,
    output wire [ 6:0] event_fill,    // 1..64
    output wire [ 3:0] event_bits,    // 0..15
    output wire [10:0] event_rest,    // left-aligned, zeros behind
    output wire        event_fits,    // fill + bits <= 16
    output wire        limit          // pulse: the pending bits of a coder pass 63
);

  generate
    if (CODERS < 8 || CODERS > 16) begin : g_bad_coders
      apack_encode_loop_CODERS_must_be_8_to_16 u_error ();
    end
  endgenerate

  // Kinds of the slots in the loop: 0 value, 1 flush, 2 zero, 3 pad; and init.
  reg [3:0] kind_0_q, kind_1_q, kind_2_q, kind_3_q, kind_4_q;
  reg init_4_q, init_5_q, value_5_q, pad_5_q;
  always @(posedge clk) begin
    kind_0_q <= {s_pad, s_zero, s_flush, s_value};
    kind_1_q <= kind_0_q;
    kind_2_q <= kind_1_q;
    kind_3_q <= kind_2_q;
    kind_4_q <= kind_3_q;
    init_4_q <= s_init;
    init_5_q <= init_4_q;
    value_5_q <= kind_4_q[0];
    pad_5_q <= kind_4_q[3];
    if (rst) begin
      kind_0_q <= 4'd0;
      kind_1_q <= 4'd0;
      kind_2_q <= 4'd0;
      kind_3_q <= 4'd0;
      kind_4_q <= 4'd0;
      init_4_q <= 1'b0;
      init_5_q <= 1'b0;
      value_5_q <= 1'b0;
      pad_5_q <= 1'b0;
    end
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Stages 0..2: 1024*LO + R*cum for both ends of the row. R = M + 1, and M*cum + cum has cum, which is below 1024, as
  // low bits behind LO. A count of 1024 has no room there: its sum lacks the "+ 1", and so is HI at once.
  // ------------------------------------------------------------------------------------------------------------------
  wire [14:0] low_late;
  wire [15:0] less_late;
  reg [14:0] low_0_q;
  reg [15:0] less_0_q;
  reg [9:0] cum_0_q;
  reg [10:0] end_0_q;
  reg signed [27:0] product_low_q, product_high_q;
  reg [24:0] addend_low_q, addend_high_q;
  reg signed [27:0] sum_low_q, sum_high_q;
  reg whole_1_q, whole_2_q;

  wire signed [16:0] multiplicand = {1'b0, less_0_q};
  wire signed [10:0] multiplier_low = {1'b0, cum_0_q};
  wire signed [11:0] multiplier_high = {1'b0, end_0_q};
  wire signed [28:0] product_high = multiplicand * multiplier_high;

  always @(posedge clk) begin
    low_0_q <= low_late;
    less_0_q <= less_late;
    cum_0_q <= s_cum;
    end_0_q <= s_cum_end;

    product_low_q <= multiplicand * multiplier_low;
    product_high_q <= product_high[27:0];
    addend_low_q <= {low_0_q, cum_0_q};
    addend_high_q <= {low_0_q, end_0_q[9:0]};
    whole_1_q <= end_0_q[10];

    sum_low_q <= product_low_q + $signed({3'd0, addend_low_q});
    sum_high_q <= product_high_q + $signed({3'd0, addend_high_q});
    whole_2_q <= whole_1_q;
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Stage 3: LO, HI, M
  // ------------------------------------------------------------------------------------------------------------------
  reg [15:0] low_3_q, high_3_q, less_3_q;
  always @(posedge clk) begin
    low_3_q  <= sum_low_q[25:10];
    high_3_q <= sum_high_q[25:10] + {16{!whole_2_q}};
    less_3_q <= sum_high_q[25:10] + ~sum_low_q[25:10] + {15'd0, whole_2_q};
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Stage 4: how far
  // ------------------------------------------------------------------------------------------------------------------
  wire [3:0] shift, shared;
  apack_shift u_shift (
      .low(low_3_q),
      .high(high_3_q),
      .less_one(less_3_q),
      .shift(shift)
  );
  apack_leading u_shared (
      .bits (low_3_q ^ high_3_q),
      .zeros(shared)
  );

  reg [3:0] shift_4_q, shared_4_q;
  reg [15:0] low_4_q, less_4_q;
  always @(posedge clk) begin
    shift_4_q <= shift;
    shared_4_q <= shared;
    low_4_q <= low_3_q;
    less_4_q <= less_3_q;
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Stage 5: the coder after the step
  // ------------------------------------------------------------------------------------------------------------------
  wire value_4 = kind_4_q[0], flush_4 = kind_4_q[1], zero_4 = kind_4_q[2];
  wire [5:0] pending_4;
  reg [5:0] pending_6_q;
  wire [3:0] ahead_4, part_4;

  wire emits = |shared_4_q;
  wire [3:0] waiting = shift_4_q - shared_4_q;  // shifts of the third kind: their bits are pending
  wire [4:0] ahead = {1'b0, ahead_4} - {1'b0, shift_4_q};
  wire ask = init_4_q || (value_4 && ahead[4]);
  wire [15:0] less_shifted = less_4_q << shift_4_q;
  wire [14:0] low_shifted = low_4_q[14:0] << shift_4_q;

  // Bits behind the first one, and the ones that come into M.
  wire [15:0] ones;
  wire [10:0] rest;
  genvar k;
  generate
    for (k = 0; k < 15; k = k + 1) begin : g_ones
      localparam [3:0] HERE = k;
      assign ones[k] = shift_4_q > HERE;
    end
    for (k = 0; k < 11; k = k + 1) begin : g_rest
      localparam [3:0] PLACE = k + 1;
      assign rest[10-k] = value_4 && shared_4_q > PLACE && low_4_q[14-k];
    end
  endgenerate
  assign ones[15] = 1'b0;

  reg [14:0] low_5_q;
  reg [15:0] less_5_q;
  reg [5:0] kept_5_q;  // pending bits that stay, and those that come
  reg [3:0] waiting_5_q;
  reg [3:0] ahead_5_q, part_5_q;
  reg reserve_5_q, event_5_q, first_5_q;
  reg [3:0] reserve_part_5_q, bits_5_q;
  reg [ 5:0] fill_5_q;
  reg [10:0] rest_5_q;

  always @(posedge clk) begin
    low_5_q <= low_shifted;
    less_5_q <= less_shifted | ones;
    kept_5_q <= emits ? 6'd0 : pending_4;
    waiting_5_q <= waiting;
    ahead_5_q <= ahead[3:0];
    part_5_q <= value_4 && ahead[4] ? part_4 + 4'd1 : part_4;  // chosen last, as the borrow comes late
    if (init_4_q) begin
      low_5_q <= 15'd0;
      less_5_q <= 16'hFFFF;
      kept_5_q <= 6'd0;
      waiting_5_q <= 4'd0;
      ahead_5_q <= 4'd0;
      part_5_q <= 4'd1;
    end

    reserve_5_q <= ask;
    reserve_part_5_q <= init_4_q ? 4'd0 : part_4;

    event_5_q <= init_4_q || flush_4 || zero_4 || (value_4 && emits);
    first_5_q <= (value_4 && low_4_q[15]) || (flush_4 && low_4_q[14]);
    fill_5_q <= value_4 || flush_4 ? pending_4 : 6'd0;
    bits_5_q <= value_4 ? shared_4_q - 4'd1 : zero_4 ? ahead_4 : flush_4 ? 4'd14 : 4'd15;
    rest_5_q <= rest;
    if (flush_4) rest_5_q <= {!low_4_q[14], 10'd0};
    if (rst) begin
      reserve_5_q <= 1'b0;
      event_5_q   <= 1'b0;
    end
  end

  apack_delay #(
      .WIDTH (31),
      .STAGES(CODERS - 6)
  ) u_interval (
      .clk(clk),
      .clear(rst),
      .enable(1'b1),
      .s_data({low_5_q, less_5_q}),
      .m_data({low_late, less_late})
  );

  apack_delay #(
      .WIDTH (8),
      .STAGES(CODERS - 1)
  ) u_counts (
      .clk(clk),
      .clear(rst),
      .enable(1'b1),
      .s_data({ahead_5_q, part_5_q}),
      .m_data({ahead_4, part_4})
  );

  apack_delay #(
      .WIDTH (6),
      .STAGES(CODERS - 2)
  ) u_pending (
      .clk(clk),
      .clear(rst),
      .enable(1'b1),
      .s_data(pending_6_q),
      .m_data(pending_4)
  );

  assign reserve = reserve_5_q;
  assign pad = pad_5_q;
  assign reserve_part = reserve_part_5_q;
  assign next_part = part_5_q;
  assign is_value = value_5_q;

  // ------------------------------------------------------------------------------------------------------------------
  // Stage 6: the event; the pending bits after the step
  // ------------------------------------------------------------------------------------------------------------------
  wire [4:0] total = {1'b0, fill_5_q[3:0]} + {1'b0, bits_5_q};

  wire [6:0] pending = {1'b0, kept_5_q} + {3'd0, waiting_5_q};
  reg limit_6_q;

  reg event_6_q, fresh_6_q, first_6_q, fits_6_q;
  reg [ 6:0] fill_6_q;
  reg [ 3:0] bits_6_q;
  reg [10:0] rest_6_q;
  always @(posedge clk) begin
    event_6_q <= event_5_q && !rst;
    limit_6_q <= value_5_q && pending[6] && !rst;
    pending_6_q <= pending[5:0];
    fresh_6_q <= init_5_q;
    first_6_q <= first_5_q;
    fill_6_q <= {1'b0, fill_5_q} + 7'd1;
    bits_6_q <= bits_5_q;
    rest_6_q <= rest_5_q;
    fits_6_q <= !(|fill_5_q[5:4]) && !total[4];
  end

  assign limit = limit_6_q;
  assign event_valid = event_6_q;
  assign event_fresh = fresh_6_q;
  assign event_first = first_6_q;
  assign event_fill = fill_6_q;
  assign event_bits = bits_6_q;
  assign event_rest = rest_6_q;
  assign event_fits = fits_6_q;

  wire unused = &{1'b0, product_high[28], sum_low_q[27:26], sum_low_q[9:0], sum_high_q[27:26], sum_high_q[9:0], total[3:0]};

endmodule

`resetall
