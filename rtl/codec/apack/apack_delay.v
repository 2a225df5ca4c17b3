// SPDX-License-Identifier: Apache-2.0
//
// apack_delay: a value delayed by STAGES enabled cycles.
//
// A synthesiser makes shift-register LUTs of all stages but the last. The output of such a LUT is slow, so the last stage has a
// reset, which keeps it a flip-flop.
// Latency: STAGES cycles with enable = 1 (0 = a wire). Throughput: one value a cycle.
// Assumes: nothing. Does not: clear the stages before the last.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_delay #(
    parameter WIDTH  = 1,  // bits, >= 1
    parameter STAGES = 1   // enabled cycles, 0..32
) (
    input  wire             clk,
    input  wire             clear,   // clears the last stage only
    input  wire             enable,
    input  wire [WIDTH-1:0] s_data,
    output wire [WIDTH-1:0] m_data
);

  generate
    if (STAGES == 0) begin : g_wire
      wire unused = &{1'b0, clk, clear, enable};
      assign m_data = s_data;
    end else begin : g_line
      reg [WIDTH-1:0] last_q;
      if (STAGES == 1) begin : g_one
        always @(posedge clk) begin
          if (enable) last_q <= s_data;
          if (clear) last_q <= {WIDTH{1'b0}};
        end
      end else begin : g_many
        reg [WIDTH*(STAGES-1)-1:0] line_q;
        if (STAGES == 2) begin : g_two
          always @(posedge clk) if (enable) line_q <= s_data;
        end else begin : g_more
          always @(posedge clk) if (enable) line_q <= {line_q[WIDTH*(STAGES-2)-1:0], s_data};
        end
        always @(posedge clk) begin
          if (enable) last_q <= line_q[WIDTH*(STAGES-1)-1-:WIDTH];
          if (clear) last_q <= {WIDTH{1'b0}};
        end
      end
      assign m_data = last_q;
    end
  endgenerate

endmodule

`resetall
