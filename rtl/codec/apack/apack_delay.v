// SPDX-License-Identifier: Apache-2.0
//
// apack_delay: a value delayed by STAGES enabled cycles; no reset, so that a synthesiser makes shift-register LUTs of it.
//
// Latency: STAGES cycles with enable = 1 (0 = a wire). Throughput: one value a cycle.
// Assumes: nothing. Does not: reset what it holds.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_delay #(
    parameter WIDTH  = 1,  // bits, >= 1
    parameter STAGES = 1   // enabled cycles, 0..32
) (
    input  wire             clk,
    input  wire             enable,
    input  wire [WIDTH-1:0] s_data,
    output wire [WIDTH-1:0] m_data
);

  generate
    if (STAGES == 0) begin : g_wire
      wire unused = &{1'b0, clk, enable};
      assign m_data = s_data;
    end else begin : g_line
      reg [WIDTH*STAGES-1:0] line_q;
      if (STAGES == 1) begin : g_one
        always @(posedge clk) if (enable) line_q <= s_data;
      end else begin : g_many
        always @(posedge clk) if (enable) line_q <= {line_q[WIDTH*(STAGES-1)-1:0], s_data};
      end
      assign m_data = line_q[WIDTH*STAGES-1-:WIDTH];
    end
  endgenerate

endmodule

`resetall
