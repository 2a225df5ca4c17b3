// SPDX-License-Identifier: Apache-2.0
//
// bit_unpacker: shows the next MAX_BITS bits of a stream of 64-bit words (first bit at bit 63); the user consumes
// 0..MAX_BITS of them each cycle.
//
// A word is cut into units (a power of two of at least MAX_BITS bits). The bits behind the window are found by a shift of
// two units by a pointer register; so a consumption is one shift by m_consume into the window register, and an addition
// to the pointer. The window is shown when the bits that can refill it are here, or the stream has ended.
// Past the end of the stream the window reads zero, and m_available tells how many bits were real.
// Latency: 4 cycles from the first s_valid to m_valid. Throughput: one beat a cycle while words come (64 bits a cycle at
// most). s_ready is registered, and may wait for s_valid: a word stays at the input for 64/unit cycles. m_bits is a
// register; m_available and m_valid are little logic behind registers. m_consume may depend on all three.
// Assumes: m_consume <= MAX_BITS and a multiple of GRANULARITY, s_data stable while s_valid && !s_ready, s_end not before
// the last word was taken. After s_end only rst makes it ready for another stream.
// Does not: tell an over-consumption at the end (compare m_consume with m_available).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module bit_unpacker #(
    parameter MAX_BITS    = 16,  // bits of the window, 1..32
    parameter GRANULARITY = 1    // every m_consume is a multiple of it: a power of two that divides MAX_BITS
) (
    input  wire                          clk,
    input  wire                          rst,          // synchronous, active high: drops all bits
    input  wire                          s_valid,
    output wire                          s_ready,
    input  wire [                  63:0] s_data,
    input  wire                          s_end,        // level: every word has been handed over
    output wire                          m_valid,      // the window is full, or the stream has ended
    input  wire                          m_ready,
    output wire [          MAX_BITS-1:0] m_bits,       // next bit at MAX_BITS-1
    output wire [$clog2(MAX_BITS+1)-1:0] m_available,  // real bits in m_bits
    input  wire [$clog2(MAX_BITS+1)-1:0] m_consume     // bits taken by m_valid && m_ready
);

  localparam COUNT_WIDTH = $clog2(MAX_BITS + 1);
  localparam UNIT = 1 << $clog2(MAX_BITS);  // bits of a unit
  localparam G = GRANULARITY;
  localparam GRAIN_LOG2 = $clog2(G);
  localparam STEPS = $clog2(UNIT / G);  // bits of the pointer
  // Counts are in grains of G bits.
  localparam WINDOW = MAX_BITS / G;  // grains shown
  localparam CW = COUNT_WIDTH - GRAIN_LOG2;  // width of a consumption
  localparam PW = STEPS == 0 ? 1 : STEPS;  // width of the pointer
  localparam SW = STEPS + 2;  // width of pointer + consumption

  generate
    if (MAX_BITS < 1 || MAX_BITS > 32) begin : g_bad_bits
      bit_unpacker_MAX_BITS_must_be_1_to_32 u_error ();
    end
    if (G < 1 || (G & (G - 1)) != 0 || MAX_BITS % G != 0) begin : g_bad_granularity
      bit_unpacker_GRANULARITY_must_be_a_power_of_two_that_divides_MAX_BITS u_error ();
    end
  endgenerate

  // While no unit is here, `unit` is zero.
  wire unit_valid, unit_take, ended, unit_known;
  wire [UNIT-1:0] unit;

  unit_cutter #(
      .UNIT(UNIT)
  ) u_units (
      .clk(clk),
      .rst(rst),
      .s_valid(s_valid),
      .s_ready(s_ready),
      .s_data(s_data),
      .s_end(s_end),
      .m_valid(unit_valid),
      .m_ready(unit_take),
      .m_data(unit),
      .m_end(ended),
      .m_known(unit_known)
  );

  // The bits behind the window: `first_q` and `unit`, from the pointer on.
  reg first_valid_q;
  reg [UNIT-1:0] first_q;
  reg [PW-1:0] pointer_q;
  wire [2*UNIT-1:0] pair = {first_q, unit};
  wire [MAX_BITS-1:0] behind;

  // The window.
  reg loaded_q;  // the first bits are in it
  reg [1:0] drained_q;  // units that the pointer has passed since the last unit; 2: nothing is left
  reg [MAX_BITS-1:0] window_q;

  wire window_valid = ended || (loaded_q && unit_valid);
  wire load = !loaded_q && first_valid_q && unit_valid;
  // `keep`: nets before m_ready and behind it stay apart, so that m_ready may come late.
  (* keep *) wire can_step, step;
  assign can_step = loaded_q && unit_known;
  assign step = load || (can_step && m_ready);  // an empty stream keeps the zeros of the reset
  wire [CW-1:0] consume = m_consume[COUNT_WIDTH-1:GRAIN_LOG2];
  wire [PW-1:0] pointer_next;
  (* keep *) wire carry;  // the pointer passes first_q

  generate
    if (STEPS == 0) begin : g_no_pointer
      wire unused_pair = |{pair[UNIT-1:0], pointer_q};
      assign behind = pair[2*UNIT-1-:MAX_BITS];
      assign pointer_next = 1'b0;
      assign carry = !loaded_q || consume[0];
    end else begin : g_pointer
      // In plain logic: a consumption of few values then needs fewer levels than with a carry chain, and its carry is used at once.
      function [PW:0] plus;
        input [PW-1:0] a;
        input [SW-1:0] b;
        reg up;
        integer i;
        begin
          up = 1'b0;
          for (i = 0; i < PW; i = i + 1) begin
            plus[i] = a[i] ^ b[i] ^ up;
            up = (a[i] && b[i]) || ((a[i] || b[i]) && up);
          end
          plus[PW] = up || b[PW];  // b[PW] only when the rest of b is zero
        end
      endfunction

      wire [SW-1:0] added = {{(SW - CW) {1'b0}}, consume};
      wire unused_added = added[SW-1];
      wire [PW:0] sum = plus(pointer_q, added);
      assign pointer_next = loaded_q ? sum[PW-1:0] : WINDOW[PW-1:0];
      assign carry = loaded_q ? sum[PW] : WINDOW[PW];
      function [2*UNIT-1:0] from_pointer;
        input [2*UNIT-1:0] bits;
        input [STEPS-1:0] by;
        integer i;
        begin
          from_pointer = bits;
          for (i = STEPS - 1; i >= 0; i = i - 1) if (by[i]) from_pointer = from_pointer << (G << i);
        end
      endfunction

      wire [2*UNIT-1:0] at = from_pointer(pair, pointer_q[STEPS-1:0]);
      wire unused_at = |at[2*UNIT-MAX_BITS-1:0];
      assign behind = at[2*UNIT-1-:MAX_BITS];
    end
  endgenerate

  // The window after this cycle. Large steps come first, as then fewer bits go through the small ones. When only the
  // largest consumption has the top bit set (a window of a power of two), that one takes what is behind, with no shift.
  localparam WHOLE = WINDOW == (1 << (CW - 1)) ? 1 : 0;
  localparam SHIFTS = CW - WHOLE;
  wire [MAX_BITS-1:0] shifted;
  wire take_behind;

  generate
    if (SHIFTS == 0) begin : g_no_shift
      assign shifted = window_q;
    end else begin : g_shift
      function [2*MAX_BITS-1:0] shift;
        input [2*MAX_BITS-1:0] bits;
        input [SHIFTS-1:0] by;
        integer i;
        begin
          shift = bits;
          for (i = SHIFTS - 1; i >= 0; i = i - 1) if (by[i]) shift = shift << (G << i);
        end
      endfunction

      wire [2*MAX_BITS-1:0] both = shift({window_q, behind}, consume[SHIFTS-1:0]);
      wire unused_both = |both[MAX_BITS-1:0];
      assign shifted = both[2*MAX_BITS-1-:MAX_BITS];
    end
    if (WHOLE != 0) begin : g_whole
      assign take_behind = !loaded_q || consume[CW-1];
    end else begin : g_part
      assign take_behind = !loaded_q;
    end
  endgenerate

  (* keep *) wire take_anyway, can_take;
  assign take_anyway = !first_valid_q || (load && carry);
  assign can_take = can_step && carry;
  wire first_take = take_anyway || (can_take && m_ready);
  assign unit_take = first_take;

  always @(posedge clk) begin
    if (first_take) begin
      first_q <= unit;
      first_valid_q <= unit_valid || loaded_q;
    end
    if (step) begin
      pointer_q <= pointer_next;
      window_q  <= take_behind ? behind : shifted;
    end
    if (load) begin
      loaded_q  <= 1'b1;
      drained_q <= 2'd0;
    end else if (step && carry && !unit_valid && !drained_q[1]) begin
      drained_q <= drained_q + 2'd1;
    end
    if (rst) begin
      first_valid_q <= 1'b0;
      loaded_q <= 1'b0;
      drained_q <= 2'd2;
      pointer_q <= {PW{1'b0}};
      window_q <= {MAX_BITS{1'b0}};
    end
  end

  assign m_valid = window_valid;
  assign m_bits  = window_q;

  // At the end, MAX_BITS + unit - pointer bits are left, less a unit for each one drained.
  wire [CW-1:0] shown;
  generate
    if (STEPS == 0) begin : g_shown_unit
      assign shown = {CW{!drained_q[1]}};
    end else begin : g_shown
      localparam [SW-1:0] FULL = WINDOW[SW-1:0];
      wire [SW-1:0] rest = FULL - {{(SW - PW) {1'b0}}, pointer_q};
      wire unused_rest = |rest;
      assign shown = drained_q == 2'd0 ? FULL[CW-1:0] : drained_q[1] || rest[SW-1] ? {CW{1'b0}} : rest[CW-1:0];
    end
    if (G == 1) begin : g_bits
      assign m_available = shown;
    end else begin : g_grains
      wire unused_consume = |m_consume[GRAIN_LOG2-1:0];
      assign m_available = {shown, {GRAIN_LOG2{1'b0}}};
    end
  endgenerate

endmodule

`resetall
