// SPDX-License-Identifier: Apache-2.0
//
// selftest_stage: a register stage with one fault, to test the test bench itself.
//
// FAULT 0: none. 1: valid falls when the sink pauses. 2: the payload changes while it waits. 3: the last beat before a gap is lost.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module selftest_stage #(
    parameter FAULT = 0  // 0..3
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        s_valid,
    output wire        s_ready,
    input  wire [15:0] s_data,
    output wire        m_valid,
    input  wire        m_ready,
    output wire [15:0] m_data
);

  reg        valid_q;
  reg [15:0] data_q;

  assign s_ready = m_ready || !valid_q;
  assign m_valid = valid_q;
  assign m_data  = data_q;

  always @(posedge clk) begin
    if (s_ready) begin
      valid_q <= s_valid;
      data_q  <= s_data;
    end else begin
      if (FAULT == 1) valid_q <= 1'b0;
      if (FAULT == 2) data_q <= data_q + 16'd1;
    end
    if (FAULT == 3 && !s_valid) valid_q <= 1'b0;
    if (rst) valid_q <= 1'b0;
  end

endmodule

`resetall
