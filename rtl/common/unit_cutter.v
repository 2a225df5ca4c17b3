// SPDX-License-Identifier: Apache-2.0
//
// unit_cutter: cuts a stream of 64-bit words into units, the first bits first; a skid buffer of units follows, the words are not stored.
//
// While no unit is here m_data is zero, but for the cycle after rst. Latency: 1 cycle. Throughput: a unit a cycle. s_ready and m_* are
// registers, or little logic behind them; s_ready may wait for s_valid: a word stays at the input for 64/UNIT cycles. m_ready may come
// late in a cycle: the registers that depend on it have it in front of their data input, not in front of set, reset or enable of the
// state bits.
// Assumes: s_data stable while s_valid && !s_ready, s_end not before the last word was taken. After s_end only rst makes it ready
// for another stream.
// Does not: mark the last unit; m_end comes a cycle after it or later.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module unit_cutter #(
    parameter UNIT = 16  // bits: a power of two, 1..32
) (
    input  wire            clk,
    input  wire            rst,      // synchronous, active high: drops all units
    input  wire            s_valid,
    output wire            s_ready,
    input  wire [    63:0] s_data,   // first bit at bit 63
    input  wire            s_end,    // level: every word has been handed over
    output wire            m_valid,
    input  wire            m_ready,
    output wire [UNIT-1:0] m_data,
    output wire            m_end,    // level: nothing will come any more
    output wire            m_known   // m_valid || m_end, as a register
);

  localparam UNITS = 64 / UNIT;
  localparam INDEX_WIDTH = $clog2(UNITS);
  localparam UNIT_LOG2 = $clog2(UNIT);
  localparam [INDEX_WIDTH-1:0] INDEX_LAST = {INDEX_WIDTH{1'b1}};

  generate
    if (UNIT < 1 || UNIT > 32 || (UNIT & (UNIT - 1)) != 0) begin : g_bad_unit
      unit_cutter_UNIT_must_be_a_power_of_two_in_1_to_32 u_error ();
    end
  endgenerate

  reg [INDEX_WIDTH-1:0] index_q;
  wire [INDEX_WIDTH-1:0] index_next;  // bit by bit, a carry chain would be slower
  genvar k;
  generate
    for (k = 0; k < INDEX_WIDTH; k = k + 1) begin : g_next
      if (k == 0) begin : g_first
        assign index_next[0] = !index_q[0];
      end else begin : g_other
        assign index_next[k] = index_q[k] ^ &index_q[k-1:0];
      end
    end
  endgenerate
  wire [5:0] place = {{(6 - INDEX_WIDTH) {1'b0}}, ~index_q} << UNIT_LOG2;  // of the last bit
  wire [UNIT-1:0] part = s_data[place+:UNIT];
  wire [UNIT-1:0] cut = s_valid ? part : {UNIT{1'b0}};

  reg valid_q, spare_valid_q, end_q, known_q;
  reg [UNIT-1:0] unit_q, spare_q;

  wire end_d = s_end && !s_valid && !valid_q;
  wire advance = m_ready || !valid_q;  // unit_q takes something new, or empties

  always @(posedge clk) begin
    valid_q <= !advance || spare_valid_q || s_valid;
    spare_valid_q <= !advance && (spare_valid_q || s_valid);
    if (s_valid && !spare_valid_q) index_q <= index_next;
    end_q <= end_d;
    known_q <= !advance || spare_valid_q || s_valid || end_d;
    if (rst) begin
      valid_q <= 1'b0;
      spare_valid_q <= 1'b0;
      index_q <= {INDEX_WIDTH{1'b0}};
      end_q <= 1'b0;
      known_q <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (advance) unit_q <= spare_valid_q ? spare_q : cut;
    if (!spare_valid_q) spare_q <= cut;
  end

  assign s_ready = !spare_valid_q && index_q == INDEX_LAST;
  assign m_valid = valid_q;
  assign m_data  = unit_q;
  assign m_end   = end_q;
  assign m_known = known_q;

endmodule

`resetall
