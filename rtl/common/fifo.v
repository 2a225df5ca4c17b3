// SPDX-License-Identifier: Apache-2.0
//
// fifo: first-word-fall-through FIFO in distributed RAM (asynchronous read), for small depths.
//
// Latency: 1 cycle from a push into the empty FIFO to m_valid. Throughput: one beat a cycle.
// s_ready, m_valid, level and peak are registered; m_data is the asynchronous read of the distributed RAM.
// `peak` is the largest level since rst: the high-water mark for sizing it.
// Assumes: nothing beyond the handshake. Does not: cross clocks, use block RAM, reset its contents.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module fifo #(
    parameter WIDTH = 8,  // bits of a beat, >= 1
    parameter DEPTH = 16  // beats, a power of two, 2..1024 (meant for 2..64)
) (
    input  wire                   clk,
    input  wire                   rst,      // synchronous, active high: drops what is held
    input  wire                   s_valid,
    output wire                   s_ready,  // 1 after rst
    input  wire [      WIDTH-1:0] s_data,
    output wire                   m_valid,
    input  wire                   m_ready,
    output wire [      WIDTH-1:0] m_data,
    output wire [$clog2(DEPTH):0] level,    // beats held, 0..DEPTH
    output wire [$clog2(DEPTH):0] peak      // largest level since rst, 0..DEPTH
);

  localparam ADDRESS_WIDTH = $clog2(DEPTH);
  localparam [ADDRESS_WIDTH:0] LEVEL_ONE = 1;
  localparam [ADDRESS_WIDTH:0] LEVEL_LAST = {1'b0, {ADDRESS_WIDTH{1'b1}}};
  localparam [ADDRESS_WIDTH-1:0] ADDRESS_ONE = 1;

  generate
    if (WIDTH < 1) begin : g_bad_width
      fifo_WIDTH_must_be_at_least_1 u_error ();
    end
    if (DEPTH < 2 || DEPTH > 1024 || (DEPTH & (DEPTH - 1)) != 0) begin : g_bad_depth
      fifo_DEPTH_must_be_a_power_of_two_from_2_to_1024 u_error ();
    end
  endgenerate

  reg [WIDTH-1:0] memory[0:DEPTH-1];
  reg [ADDRESS_WIDTH-1:0] write_address_q, read_address_q;
  reg [ADDRESS_WIDTH:0] level_q, peak_q;
  reg s_ready_q, m_valid_q;

  wire push = s_valid && s_ready_q;
  wire pop = m_valid_q && m_ready;

  wire more = push && !pop;
  wire less = pop && !push;

  always @(posedge clk) begin
    if (push) begin
      memory[write_address_q] <= s_data;
      write_address_q <= write_address_q + ADDRESS_ONE;
    end
    if (pop) read_address_q <= read_address_q + ADDRESS_ONE;
    if (more) level_q <= level_q + LEVEL_ONE;
    if (less) level_q <= level_q - LEVEL_ONE;
    // Without a choice of constants, which would become a set of the register: push and pop come late, and would come later still there.
    s_ready_q <= (s_ready_q && !(more && level_q == LEVEL_LAST)) || less;
    m_valid_q <= (m_valid_q && !(less && level_q == LEVEL_ONE)) || more;
    if (more && level_q == peak_q) peak_q <= peak_q + LEVEL_ONE;
    if (rst) begin
      write_address_q <= {ADDRESS_WIDTH{1'b0}};
      read_address_q <= {ADDRESS_WIDTH{1'b0}};
      level_q <= {(ADDRESS_WIDTH + 1) {1'b0}};
      peak_q <= {(ADDRESS_WIDTH + 1) {1'b0}};
      s_ready_q <= 1'b1;
      m_valid_q <= 1'b0;
    end
  end

  assign s_ready = s_ready_q;
  assign m_valid = m_valid_q;
  assign m_data  = memory[read_address_q];
  assign level   = level_q;
  assign peak    = peak_q;

endmodule

`resetall
