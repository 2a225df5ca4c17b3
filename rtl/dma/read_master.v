// SPDX-License-Identifier: Apache-2.0
//
// read_master: reads runs of 64-bit words from memory over AXI (legal AXI3 and AXI4 at once: INCR bursts of at most 16
// beats that end at 128-byte boundaries, one ID).
//
// Commands wait in a queue of four; bursts of successive commands follow each other without a gap, up to OUTSTANDING of
// them on the way. Data comes out in order, with the tag of its command. There is no ready on the data: issue a command
// only when there is a place for all of its words (m_axi_rready is always 1).
// Latency: s_cmd to ARVALID 4 cycles, R to m_data 1 cycle. Throughput: one AR and one beat a cycle.
// halt: no further AR is asserted (one already asserted stays until taken), queued commands and those that come are
// dropped, issued bursts finish and deliver their data; then idle is 1. A halted command does not get its m_data_last.
// Assumes: s_cmd_address a multiple of 8, s_cmd_words >= 1; rst only while idle (or together with the memory side).
// Does not: retry, check the number of beats of a burst (RLAST is believed), reorder.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module read_master #(
    parameter ADDRESS_WIDTH = 32,  // bits, 12..64
    parameter TAG_WIDTH     = 1,   // bits of a tag, >= 1
    parameter OUTSTANDING   = 8    // bursts on the way, 2..16
) (
    input  wire                     clk,
    input  wire                     rst,                // synchronous, active high
    // commands
    input  wire                     s_cmd_valid,
    output wire                     s_cmd_ready,
    input  wire [ADDRESS_WIDTH-1:0] s_cmd_address,      // bytes, a multiple of 8
    input  wire [             15:0] s_cmd_words,        // 1..65535
    input  wire [    TAG_WIDTH-1:0] s_cmd_tag,
    // data
    output wire                     m_data_valid,
    output wire [             63:0] m_data,
    output wire [    TAG_WIDTH-1:0] m_data_tag,
    output wire                     m_data_last,        // last word of its command
    // control and state
    input  wire                     halt,
    output wire                     idle,               // no command held, no burst unfinished, no data on its way
    output wire                     error,              // pulse: a beat came with a response other than OKAY
    output wire [              1:0] error_response,     // the response, valid with error
    output wire                     beats_valid,        // pulse for each beat
    output wire [              7:0] outstanding,        // bursts from ARVALID to RLAST, 0..OUTSTANDING
    // AXI
    output wire [              0:0] m_axi_arid,
    output wire [ADDRESS_WIDTH-1:0] m_axi_araddr,
    output wire [              7:0] m_axi_arlen,
    output wire [              2:0] m_axi_arsize,
    output wire [              1:0] m_axi_arburst,
    output wire                     m_axi_arlock,
    output wire [              3:0] m_axi_arcache,
    output wire [              2:0] m_axi_arprot,
    output wire                     m_axi_arvalid,
    input  wire                     m_axi_arready,
    input  wire [              0:0] m_axi_rid,
    input  wire [             63:0] m_axi_rdata,
    input  wire [              1:0] m_axi_rresp,
    input  wire                     m_axi_rlast,
    input  wire                     m_axi_rvalid,
    output wire                     m_axi_rready
);

  localparam BURSTS = 1 << $clog2(OUTSTANDING);

  generate
    if (OUTSTANDING < 2 || OUTSTANDING > 16) begin : g_bad_outstanding
      read_master_OUTSTANDING_must_be_2_to_16 u_error ();
    end
  endgenerate

  wire issue, burst_last, issuer_active;
  wire [3:0] unused_length, arlen;
  wire [TAG_WIDTH-1:0] burst_tag;
  wire finish = m_axi_rvalid && m_axi_rlast;

  burst_issuer #(
      .ADDRESS_WIDTH(ADDRESS_WIDTH),
      .TAG_WIDTH(TAG_WIDTH),
      .OUTSTANDING(OUTSTANDING)
  ) u_issuer (
      .clk(clk),
      .rst(rst),
      .halt(halt),
      .s_cmd_valid(s_cmd_valid),
      .s_cmd_ready(s_cmd_ready),
      .s_cmd_address(s_cmd_address),
      .s_cmd_words(s_cmd_words),
      .s_cmd_tag(s_cmd_tag),
      .issue(issue),
      .issue_length(unused_length),
      .issue_tag(burst_tag),
      .issue_last(burst_last),
      .finish(finish),
      .a_valid(m_axi_arvalid),
      .a_ready(m_axi_arready),
      .a_address(m_axi_araddr),
      .a_length(arlen),
      .active(issuer_active),
      .outstanding(outstanding)
  );

  // What the bursts on the way are.
  wire info_last;
  wire [TAG_WIDTH-1:0] info_tag;
  wire unused_info_ready, unused_info_valid;
  wire [$clog2(BURSTS):0] unused_info_level, unused_info_peak;

  fifo #(
      .WIDTH(TAG_WIDTH + 1),
      .DEPTH(BURSTS)
  ) u_bursts (
      .clk(clk),
      .rst(rst),
      .s_valid(issue),
      .s_ready(unused_info_ready),
      .s_data({burst_tag, burst_last}),
      .m_valid(unused_info_valid),
      .m_ready(finish),
      .m_data({info_tag, info_last}),
      .level(unused_info_level),
      .peak(unused_info_peak)
  );

  // Data.
  reg data_valid_q, data_last_q, error_q;
  reg [63:0] data_q;
  reg [TAG_WIDTH-1:0] data_tag_q;
  reg [1:0] response_q;

  always @(posedge clk) begin
    data_valid_q <= m_axi_rvalid;
    error_q <= m_axi_rvalid && m_axi_rresp != 2'b00;
    data_q <= m_axi_rdata;
    data_tag_q <= info_tag;
    data_last_q <= m_axi_rlast && info_last;
    response_q <= m_axi_rresp;
    if (rst) begin
      data_valid_q <= 1'b0;
      error_q <= 1'b0;
    end
  end

  wire unused_rid = m_axi_rid[0];

  assign m_data_valid = data_valid_q;
  assign m_data = data_q;
  assign m_data_tag = data_tag_q;
  assign m_data_last = data_last_q;
  assign beats_valid = data_valid_q;
  assign error = error_q;
  assign error_response = response_q;
  assign idle = !(issuer_active || data_valid_q);

  assign m_axi_arid = 1'b0;
  assign m_axi_arlen = {4'd0, arlen};
  assign m_axi_arsize = 3'd3;
  assign m_axi_arburst = 2'b01;
  assign m_axi_arlock = 1'b0;
  assign m_axi_arcache = 4'b0011;
  assign m_axi_arprot = 3'b000;
  assign m_axi_rready = 1'b1;

endmodule

`resetall
