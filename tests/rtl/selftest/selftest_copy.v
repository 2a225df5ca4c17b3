// SPDX-License-Identifier: Apache-2.0
//
// selftest_copy: copies BURSTS bursts from address 0 to address 65536, one after the other; with one fault, to test the memory model and the AXI checker.
//
// fault 0: none. 1: 17 beats. 2: crosses 4 KiB. 3: size 2. 4: araddr changes while it waits. 5: awvalid falls while it waits. 6: wlast a beat early.
// 7: writes outside of the destination. 8: waits for arready before it asserts arvalid. 9: burst type FIXED.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module selftest_copy #(
    parameter BURSTS = 40  // 1..512
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [ 3:0] fault,          // 0..9, constant
    output wire        finished,
    output wire [ 7:0] errors,
    output wire [31:0] m_axi_araddr,
    output wire [ 7:0] m_axi_arlen,
    output wire [ 2:0] m_axi_arsize,
    output wire [ 1:0] m_axi_arburst,
    output wire        m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [63:0] m_axi_rdata,
    input  wire [ 1:0] m_axi_rresp,
    input  wire        m_axi_rlast,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready,
    output wire [31:0] m_axi_awaddr,
    output wire [ 7:0] m_axi_awlen,
    output wire [ 2:0] m_axi_awsize,
    output wire [ 1:0] m_axi_awburst,
    output wire        m_axi_awvalid,
    input  wire        m_axi_awready,
    output wire [63:0] m_axi_wdata,
    output wire [ 7:0] m_axi_wstrb,
    output wire        m_axi_wlast,
    output wire        m_axi_wvalid,
    input  wire        m_axi_wready,
    input  wire [ 1:0] m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready
);

  localparam [2:0] READ_ADDRESS = 0, READ_DATA = 1, WRITE = 2, RESPONSE = 3, FINISHED = 4;
  localparam [31:0] LAST_BURST = BURSTS - 1;

  reg [2:0] state_q;
  reg [31:0] offset_q;
  reg [9:0] burst_q;
  reg [4:0] beat_q;
  reg [7:0] errors_q;
  reg address_done_q, waited_q;
  reg  [63:0] words[0:31];

  wire [ 4:0] length = (fault == 4'd1) ? 5'd16 : 5'd15;
  wire        stalled = (fault == 4'd4 || fault == 4'd5) && waited_q;

  assign finished      = state_q == FINISHED;
  assign errors        = errors_q;
  assign m_axi_araddr  = offset_q + ((fault == 4'd2) ? 32'd64 : 32'd0) + ((fault == 4'd4 && waited_q) ? 32'd8 : 32'd0);
  assign m_axi_arlen   = {3'd0, length};
  assign m_axi_arsize  = (fault == 4'd3) ? 3'd2 : 3'd3;
  assign m_axi_arburst = (fault == 4'd9) ? 2'd0 : 2'd1;
  assign m_axi_arvalid = state_q == READ_ADDRESS && (fault != 4'd8 || m_axi_arready);
  assign m_axi_rready  = state_q == READ_DATA;
  assign m_axi_awaddr  = 32'd65536 + offset_q + ((fault == 4'd7) ? 32'd65536 : 32'd0);
  assign m_axi_awlen   = {3'd0, length};
  assign m_axi_awsize  = 3'd3;
  assign m_axi_awburst = 2'd1;
  assign m_axi_awvalid = state_q == WRITE && !address_done_q && !(fault == 4'd5 && stalled);
  assign m_axi_wdata   = words[beat_q];
  assign m_axi_wstrb   = 8'hFF;
  assign m_axi_wlast   = beat_q == length - ((fault == 4'd6) ? 5'd1 : 5'd0);
  assign m_axi_wvalid  = state_q == WRITE && beat_q <= length;
  assign m_axi_bready  = state_q == RESPONSE;

  always @(posedge clk) begin
    waited_q <= (m_axi_arvalid && !m_axi_arready) || (m_axi_awvalid && !m_axi_awready);
    if (m_axi_rvalid && m_axi_rready && m_axi_rresp != 2'd0) errors_q <= errors_q + 8'd1;
    if (m_axi_bvalid && m_axi_bready && m_axi_bresp != 2'd0) errors_q <= errors_q + 8'd1;
    case (state_q)
      READ_ADDRESS: begin
        beat_q <= 5'd0;
        if (m_axi_arvalid && m_axi_arready) state_q <= READ_DATA;
      end
      READ_DATA: if (m_axi_rvalid) begin
        words[beat_q] <= m_axi_rdata;
        beat_q <= m_axi_rlast ? 5'd0 : beat_q + 5'd1;
        address_done_q <= 1'b0;
        if (m_axi_rlast) state_q <= WRITE;
      end
      WRITE: begin
        if (m_axi_awvalid && m_axi_awready) address_done_q <= 1'b1;
        if (m_axi_wvalid && m_axi_wready) beat_q <= beat_q + 5'd1;
        if (address_done_q && beat_q > length) state_q <= RESPONSE;
      end
      RESPONSE: if (m_axi_bvalid) begin
        offset_q <= offset_q + 32'd128;
        burst_q <= burst_q + 10'd1;
        state_q <= (burst_q == LAST_BURST[9:0]) ? FINISHED : READ_ADDRESS;
      end
      default: ;
    endcase
    if (rst) begin
      state_q <= READ_ADDRESS;
      offset_q <= 32'd0;
      burst_q <= 10'd0;
      errors_q <= 8'd0;
      waited_q <= 1'b0;
    end
  end

endmodule

`resetall
