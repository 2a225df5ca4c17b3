// SPDX-License-Identifier: Apache-2.0
//
// write_master: writes runs of 64-bit words to memory over AXI (legal AXI3 and AXI4 at once: INCR bursts of at most 16
// beats that end at 128-byte boundaries, one ID).
//
// Commands wait in a queue of four; AW goes ahead of W by up to OUTSTANDING bursts; W beats of successive bursts and
// commands follow each other without a gap while s_data_valid. Every beat has all strobes, but the last of a command has
// s_cmd_last_strobe.
// Latency: s_cmd to AWVALID 4 cycles, s_data to W 1 cycle. Throughput: one AW and one beat a cycle.
// s_data_ready is registered but for one AND; it is 1 only for words of a burst whose AW is asserted or was taken.
// halt: no further AW is asserted (one already asserted stays until taken), queued commands and those that come are
// dropped, issued bursts still take their s_data and finish; then idle is 1.
// Assumes: s_cmd_address a multiple of 8, s_cmd_words >= 1, data follows its command without waiting for another one;
// rst only while idle (or together with the memory side).
// Does not: retry, tell which command a response belongs to.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module write_master #(
    parameter ADDRESS_WIDTH = 32,  // bits, 12..64
    parameter OUTSTANDING   = 8    // bursts on the way, 2..16
) (
    input  wire                     clk,
    input  wire                     rst,                // synchronous, active high
    // commands
    input  wire                     s_cmd_valid,
    output wire                     s_cmd_ready,
    input  wire [ADDRESS_WIDTH-1:0] s_cmd_address,      // bytes, a multiple of 8
    input  wire [             15:0] s_cmd_words,        // 1..65535
    input  wire [              7:0] s_cmd_last_strobe,  // bytes of the last word
    input  wire [              1:0] s_cmd_mark,         // comes back on `mark` when the memory has answered the last burst
    // data
    input  wire                     s_data_valid,
    output wire                     s_data_ready,
    input  wire [             63:0] s_data,
    // control and state
    input  wire                     halt,
    output wire                     idle,               // no command held, no burst unfinished
    output wire                     error,              // pulse: a burst was answered with other than OKAY
    output wire [              1:0] error_response,     // the response, valid with error
    output wire [              1:0] mark,               // pulse: of each command that has ended; with its last error
    output wire                     beat,               // pulse for each beat that the memory took
    output wire [              7:0] outstanding,        // bursts from AWVALID to B, 0..OUTSTANDING
    // AXI
    output wire [              0:0] m_axi_awid,
    output wire [ADDRESS_WIDTH-1:0] m_axi_awaddr,
    output wire [              7:0] m_axi_awlen,
    output wire [              2:0] m_axi_awsize,
    output wire [              1:0] m_axi_awburst,
    output wire                     m_axi_awlock,
    output wire [              3:0] m_axi_awcache,
    output wire [              2:0] m_axi_awprot,
    output wire                     m_axi_awvalid,
    input  wire                     m_axi_awready,
    output wire [             63:0] m_axi_wdata,
    output wire [              7:0] m_axi_wstrb,
    output wire                     m_axi_wlast,
    output wire                     m_axi_wvalid,
    input  wire                     m_axi_wready,
    input  wire [              0:0] m_axi_bid,
    input  wire [              1:0] m_axi_bresp,
    input  wire                     m_axi_bvalid,
    output wire                     m_axi_bready
);

  localparam BURSTS = 1 << $clog2(OUTSTANDING);

  generate
    if (OUTSTANDING < 2 || OUTSTANDING > 16) begin : g_bad_outstanding
      write_master_OUTSTANDING_must_be_2_to_16 u_error ();
    end
  endgenerate

  wire issue, burst_last, issuer_active;
  wire [3:0] burst_length, awlen;
  wire [7:0] burst_strobe;
  wire [1:0] burst_mark;
  wire finish = m_axi_bvalid;

  burst_issuer #(
      .ADDRESS_WIDTH(ADDRESS_WIDTH),
      .TAG_WIDTH(10),
      .OUTSTANDING(OUTSTANDING)
  ) u_issuer (
      .clk(clk),
      .rst(rst),
      .halt(halt),
      .s_cmd_valid(s_cmd_valid),
      .s_cmd_ready(s_cmd_ready),
      .s_cmd_address(s_cmd_address),
      .s_cmd_words(s_cmd_words),
      .s_cmd_tag({s_cmd_last_strobe, s_cmd_mark}),
      .issue(issue),
      .issue_length(burst_length),
      .issue_tag({burst_strobe, burst_mark}),
      .issue_last(burst_last),
      .finish(finish),
      .a_valid(m_axi_awvalid),
      .a_ready(m_axi_awready),
      .a_address(m_axi_awaddr),
      .a_length(awlen),
      .active(issuer_active),
      .outstanding(outstanding)
  );

  // Bursts whose beats are still to come.
  wire info_valid;
  wire [3:0] info_length;
  wire [7:0] info_strobe;
  wire unused_info_ready;
  wire [$clog2(BURSTS):0] unused_info_level, unused_info_peak;

  // The burst whose beats are being taken.
  reg active_q, last_q;
  reg [3:0] left_q;  // beats after this one
  reg [7:0] strobe_q;  // of the last beat

  wire w_ready;
  wire w_take = s_data_valid && s_data_ready;
  wire load = !active_q || (w_take && last_q);

  fifo #(
      .WIDTH(12),
      .DEPTH(BURSTS)
  ) u_bursts (
      .clk(clk),
      .rst(rst),
      .s_valid(issue),
      .s_ready(unused_info_ready),
      .s_data({burst_length, burst_last ? burst_strobe : 8'hFF}),
      .m_valid(info_valid),
      .m_ready(load),
      .m_data({info_length, info_strobe}),
      .level(unused_info_level),
      .peak(unused_info_peak)
  );

  // Marks of the bursts that are not answered yet.
  wire [1:0] answer_mark;
  wire unused_answer_ready, unused_answer_valid;
  wire [$clog2(BURSTS):0] unused_answer_level, unused_answer_peak;

  fifo #(
      .WIDTH(2),
      .DEPTH(BURSTS)
  ) u_answers (
      .clk(clk),
      .rst(rst),
      .s_valid(issue),
      .s_ready(unused_answer_ready),
      .s_data(burst_last ? burst_mark : 2'b00),
      .m_valid(unused_answer_valid),
      .m_ready(finish),
      .m_data(answer_mark),
      .level(unused_answer_level),
      .peak(unused_answer_peak)
  );

  // Data.
  assign s_data_ready = active_q && w_ready;

  always @(posedge clk) begin
    if (load) begin
      active_q <= info_valid;
      left_q   <= info_length;
      last_q   <= info_length == 4'd0;
      strobe_q <= info_strobe;
    end else if (w_take) begin
      left_q <= left_q - 4'd1;
      last_q <= left_q == 4'd1;
    end
    if (rst) active_q <= 1'b0;
  end

  skid_buffer #(
      .WIDTH(73)
  ) u_w (
      .clk(clk),
      .rst(rst),
      .s_valid(s_data_valid && active_q),
      .s_ready(w_ready),
      .s_data({last_q, last_q ? strobe_q : 8'hFF, s_data}),
      .m_valid(m_axi_wvalid),
      .m_ready(m_axi_wready),
      .m_data({m_axi_wlast, m_axi_wstrb, m_axi_wdata})
  );

  // Responses and state.
  reg error_q, w_beat_q;
  reg [1:0] response_q, mark_q;

  always @(posedge clk) begin
    error_q <= m_axi_bvalid && m_axi_bresp != 2'b00;
    response_q <= m_axi_bresp;
    mark_q <= m_axi_bvalid ? answer_mark : 2'b00;
    w_beat_q <= m_axi_wvalid && m_axi_wready;
    if (rst) begin
      error_q  <= 1'b0;
      mark_q   <= 2'b00;
      w_beat_q <= 1'b0;
    end
  end

  wire unused_bid = m_axi_bid[0];

  assign error = error_q;
  assign error_response = response_q;
  assign mark = mark_q;
  assign beat = w_beat_q;
  assign idle = !(issuer_active || error_q);

  assign m_axi_awid = 1'b0;
  assign m_axi_awlen = {4'd0, awlen};
  assign m_axi_awsize = 3'd3;
  assign m_axi_awburst = 2'b01;
  assign m_axi_awlock = 1'b0;
  assign m_axi_awcache = 4'b0011;
  assign m_axi_awprot = 3'b000;
  assign m_axi_bready = 1'b1;

endmodule

`resetall
