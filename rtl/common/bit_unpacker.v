// SPDX-License-Identifier: Apache-2.0
//
// bit_unpacker: shows the next MAX_BITS bits of a stream of 64-bit words (first bit at bit 63); the user consumes
// 0..MAX_BITS of them each cycle.
//
// A word is cut into units (a power of two of at least MAX_BITS bits). The window register holds MAX_BITS + unit bits;
// the next unit stands rotated beside it, so that a consumption is one shift by m_consume into the window register.
// Past the end of the stream the window reads zero, and m_available tells how many bits were real.
// Latency: 3 cycles from the first s_valid to m_valid. Throughput: one beat a cycle while words come (64 bits a cycle at
// most). s_ready is registered, and may wait for s_valid: a word stays at the input for 64/unit cycles. m_bits is a
// register; m_available and m_valid are one LUT behind one. m_consume may depend on all three.
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
  localparam STEPS = $clog2(UNIT / G);  // steps of the rotation of a unit
  localparam UNITS = 64 / UNIT;  // units of a word
  localparam INDEX_WIDTH = $clog2(UNITS);
  localparam [INDEX_WIDTH-1:0] INDEX_ONE = 1;
  localparam [INDEX_WIDTH-1:0] INDEX_LAST = {INDEX_WIDTH{1'b1}};
  // All counts below are in grains of G bits.
  localparam WINDOW = MAX_BITS / G;  // grains shown
  localparam UNIT_GRAINS = UNIT / G;
  localparam BUFFER = WINDOW + UNIT_GRAINS - 1;  // grains held at most
  localparam CW = COUNT_WIDTH - GRAIN_LOG2;  // width of a consumption
  localparam FW = STEPS + 2;  // width of a fill, with a sign bit on top: UNIT_GRAINS*2 - 1 >= BUFFER

  generate
    if (MAX_BITS < 1 || MAX_BITS > 32) begin : g_bad_bits
      bit_unpacker_MAX_BITS_must_be_1_to_32 u_error ();
    end
    if (G < 1 || (G & (G - 1)) != 0 || MAX_BITS % G != 0) begin : g_bad_granularity
      bit_unpacker_GRANULARITY_must_be_a_power_of_two_that_divides_MAX_BITS u_error ();
    end
  endgenerate

  // The word at the input is cut into units: the word itself is not stored.
  reg [INDEX_WIDTH-1:0] index_q;
  wire unit_valid, unit_take, cut_ready;
  wire [UNIT-1:0] unit;

  wire [UNIT-1:0] cut = s_data[(INDEX_LAST-index_q)*UNIT+:UNIT];

  skid_buffer #(
      .WIDTH(UNIT)
  ) u_units (
      .clk(clk),
      .rst(rst),
      .s_valid(s_valid),
      .s_ready(cut_ready),
      .s_data(cut),
      .m_valid(unit_valid),
      .m_ready(unit_take),
      .m_data(unit)
  );

  reg end_q;  // nothing will come any more

  always @(posedge clk) begin
    if (s_valid && cut_ready) index_q <= index_q + INDEX_ONE;
    end_q <= s_end && !s_valid && !unit_valid;
    if (rst) begin
      index_q <= {INDEX_WIDTH{1'b0}};
      end_q   <= 1'b0;
    end
  end

  assign s_ready = cut_ready && index_q == INDEX_LAST;

  // The window. Bits past fill_q grains may hold the beginning of the unit that stands beside, never anything else.
  reg [BUFFER*G-1:0] buffer_q;
  reg [FW-2:0] fill_q;

  wire full = fill_q >= WINDOW[FW-2:0];
  wire window_valid = full || end_q;
  wire window_step = !window_valid || m_ready;
  wire [CW-1:0] consume = m_consume[COUNT_WIDTH-1:GRAIN_LOG2];

  wire [UNIT-1:0] rotated;
  wire [(BUFFER+WINDOW)*G-1:0] joined;  // window and unit, before the shift
  genvar k;
  generate
    if (STEPS == 0) begin : g_no_rotation
      assign rotated = unit_valid ? unit : {UNIT{1'b0}};
    end else begin : g_rotation
      function [UNIT-1:0] rotate;  // right, by grains
        input [UNIT-1:0] word;
        input [STEPS-1:0] by;
        integer i;
        begin
          rotate = word;
          for (i = 0; i < STEPS; i = i + 1) if (by[i]) rotate = (rotate >> (G << i)) | (rotate << (UNIT - (G << i)));
        end
      endfunction

      assign rotated = unit_valid ? rotate(unit, fill_q[STEPS-1:0]) : {UNIT{1'b0}};
    end
    for (k = 0; k < BUFFER + WINDOW; k = k + 1) begin : g_join
      localparam FROM = UNIT - (k % UNIT_GRAINS) * G - 1;
      if (k < BUFFER) begin : g_either
        localparam [FW-2:0] HERE = k;
        assign joined[(BUFFER+WINDOW-k)*G-1-:G] = fill_q > HERE ? buffer_q[(BUFFER-k)*G-1-:G] : rotated[FROM-:G];
      end else begin : g_unit
        assign joined[(BUFFER+WINDOW-k)*G-1-:G] = rotated[FROM-:G];
      end
    end
  endgenerate

  // Shift by the consumption.
  function [(BUFFER+WINDOW)*G-1:0] shift;
    input [(BUFFER+WINDOW)*G-1:0] bits;
    input [CW-1:0] by;
    integer i;
    begin
      shift = bits;
      for (i = 0; i < CW; i = i + 1) if (by[i]) shift = shift << (G << i);
    end
  endfunction

  wire [(BUFFER+WINDOW)*G-1:0] shift_all = shift(joined, consume);
  wire [BUFFER*G-1:0] shifted = window_valid ? shift_all[WINDOW*G+:BUFFER*G] : joined[WINDOW*G+:BUFFER*G];
  wire unused_shift = |shift_all[WINDOW*G-1:0];

  // How many grains are held: what is left, and a unit when less than a window is left.
  wire [FW-1:0] left = {1'b0, fill_q} - (window_valid ? {{(FW - CW) {1'b0}}, consume} : {FW{1'b0}});
  wire overdrawn = left[FW-1];
  wire short_of = overdrawn || left[FW-2:0] < WINDOW[FW-2:0];

  assign unit_take = window_step && short_of;

  always @(posedge clk) begin
    if (window_step) begin
      buffer_q <= shifted;
      if (overdrawn) fill_q <= {(FW - 1) {1'b0}};
      else fill_q <= left[FW-2:0] + (short_of && unit_valid ? UNIT_GRAINS[FW-2:0] : {(FW - 1) {1'b0}});
    end
    if (rst) fill_q <= {(FW - 1) {1'b0}};
  end

  assign m_valid = window_valid;
  assign m_bits = buffer_q[BUFFER*G-1-:MAX_BITS];

  wire [CW-1:0] shown = full ? WINDOW[CW-1:0] : fill_q[CW-1:0];
  generate
    if (G == 1) begin : g_bits
      assign m_available = shown;
    end else begin : g_grains
      wire unused_consume = |m_consume[GRAIN_LOG2-1:0];
      assign m_available = {shown, {GRAIN_LOG2{1'b0}}};
    end
  endgenerate

endmodule

`resetall
