// SPDX-License-Identifier: Apache-2.0
//
// skid_buffer: a valid/ready stage that is registered in both directions.
//
// Two places: the output register, and a second one that takes the beat that arrives in the cycle in which the
// consumer stalls. No combinational path leads from one side to the other.
// While m_valid is 0, m_data is the s_data of the cycle before.
// Latency: 1 cycle. Throughput: one beat a cycle.
// Assumes: s_data is stable while s_valid && !s_ready. Does not: count, reorder or reset data.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module skid_buffer #(
    parameter WIDTH = 8  // bits of a beat, >= 1
) (
    input  wire             clk,
    input  wire             rst,      // synchronous, active high: drops what is held
    input  wire             s_valid,
    output wire             s_ready,  // registered; 1 after rst
    input  wire [WIDTH-1:0] s_data,
    output wire             m_valid,  // registered
    input  wire             m_ready,
    output wire [WIDTH-1:0] m_data    // registered
);

  generate
    if (WIDTH < 1) begin : g_bad_width
      skid_buffer_WIDTH_must_be_at_least_1 u_error ();
    end
  endgenerate

  reg s_ready_q, m_valid_q;
  reg [WIDTH-1:0] m_data_q, skid_data_q;

  wire advance = m_ready || !m_valid_q;  // the output register takes something new, or empties

  always @(posedge clk) begin
    // Without a choice of constants, which would become a set of the register: m_ready comes late, and would come later still there.
    m_valid_q <= !advance || s_valid || !s_ready_q;
    s_ready_q <= advance || (s_ready_q && !s_valid);
    if (rst) begin
      m_valid_q <= 1'b0;
      s_ready_q <= 1'b1;
    end
  end

  always @(posedge clk) begin
    if (advance) m_data_q <= s_ready_q ? s_data : skid_data_q;
    if (s_ready_q) skid_data_q <= s_data;
  end

  assign s_ready = s_ready_q;
  assign m_valid = m_valid_q;
  assign m_data  = m_data_q;

endmodule

`resetall
