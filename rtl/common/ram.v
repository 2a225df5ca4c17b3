// SPDX-License-Identifier: Apache-2.0
//
// ram: simple dual port memory (one write port, one read port, one clock), written so that block RAM is inferred.
// DEPTH 512 x WIDTH 64 is one RAMB36E1, with or without write strobes.
//
// Latency: 1 + OUTPUT_REGISTER cycles. Throughput: one write and one read a cycle.
// read_enable gates the read of the array: a word once read stays until the next read. With OUTPUT_REGISTER = 1 the
// output register follows the array one cycle later, by itself: read_data is the word of the last enabled read, two
// cycles after its read_enable.
// Read and write of the same address in the same cycle: the read gives the old or the new word, undefined which: the
// user must not depend on it.
// Does not: reset or initialise its contents.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ram #(
    parameter WIDTH           = 64,   // bits of a word, a multiple of STROBE_WIDTH
    parameter DEPTH           = 512,  // words, >= 2
    parameter STROBE_WIDTH    = 64,   // bits that one write strobe covers, 1..WIDTH
    parameter OUTPUT_REGISTER = 1     // 0 or 1: register behind the array
) (
    input  wire                          clk,
    input  wire [WIDTH/STROBE_WIDTH-1:0] write_enable,   // bit i covers bits i*STROBE_WIDTH and up
    input  wire [     $clog2(DEPTH)-1:0] write_address,
    input  wire [             WIDTH-1:0] write_data,
    input  wire                          read_enable,
    input  wire [     $clog2(DEPTH)-1:0] read_address,
    output wire [             WIDTH-1:0] read_data
);

  localparam STROBES = WIDTH / STROBE_WIDTH;

  generate
    if (STROBE_WIDTH < 1 || WIDTH < STROBE_WIDTH || WIDTH % STROBE_WIDTH != 0) begin : g_bad_strobe
      ram_WIDTH_must_be_a_multiple_of_STROBE_WIDTH u_error ();
    end
    if (DEPTH < 2) begin : g_bad_depth
      ram_DEPTH_must_be_at_least_2 u_error ();
    end
    if (OUTPUT_REGISTER != 0 && OUTPUT_REGISTER != 1) begin : g_bad_register
      ram_OUTPUT_REGISTER_must_be_0_or_1 u_error ();
    end
  endgenerate

  reg [WIDTH-1:0] memory[0:DEPTH-1];
  reg [WIDTH-1:0] array_q;

  integer i;

  always @(posedge clk) begin
    for (i = 0; i < STROBES; i = i + 1) begin
      if (write_enable[i]) memory[write_address][i*STROBE_WIDTH+:STROBE_WIDTH] <= write_data[i*STROBE_WIDTH+:STROBE_WIDTH];
    end
  end

  always @(posedge clk) begin
    if (read_enable) array_q <= memory[read_address];
  end

  generate
    if (OUTPUT_REGISTER != 0) begin : g_register
      reg [WIDTH-1:0] output_q;
      always @(posedge clk) output_q <= array_q;
      assign read_data = output_q;
    end else begin : g_direct
      assign read_data = array_q;
    end
  endgenerate

endmodule

`resetall
