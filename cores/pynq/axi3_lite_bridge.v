// SPDX-License-Identifier: Apache-2.0
//
// axi3_lite_bridge: a CPU's AXI3 port onto pages of 4 KiB, each an AXI4-Lite slave.
//
// Does: single reads and writes of 32-bit words, one of each at a time and side by side; returns every ID as it came.
// Answers: what the slave answers; SLVERR for an address in no page and for bursts, which reach no slave.
// Latency, assumptions and what is ignored: see axi3_lite_write and axi3_lite_read.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi3_lite_bridge #(
    parameter                   ID_WIDTH = 12,  // bits of an ID, 1..16
    parameter                   SLAVES   = 2,   // pages of 4 KiB, 1..8
    // first byte of each page, a multiple of 4096; slave 0 in the low bits
    parameter [32*SLAVES-1:0]   PAGES    = {32'h4001_0000, 32'h4000_0000}
) (
    input  wire                 clk,
    input  wire                 rst,
    // AXI3
    input  wire [ID_WIDTH-1:0]  s_axi_awid,
    input  wire [31:0]          s_axi_awaddr,
    input  wire [3:0]           s_axi_awlen,
    input  wire                 s_axi_awvalid,
    output wire                 s_axi_awready,
    input  wire [31:0]          s_axi_wdata,
    input  wire [3:0]           s_axi_wstrb,
    input  wire                 s_axi_wlast,
    input  wire                 s_axi_wvalid,
    output wire                 s_axi_wready,
    output wire [ID_WIDTH-1:0]  s_axi_bid,
    output wire [1:0]           s_axi_bresp,
    output wire                 s_axi_bvalid,
    input  wire                 s_axi_bready,
    input  wire [ID_WIDTH-1:0]  s_axi_arid,
    input  wire [31:0]          s_axi_araddr,
    input  wire [3:0]           s_axi_arlen,
    input  wire                 s_axi_arvalid,
    output wire                 s_axi_arready,
    output wire [ID_WIDTH-1:0]  s_axi_rid,
    output wire [31:0]          s_axi_rdata,
    output wire [1:0]           s_axi_rresp,
    output wire                 s_axi_rlast,
    output wire                 s_axi_rvalid,
    input  wire                 s_axi_rready,
    // AXI4-Lite: addresses and write data are common to all slaves, the rest is slave by slave
    output wire [11:0]          m_axi_awaddr,
    output wire [SLAVES-1:0]    m_axi_awvalid,
    input  wire [SLAVES-1:0]    m_axi_awready,
    output wire [31:0]          m_axi_wdata,
    output wire [3:0]           m_axi_wstrb,
    output wire [SLAVES-1:0]    m_axi_wvalid,
    input  wire [SLAVES-1:0]    m_axi_wready,
    input  wire [2*SLAVES-1:0]  m_axi_bresp,
    input  wire [SLAVES-1:0]    m_axi_bvalid,
    output wire [SLAVES-1:0]    m_axi_bready,
    output wire [11:0]          m_axi_araddr,
    output wire [SLAVES-1:0]    m_axi_arvalid,
    input  wire [SLAVES-1:0]    m_axi_arready,
    input  wire [32*SLAVES-1:0] m_axi_rdata,
    input  wire [2*SLAVES-1:0]  m_axi_rresp,
    input  wire [SLAVES-1:0]    m_axi_rvalid,
    output wire [SLAVES-1:0]    m_axi_rready
);

    axi3_lite_write #(
        .ID_WIDTH(ID_WIDTH),
        .SLAVES  (SLAVES),
        .PAGES   (PAGES)
    ) u_write (
        .clk(clk),
        .rst(rst),
        .s_axi_awid(s_axi_awid),
        .s_axi_awaddr(s_axi_awaddr),
        .s_axi_awlen(s_axi_awlen),
        .s_axi_awvalid(s_axi_awvalid),
        .s_axi_awready(s_axi_awready),
        .s_axi_wdata(s_axi_wdata),
        .s_axi_wstrb(s_axi_wstrb),
        .s_axi_wlast(s_axi_wlast),
        .s_axi_wvalid(s_axi_wvalid),
        .s_axi_wready(s_axi_wready),
        .s_axi_bid(s_axi_bid),
        .s_axi_bresp(s_axi_bresp),
        .s_axi_bvalid(s_axi_bvalid),
        .s_axi_bready(s_axi_bready),
        .m_axi_awaddr(m_axi_awaddr),
        .m_axi_awvalid(m_axi_awvalid),
        .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata),
        .m_axi_wstrb(m_axi_wstrb),
        .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready),
        .m_axi_bresp(m_axi_bresp),
        .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready)
    );

    axi3_lite_read #(
        .ID_WIDTH(ID_WIDTH),
        .SLAVES  (SLAVES),
        .PAGES   (PAGES)
    ) u_read (
        .clk(clk),
        .rst(rst),
        .s_axi_arid(s_axi_arid),
        .s_axi_araddr(s_axi_araddr),
        .s_axi_arlen(s_axi_arlen),
        .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready),
        .s_axi_rid(s_axi_rid),
        .s_axi_rdata(s_axi_rdata),
        .s_axi_rresp(s_axi_rresp),
        .s_axi_rlast(s_axi_rlast),
        .s_axi_rvalid(s_axi_rvalid),
        .s_axi_rready(s_axi_rready),
        .m_axi_araddr(m_axi_araddr),
        .m_axi_arvalid(m_axi_arvalid),
        .m_axi_arready(m_axi_arready),
        .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp),
        .m_axi_rvalid(m_axi_rvalid),
        .m_axi_rready(m_axi_rready)
    );

endmodule

`resetall
