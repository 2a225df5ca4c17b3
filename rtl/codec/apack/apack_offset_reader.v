// SPDX-License-Identifier: Apache-2.0
//
// apack_offset_reader: offsets of 0..W bits out of stream B, their lengths known beforehand (FORMAT.md section 3.1).
//
// Unlike the bit_unpacker of rtl/common, whose user chooses the consumption after a look at the bits, the length of an offset is
// in its row: so only a small pointer is in the feedback, the bits come out a cycle later, and the path is short (the
// bit_unpacker with MAX_BITS = 8 alone is estimated at 118 MHz in this place).
// Two units of W bits are held, and a pointer into the first. Past the end of the stream the bits are zero, and `missing` tells.
// Latency: 4 cycles from s_valid to ready; 1 cycle from take to m_bits and missing. Throughput: one offset a cycle.
// s_ready is registered; a word stays at the input for 64/W cycles.
// Assumes: s_data stable while s_valid && !s_ready; take only with ready; length <= W. Only rst makes it ready for a new stream.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_offset_reader #(
    parameter W = 8  // bits of a value: 4, 8 or 16
) (
    input  wire                   clk,
    input  wire                   rst,      // drops all bits
    input  wire                   s_valid,
    output wire                   s_ready,
    input  wire [           63:0] s_data,   // first bit of the stream at 63
    input  wire                   s_end,    // level: every word has been handed over
    output wire                   ready,    // an offset can be taken
    input  wire                   take,
    input  wire [$clog2(W+1)-1:0] length,   // with take: bits, 0..W
    output wire [          W-1:0] m_bits,   // a cycle after take: the offset's bits, first at W-1, others behind them
    output wire                   missing   // a cycle after take: bits were needed that B does not hold
);

  localparam CW = $clog2(W + 1);
  localparam PW = CW - 1;
  localparam UNITS = 64 / W;
  localparam INDEX_WIDTH = $clog2(UNITS);
  localparam [INDEX_WIDTH-1:0] INDEX_ONE = 1;
  localparam [INDEX_WIDTH-1:0] INDEX_LAST = {INDEX_WIDTH{1'b1}};

  // Units of the word at the input.
  reg [INDEX_WIDTH-1:0] index_q;
  reg index_end_q;  // index_q is the last: a register, as the ready goes far
  wire cut_ready, unit_valid, unit_take;
  wire [INDEX_WIDTH-1:0] place = ~index_q;  // the first unit stands on top
  wire [W-1:0] cut = s_data[place*W+:W];
  wire [W-1:0] unit;  // zero while none is here

  skid_buffer #(
      .WIDTH(W)
  ) u_units (
      .clk(clk),
      .rst(rst),
      .s_valid(s_valid),
      .s_ready(cut_ready),
      .s_data(s_valid ? cut : {W{1'b0}}),
      .m_valid(unit_valid),
      .m_ready(unit_take),
      .m_data(unit)
  );
  assign s_ready = cut_ready && index_end_q;

  // The pair of units and the pointer.
  reg first_valid_q, second_valid_q, end_q;
  reg [W-1:0] first_q, second_q;
  reg [PW-1:0] pointer_q;

  // Pointer + length, written bit by bit: for these few bits a carry chain is slower than LUTs.
  function [CW-1:0] add;
    input [CW-1:0] a;
    input [CW-1:0] b;
    reg carry;
    integer i;
    begin
      carry = 1'b0;
      for (i = 0; i < CW; i = i + 1) begin
        add[i] = a[i] ^ b[i] ^ carry;
        carry  = (a[i] && b[i]) || (carry && (a[i] || b[i]));
      end
    end
  endfunction

  wire [CW-1:0] sum = add({1'b0, pointer_q}, length);
  wire first_take = !first_valid_q || (take && sum[PW]);
  assign unit_take = first_take || !second_valid_q;
  assign ready = end_q || (first_valid_q && second_valid_q);

  wire [2*W-1:0] pair = {first_q, second_q} << pointer_q;

  reg [W-1:0] bits_q;
  reg missing_q;
  always @(posedge clk) begin
    if (s_valid && cut_ready) begin
      index_q <= index_q + INDEX_ONE;
      index_end_q <= index_q == INDEX_LAST - INDEX_ONE;
    end
    end_q <= s_end && !s_valid && !unit_valid;
    if (first_take) begin
      first_q <= second_q;
      first_valid_q <= second_valid_q;
    end
    if (unit_take) begin
      second_q <= unit;
      second_valid_q <= unit_valid;
    end
    if (take) begin
      pointer_q <= sum[PW-1:0];
      bits_q <= pair[2*W-1:W];
    end
    missing_q <= take && (first_valid_q ? !second_valid_q && sum[PW] && |sum[PW-1:0] : |length);
    if (rst) begin
      index_q <= {INDEX_WIDTH{1'b0}};
      index_end_q <= 1'b0;
      end_q <= 1'b0;
      first_valid_q <= 1'b0;
      second_valid_q <= 1'b0;
      pointer_q <= {PW{1'b0}};
      missing_q <= 1'b0;
    end
  end

  assign m_bits  = bits_q;
  assign missing = missing_q;

  wire unused = &{1'b0, pair[W-1:0]};

endmodule

`resetall
