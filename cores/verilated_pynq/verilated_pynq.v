// SPDX-License-Identifier: Apache-2.0
//
// verilated_pynq: pynq_top with the ports of its processing system brought out, for simulation.
//
// Does: takes the place of the processing system: whoever drives these ports is the CPU (s_axi_*, on M_AXI_GP0), the DDR memory (m_axi_*,
//   on S_AXI_HP0, and m1_axi_* on S_AXI_HP1), clock and reset of the fabric, and hears the interrupt. It reaches into the empty model of
//   the primitive PS7, so that everything from that primitive on is the Verilog that goes into the FPGA.
// Ports have the names of tensorpress_engine, so that the same C++ drives both; the AXI3 ones are those of the primitive.
// Latency: none is added.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module verilated_pynq #(
    parameter LANES             = 8,       // all as in pynq_top
    parameter CODECS            = 15,
    parameter ENCODE_LANES      = LANES,
    parameter DECODE_LANES      = LANES,
    parameter ENCODE_CODECS     = CODECS,
    parameter DECODE_CODECS     = CODECS,
    parameter BLOCK_BYTES       = 4096,
    parameter MEMORY_PORTS      = 1,
    parameter READ_OUTSTANDING  = 8,
    parameter WRITE_OUTSTANDING = 8,
    parameter APACK_CODERS      = 8,
    parameter APACK_TREE        = 0
) (
    // FCLK0 and its reset
    input  wire        aclk,
    input  wire        aresetn,
    // M_AXI_GP0
    input  wire [11:0] s_axi_awid,
    input  wire [31:0] s_axi_awaddr,
    input  wire [3:0]  s_axi_awlen,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wlast,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [11:0] s_axi_bid,
    output wire [1:0]  s_axi_bresp,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [11:0] s_axi_arid,
    input  wire [31:0] s_axi_araddr,
    input  wire [3:0]  s_axi_arlen,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [11:0] s_axi_rid,
    output wire [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output wire        s_axi_rlast,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,
    // S_AXI_HP0
    output wire [5:0]  m_axi_awid,
    output wire [31:0] m_axi_awaddr,
    output wire [3:0]  m_axi_awlen,
    output wire [1:0]  m_axi_awsize,
    output wire [1:0]  m_axi_awburst,
    output wire [1:0]  m_axi_awlock,
    output wire        m_axi_awvalid,
    input  wire        m_axi_awready,
    output wire [5:0]  m_axi_wid,
    output wire [63:0] m_axi_wdata,
    output wire [7:0]  m_axi_wstrb,
    output wire        m_axi_wlast,
    output wire        m_axi_wvalid,
    input  wire        m_axi_wready,
    input  wire [5:0]  m_axi_bid,
    input  wire [1:0]  m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,
    output wire [5:0]  m_axi_arid,
    output wire [31:0] m_axi_araddr,
    output wire [3:0]  m_axi_arlen,
    output wire [1:0]  m_axi_arsize,
    output wire [1:0]  m_axi_arburst,
    output wire [1:0]  m_axi_arlock,
    output wire        m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [5:0]  m_axi_rid,
    input  wire [63:0] m_axi_rdata,
    input  wire [1:0]  m_axi_rresp,
    input  wire        m_axi_rlast,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready,
    // S_AXI_HP1, of which only reads are in use
    output wire [5:0]  m1_axi_arid,
    output wire [31:0] m1_axi_araddr,
    output wire [3:0]  m1_axi_arlen,
    output wire [1:0]  m1_axi_arsize,
    output wire [1:0]  m1_axi_arburst,
    output wire [1:0]  m1_axi_arlock,
    output wire        m1_axi_arvalid,
    input  wire        m1_axi_arready,
    input  wire [5:0]  m1_axi_rid,
    input  wire [63:0] m1_axi_rdata,
    input  wire [1:0]  m1_axi_rresp,
    input  wire        m1_axi_rlast,
    input  wire        m1_axi_rvalid,
    output wire        m1_axi_rready,
    // IRQF2P[0], and the LEDs
    output wire        irq,
    output wire [2:0]  leds
);

    pynq_top #(
        .LANES(LANES),
        .CODECS(CODECS),
        .ENCODE_LANES(ENCODE_LANES),
        .DECODE_LANES(DECODE_LANES),
        .ENCODE_CODECS(ENCODE_CODECS),
        .DECODE_CODECS(DECODE_CODECS),
        .BLOCK_BYTES(BLOCK_BYTES),
        .MEMORY_PORTS(MEMORY_PORTS),
        .READ_OUTSTANDING(READ_OUTSTANDING),
        .WRITE_OUTSTANDING(WRITE_OUTSTANDING),
        .APACK_CODERS(APACK_CODERS),
        .APACK_TREE(APACK_TREE)
    ) u_pynq (
        .leds(leds)
    );

    // What the processing system drives
    assign u_pynq.u_ps7.u_ps7.FCLKCLK         = {3'd0, aclk};
    assign u_pynq.u_ps7.u_ps7.FCLKRESETN      = {3'd0, aresetn};
    assign u_pynq.u_ps7.u_ps7.MAXIGP0AWID     = s_axi_awid;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0AWADDR   = s_axi_awaddr;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0AWLEN    = s_axi_awlen;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0AWVALID  = s_axi_awvalid;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0WDATA    = s_axi_wdata;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0WSTRB    = s_axi_wstrb;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0WLAST    = s_axi_wlast;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0WVALID   = s_axi_wvalid;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0BREADY   = s_axi_bready;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0ARID     = s_axi_arid;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0ARADDR   = s_axi_araddr;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0ARLEN    = s_axi_arlen;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0ARVALID  = s_axi_arvalid;
    assign u_pynq.u_ps7.u_ps7.MAXIGP0RREADY   = s_axi_rready;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0AWREADY  = m_axi_awready;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0WREADY   = m_axi_wready;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0BID      = m_axi_bid;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0BRESP    = m_axi_bresp;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0BVALID   = m_axi_bvalid;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0ARREADY  = m_axi_arready;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0RID      = m_axi_rid;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0RDATA    = m_axi_rdata;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0RRESP    = m_axi_rresp;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0RLAST    = m_axi_rlast;
    assign u_pynq.u_ps7.u_ps7.SAXIHP0RVALID   = m_axi_rvalid;
    assign u_pynq.u_ps7.u_ps7.SAXIHP1ARREADY  = m1_axi_arready;
    assign u_pynq.u_ps7.u_ps7.SAXIHP1RID      = m1_axi_rid;
    assign u_pynq.u_ps7.u_ps7.SAXIHP1RDATA    = m1_axi_rdata;
    assign u_pynq.u_ps7.u_ps7.SAXIHP1RRESP    = m1_axi_rresp;
    assign u_pynq.u_ps7.u_ps7.SAXIHP1RLAST    = m1_axi_rlast;
    assign u_pynq.u_ps7.u_ps7.SAXIHP1RVALID   = m1_axi_rvalid;

    // What it hears
    assign s_axi_awready = u_pynq.u_ps7.u_ps7.MAXIGP0AWREADY;
    assign s_axi_wready  = u_pynq.u_ps7.u_ps7.MAXIGP0WREADY;
    assign s_axi_bid     = u_pynq.u_ps7.u_ps7.MAXIGP0BID;
    assign s_axi_bresp   = u_pynq.u_ps7.u_ps7.MAXIGP0BRESP;
    assign s_axi_bvalid  = u_pynq.u_ps7.u_ps7.MAXIGP0BVALID;
    assign s_axi_arready = u_pynq.u_ps7.u_ps7.MAXIGP0ARREADY;
    assign s_axi_rid     = u_pynq.u_ps7.u_ps7.MAXIGP0RID;
    assign s_axi_rdata   = u_pynq.u_ps7.u_ps7.MAXIGP0RDATA;
    assign s_axi_rresp   = u_pynq.u_ps7.u_ps7.MAXIGP0RRESP;
    assign s_axi_rlast   = u_pynq.u_ps7.u_ps7.MAXIGP0RLAST;
    assign s_axi_rvalid  = u_pynq.u_ps7.u_ps7.MAXIGP0RVALID;
    assign m_axi_awid    = u_pynq.u_ps7.u_ps7.SAXIHP0AWID;
    assign m_axi_awaddr  = u_pynq.u_ps7.u_ps7.SAXIHP0AWADDR;
    assign m_axi_awlen   = u_pynq.u_ps7.u_ps7.SAXIHP0AWLEN;
    assign m_axi_awsize  = u_pynq.u_ps7.u_ps7.SAXIHP0AWSIZE;
    assign m_axi_awburst = u_pynq.u_ps7.u_ps7.SAXIHP0AWBURST;
    assign m_axi_awlock  = u_pynq.u_ps7.u_ps7.SAXIHP0AWLOCK;
    assign m_axi_awvalid = u_pynq.u_ps7.u_ps7.SAXIHP0AWVALID;
    assign m_axi_wid     = u_pynq.u_ps7.u_ps7.SAXIHP0WID;
    assign m_axi_wdata   = u_pynq.u_ps7.u_ps7.SAXIHP0WDATA;
    assign m_axi_wstrb   = u_pynq.u_ps7.u_ps7.SAXIHP0WSTRB;
    assign m_axi_wlast   = u_pynq.u_ps7.u_ps7.SAXIHP0WLAST;
    assign m_axi_wvalid  = u_pynq.u_ps7.u_ps7.SAXIHP0WVALID;
    assign m_axi_bready  = u_pynq.u_ps7.u_ps7.SAXIHP0BREADY;
    assign m_axi_arid    = u_pynq.u_ps7.u_ps7.SAXIHP0ARID;
    assign m_axi_araddr  = u_pynq.u_ps7.u_ps7.SAXIHP0ARADDR;
    assign m_axi_arlen   = u_pynq.u_ps7.u_ps7.SAXIHP0ARLEN;
    assign m_axi_arsize  = u_pynq.u_ps7.u_ps7.SAXIHP0ARSIZE;
    assign m_axi_arburst = u_pynq.u_ps7.u_ps7.SAXIHP0ARBURST;
    assign m_axi_arlock  = u_pynq.u_ps7.u_ps7.SAXIHP0ARLOCK;
    assign m_axi_arvalid = u_pynq.u_ps7.u_ps7.SAXIHP0ARVALID;
    assign m_axi_rready  = u_pynq.u_ps7.u_ps7.SAXIHP0RREADY;
    assign m1_axi_arid    = u_pynq.u_ps7.u_ps7.SAXIHP1ARID;
    assign m1_axi_araddr  = u_pynq.u_ps7.u_ps7.SAXIHP1ARADDR;
    assign m1_axi_arlen   = u_pynq.u_ps7.u_ps7.SAXIHP1ARLEN;
    assign m1_axi_arsize  = u_pynq.u_ps7.u_ps7.SAXIHP1ARSIZE;
    assign m1_axi_arburst = u_pynq.u_ps7.u_ps7.SAXIHP1ARBURST;
    assign m1_axi_arlock  = u_pynq.u_ps7.u_ps7.SAXIHP1ARLOCK;
    assign m1_axi_arvalid = u_pynq.u_ps7.u_ps7.SAXIHP1ARVALID;
    assign m1_axi_rready  = u_pynq.u_ps7.u_ps7.SAXIHP1RREADY;
    assign irq           = u_pynq.u_ps7.u_ps7.IRQF2P[0];

endmodule

`resetall
