// SPDX-License-Identifier: Apache-2.0
//
// bit_packer: packs 0..MAX_BITS bits a cycle into 64-bit words, the first bit at bit 63 (FORMAT.md, "bit streams").
//
// Bits are first packed into units (a power of two of at least MAX_BITS bits), then units are put side by side into the
// word: so the barrel shifter is only one unit wide, and with GRANULARITY g it has only log2(unit/g) steps.
// s_flush in a beat pads with zero bits to a whole word after the bits of that beat.
// Latency: 3 cycles from the beat that completes a word to m_valid (4 with s_flush). Throughput: one beat a cycle; a beat
// with s_flush takes two. s_ready is registered.
// Assumes: s_count <= MAX_BITS and a multiple of GRANULARITY.
// Does not: count bits or words; emit anything by itself without s_flush while a word is incomplete.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module bit_packer #(
    parameter MAX_BITS    = 16,  // most bits of a beat, 1..32
    parameter GRANULARITY = 1    // every s_count is a multiple of it: a power of two that divides MAX_BITS
) (
    input  wire                          clk,
    input  wire                          rst,      // synchronous, active high: drops all bits
    input  wire                          s_valid,
    output wire                          s_ready,
    input  wire [          MAX_BITS-1:0] s_bits,   // left-aligned: first bit at MAX_BITS-1; those past s_count are ignored
    input  wire [$clog2(MAX_BITS+1)-1:0] s_count,  // bits, 0..MAX_BITS
    input  wire                          s_flush,
    output wire                          m_valid,
    input  wire                          m_ready,
    output wire [                  63:0] m_data,
    output wire                          empty     // no bit is held and no word waits
);

  localparam COUNT_WIDTH = $clog2(MAX_BITS + 1);
  localparam UNIT = 1 << $clog2(MAX_BITS);  // bits of a unit
  localparam GRAIN_LOG2 = $clog2(GRANULARITY);
  localparam POSITIONS = UNIT / GRANULARITY;  // where in a unit a beat can begin
  localparam STEPS = $clog2(POSITIONS);  // steps of the barrel shifter
  localparam FILL_WIDTH = STEPS == 0 ? 1 : STEPS;
  localparam UNITS = 64 / UNIT;  // units of a word
  localparam INDEX_WIDTH = $clog2(UNITS);
  localparam [INDEX_WIDTH-1:0] INDEX_ONE = 1;
  localparam [INDEX_WIDTH-1:0] INDEX_LAST = {INDEX_WIDTH{1'b1}};

  generate
    if (MAX_BITS < 1 || MAX_BITS > 32) begin : g_bad_bits
      bit_packer_MAX_BITS_must_be_1_to_32 u_error ();
    end
    if (GRANULARITY < 1 || (GRANULARITY & (GRANULARITY - 1)) != 0 || MAX_BITS % GRANULARITY != 0) begin : g_bad_granularity
      bit_packer_GRANULARITY_must_be_a_power_of_two_that_divides_MAX_BITS u_error ();
    end
  endgenerate

  generate
    if (GRAIN_LOG2 > 0) begin : g_unused
      wire unused_count = |in_count[GRAIN_LOG2-1:0];
    end
  endgenerate

  // Place for the beat that comes in the cycle of a stall, so that s_ready is a register.
  reg hold_valid_q, hold_flush_q;
  reg [MAX_BITS-1:0] hold_bits_q;
  reg [COUNT_WIDTH-1:0] hold_count_q;

  wire in_valid = hold_valid_q || s_valid;
  wire in_flush = hold_valid_q ? hold_flush_q : s_flush;
  wire [MAX_BITS-1:0] in_bits = hold_valid_q ? hold_bits_q : s_bits;
  wire [COUNT_WIDTH-1:0] in_count = hold_valid_q ? hold_count_q : s_count;

  // Stage 1: bits past the count cleared, first position and completion of the unit known.
  reg bits_valid_q, bits_flush_q, bits_full_q;
  reg [MAX_BITS-1:0] bits_q;
  reg [FILL_WIDTH-1:0] bits_position_q;
  reg [FILL_WIDTH-1:0] fill_q;  // position of the next bit, in grains

  // Stage 2: a unit.
  reg unit_valid_q, unit_flush_q;
  reg [UNIT-1:0] unit_q, rest_q;

  // Stage 3: the word.
  reg m_valid_q;
  reg [INDEX_WIDTH-1:0] index_q;  // place of the next unit

  wire advance = m_ready || !m_valid_q;
  wire in_take = advance && !bits_flush_q;  // a beat with flush is followed by one that pads

  always @(posedge clk) begin
    if (in_take) hold_valid_q <= 1'b0;
    else if (s_valid) hold_valid_q <= 1'b1;
    if (!hold_valid_q) begin
      hold_flush_q <= s_flush;
      hold_bits_q  <= s_bits;
      hold_count_q <= s_count;
    end
    if (rst) hold_valid_q <= 1'b0;
  end

  // Stage 1.
  wire [MAX_BITS-1:0] in_mask;
  wire [FILL_WIDTH-1:0] fill_next;
  wire fill_full;

  genvar k;
  generate
    for (k = 0; k < MAX_BITS / GRANULARITY; k = k + 1) begin : g_mask
      localparam [COUNT_WIDTH-GRAIN_LOG2-1:0] BEFORE = k;
      assign in_mask[MAX_BITS-1-k*GRANULARITY-:GRANULARITY] = {GRANULARITY{in_count[COUNT_WIDTH-1:GRAIN_LOG2] > BEFORE}};
    end
    if (STEPS == 0) begin : g_whole_units
      assign fill_next = 1'b0;
      assign fill_full = in_count[COUNT_WIDTH-1];
    end else begin : g_fill
      localparam SUM_WIDTH = STEPS + 2;
      wire [SUM_WIDTH-1:0] sum = {{(SUM_WIDTH - STEPS) {1'b0}}, fill_q} + {{(SUM_WIDTH - COUNT_WIDTH + GRAIN_LOG2) {1'b0}}, in_count[COUNT_WIDTH-1:GRAIN_LOG2]};
      assign fill_next = sum[STEPS-1:0];
      assign fill_full = sum[STEPS];
    end
  endgenerate

  always @(posedge clk) begin
    if (in_take) begin
      bits_valid_q <= in_valid;
      bits_flush_q <= in_valid && in_flush;
      bits_full_q <= in_valid && fill_full;
      bits_q <= in_bits & in_mask;
      bits_position_q <= fill_q;
      if (in_valid) fill_q <= fill_next;
    end else if (advance) begin  // the padding beat: no bits, completes a unit that has begun
      bits_flush_q <= 1'b0;
      bits_full_q <= |fill_q;
      bits_q <= {MAX_BITS{1'b0}};
      bits_position_q <= fill_q;
      fill_q <= {FILL_WIDTH{1'b0}};
    end
    if (rst) begin
      bits_valid_q <= 1'b0;
      bits_flush_q <= 1'b0;
      bits_full_q <= 1'b0;
      fill_q <= {FILL_WIDTH{1'b0}};
    end
  end

  reg bits_pad_q;  // stage 1 holds the padding beat
  always @(posedge clk) begin
    if (advance) bits_pad_q <= bits_flush_q;
    if (rst) bits_pad_q <= 1'b0;
  end

  // Stage 2: rotate to the position; what wraps belongs to the next unit.
  wire [UNIT-1:0] rotated, earlier;

  generate
    if (STEPS == 0) begin : g_no_rotation
      assign rotated = bits_q;
      assign earlier = {UNIT{1'b0}};
      wire unused_position = bits_position_q[0];
    end else begin : g_rotation
      function [UNIT-1:0] rotate;  // right, by grains
        input [UNIT-1:0] word;
        input [STEPS-1:0] by;
        reg [UNIT-1:0] before;
        reg [STEPS:0] padded;
        integer i, q;
        begin
          padded = {1'b0, by};
          rotate = word;
          for (i = 0; i < STEPS; i = i + 2) begin
            before = rotate;
            rotate = {UNIT{1'b0}};
            for (q = 0; q < 4; q = q + 1)
              if (((q * GRANULARITY) << i) < UNIT)
                rotate = rotate | (((before >> ((q * GRANULARITY) << i)) | (before << (UNIT - ((q * GRANULARITY) << i)))) & {UNIT{padded[i+:2] == q[1:0]}});
          end
        end
      endfunction

      wire [UNIT-1:0] placed;
      if (UNIT == MAX_BITS) begin : g_exact
        assign placed = bits_q;
      end else begin : g_wider
        assign placed = {bits_q, {(UNIT - MAX_BITS) {1'b0}}};
      end
      assign rotated = rotate(placed, bits_position_q[STEPS-1:0]);
      assign earlier[GRANULARITY-1:0] = {GRANULARITY{1'b0}};
      for (k = 0; k < POSITIONS - 1; k = k + 1) begin : g_earlier
        localparam [FILL_WIDTH-1:0] HERE = k;
        assign earlier[UNIT-1-k*GRANULARITY-:GRANULARITY] = {GRANULARITY{bits_position_q > HERE}};
      end
    end
  endgenerate

  always @(posedge clk) begin
    if (advance) begin
      unit_valid_q <= bits_full_q;
      unit_flush_q <= bits_pad_q;
      unit_q <= (earlier & rest_q) | (~earlier & rotated);
    end
    if (advance && bits_valid_q) rest_q <= bits_full_q ? earlier & rotated : rest_q | rotated;
    if (rst) begin
      unit_valid_q <= 1'b0;
      unit_flush_q <= 1'b0;
      rest_q <= {UNIT{1'b0}};
    end
  end

  // Stage 3: the first unit of a word clears the others, so that a padded word ends in zeros.
  generate
    for (k = 0; k < UNITS; k = k + 1) begin : g_unit
      localparam [INDEX_WIDTH-1:0] HERE = k;
      reg [UNIT-1:0] part_q;
      always @(posedge clk) begin
        if (advance && unit_valid_q) begin
          if (index_q == HERE) part_q <= unit_q;
          else if (index_q == {INDEX_WIDTH{1'b0}}) part_q <= {UNIT{1'b0}};
        end
      end
      assign m_data[63-k*UNIT-:UNIT] = part_q;
    end
  endgenerate

  always @(posedge clk) begin
    if (advance) begin
      m_valid_q <= unit_valid_q ? unit_flush_q || index_q == INDEX_LAST : unit_flush_q && |index_q;
      if (unit_flush_q) index_q <= {INDEX_WIDTH{1'b0}};
      else if (unit_valid_q) index_q <= index_q + INDEX_ONE;
    end
    if (rst) begin
      m_valid_q <= 1'b0;
      index_q   <= {INDEX_WIDTH{1'b0}};
    end
  end

  assign s_ready = !hold_valid_q;
  assign m_valid = m_valid_q;
  assign empty = !(hold_valid_q || bits_valid_q || |fill_q || unit_valid_q || unit_flush_q || |index_q || m_valid_q);

endmodule

`resetall
