// SPDX-License-Identifier: Apache-2.0
//
// pynq_top: the whole PL of a PYNQ board: the processing system, the engine on its HP port (with MEMORY_PORTS = 2 on two of them), registers
// and interrupts on its GP port.
// README.md has the figure and the address map.
//
// One clock: FCLK0. Its frequency is set by software (CLOCK_MHZ says what the constraints promise); its reset is synchronised here.
// AXI3 throughout: the engine's bursts are at most 16 beats and never cross 4 KiB; it has one ID, 0, which is WID as well.
// No accelerator is attached: m_axis_raw is taken and dropped; s_axis_raw ends at once, so that a job that compresses from it stops with
// STREAM_UNDERRUN instead of waiting for ever.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module pynq_top #(
    parameter LANES             = 8,       // all but CLOCK_MHZ as in tensorpress_engine
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
    parameter APACK_TREE        = 0,
    parameter CLOCK_MHZ         = 125      // the highest frequency of FCLK0, in MHz, 1..500; also the pace of the heartbeat
) (
    output wire [2:0] leds  // 0 busy, 1 error, 2 heartbeat
);

    // The pages of M_AXI_GP0; everything else answers SLVERR.
    localparam        SLAVES          = 2;
    localparam [31:0] ENGINE_PAGE     = 32'h4000_0000;
    localparam [31:0] INTERRUPTS_PAGE = 32'h4001_0000;

    // ------------------------------------------------------------------------------------------------------------------
    // The processing system, clock and reset

    wire fclk0, fclk0_resetn, clk, aresetn, irq;

    wire [11:0] gp0_arid, gp0_rid, gp0_awid, gp0_bid;
    wire [31:0] gp0_araddr, gp0_rdata, gp0_awaddr, gp0_wdata;
    wire [3:0] gp0_arlen, gp0_awlen, gp0_wstrb;
    wire [1:0] gp0_rresp, gp0_bresp;
    wire gp0_arvalid, gp0_arready, gp0_rlast, gp0_rvalid, gp0_rready;
    wire gp0_awvalid, gp0_awready, gp0_wlast, gp0_wvalid, gp0_wready, gp0_bvalid, gp0_bready;

    wire [31:0] hp0_araddr, hp0_awaddr;
    wire [63:0] hp0_rdata, hp0_wdata;
    wire [7:0] hp0_arlen, hp0_awlen, hp0_wstrb;
    wire [5:0] hp0_rid, hp0_bid;
    wire [3:0] hp0_arcache, hp0_awcache;
    wire [2:0] hp0_arsize, hp0_arprot, hp0_awsize, hp0_awprot;
    wire [1:0] hp0_arburst, hp0_awburst, hp0_rresp, hp0_bresp;
    wire hp0_arid, hp0_arlock, hp0_arvalid, hp0_arready, hp0_rlast, hp0_rvalid, hp0_rready;
    wire hp0_awid, hp0_awlock, hp0_awvalid, hp0_awready, hp0_wlast, hp0_wvalid, hp0_wready, hp0_bvalid, hp0_bready;

    wire [31:0] hp1_araddr;
    wire [63:0] hp1_rdata;
    wire [7:0] hp1_arlen;
    wire [5:0] hp1_rid;
    wire [3:0] hp1_arcache;
    wire [2:0] hp1_arsize, hp1_arprot;
    wire [1:0] hp1_arburst, hp1_rresp;
    wire hp1_arid, hp1_arlock, hp1_arvalid, hp1_arready, hp1_rlast, hp1_rvalid, hp1_rready;

    ps7_ports u_ps7 (
        .fclk0(fclk0),
        .fclk0_resetn(fclk0_resetn),
        .clk(clk),
        .gp0_arid(gp0_arid),
        .gp0_araddr(gp0_araddr),
        .gp0_arlen(gp0_arlen),
        .gp0_arvalid(gp0_arvalid),
        .gp0_arready(gp0_arready),
        .gp0_rid(gp0_rid),
        .gp0_rdata(gp0_rdata),
        .gp0_rresp(gp0_rresp),
        .gp0_rlast(gp0_rlast),
        .gp0_rvalid(gp0_rvalid),
        .gp0_rready(gp0_rready),
        .gp0_awid(gp0_awid),
        .gp0_awaddr(gp0_awaddr),
        .gp0_awlen(gp0_awlen),
        .gp0_awvalid(gp0_awvalid),
        .gp0_awready(gp0_awready),
        .gp0_wdata(gp0_wdata),
        .gp0_wstrb(gp0_wstrb),
        .gp0_wlast(gp0_wlast),
        .gp0_wvalid(gp0_wvalid),
        .gp0_wready(gp0_wready),
        .gp0_bid(gp0_bid),
        .gp0_bresp(gp0_bresp),
        .gp0_bvalid(gp0_bvalid),
        .gp0_bready(gp0_bready),
        .hp0_arid({5'd0, hp0_arid}),
        .hp0_araddr(hp0_araddr),
        .hp0_arlen(hp0_arlen[3:0]),
        .hp0_arsize(hp0_arsize[1:0]),
        .hp0_arburst(hp0_arburst),
        .hp0_arlock({1'b0, hp0_arlock}),
        .hp0_arcache(hp0_arcache),
        .hp0_arprot(hp0_arprot),
        .hp0_arvalid(hp0_arvalid),
        .hp0_arready(hp0_arready),
        .hp0_rid(hp0_rid),
        .hp0_rdata(hp0_rdata),
        .hp0_rresp(hp0_rresp),
        .hp0_rlast(hp0_rlast),
        .hp0_rvalid(hp0_rvalid),
        .hp0_rready(hp0_rready),
        .hp0_awid({5'd0, hp0_awid}),
        .hp0_awaddr(hp0_awaddr),
        .hp0_awlen(hp0_awlen[3:0]),
        .hp0_awsize(hp0_awsize[1:0]),
        .hp0_awburst(hp0_awburst),
        .hp0_awlock({1'b0, hp0_awlock}),
        .hp0_awcache(hp0_awcache),
        .hp0_awprot(hp0_awprot),
        .hp0_awvalid(hp0_awvalid),
        .hp0_awready(hp0_awready),
        .hp0_wid(6'd0),
        .hp0_wdata(hp0_wdata),
        .hp0_wstrb(hp0_wstrb),
        .hp0_wlast(hp0_wlast),
        .hp0_wvalid(hp0_wvalid),
        .hp0_wready(hp0_wready),
        .hp0_bid(hp0_bid),
        .hp0_bresp(hp0_bresp),
        .hp0_bvalid(hp0_bvalid),
        .hp0_bready(hp0_bready),
        .hp1_clk(MEMORY_PORTS == 2 ? clk : 1'b0),
        .hp1_arid({5'd0, hp1_arid}),
        .hp1_araddr(hp1_araddr),
        .hp1_arlen(hp1_arlen[3:0]),
        .hp1_arsize(hp1_arsize[1:0]),
        .hp1_arburst(hp1_arburst),
        .hp1_arlock({1'b0, hp1_arlock}),
        .hp1_arcache(hp1_arcache),
        .hp1_arprot(hp1_arprot),
        .hp1_arvalid(hp1_arvalid),
        .hp1_arready(hp1_arready),
        .hp1_rid(hp1_rid),
        .hp1_rdata(hp1_rdata),
        .hp1_rresp(hp1_rresp),
        .hp1_rlast(hp1_rlast),
        .hp1_rvalid(hp1_rvalid),
        .hp1_rready(hp1_rready),
        .irq(irq)
    );

    BUFG u_clock (
        .I(fclk0),
        .O(clk)
    );

    reset_sync u_reset (
        .clk(clk),
        .reset_n(fclk0_resetn),
        .aresetn(aresetn)
    );

    reg rst_q;
    always @(posedge clk) rst_q <= !aresetn;

    // ------------------------------------------------------------------------------------------------------------------
    // From M_AXI_GP0 to the two pages: slave 0 is the engine, slave 1 the interrupt controller

    wire [11:0] lite_awaddr, lite_araddr;
    wire [31:0] lite_wdata;
    wire [3:0] lite_wstrb;
    wire [SLAVES-1:0] lite_awvalid, lite_awready, lite_wvalid, lite_wready, lite_bvalid, lite_bready;
    wire [SLAVES-1:0] lite_arvalid, lite_arready, lite_rvalid, lite_rready;
    wire [2*SLAVES-1:0] lite_bresp, lite_rresp;
    wire [32*SLAVES-1:0] lite_rdata;

    axi3_lite_bridge #(
        .ID_WIDTH(12),
        .SLAVES(SLAVES),
        .PAGES({INTERRUPTS_PAGE, ENGINE_PAGE})
    ) u_bridge (
        .clk(clk),
        .rst(rst_q),
        .s_axi_awid(gp0_awid),
        .s_axi_awaddr(gp0_awaddr),
        .s_axi_awlen(gp0_awlen),
        .s_axi_awvalid(gp0_awvalid),
        .s_axi_awready(gp0_awready),
        .s_axi_wdata(gp0_wdata),
        .s_axi_wstrb(gp0_wstrb),
        .s_axi_wlast(gp0_wlast),
        .s_axi_wvalid(gp0_wvalid),
        .s_axi_wready(gp0_wready),
        .s_axi_bid(gp0_bid),
        .s_axi_bresp(gp0_bresp),
        .s_axi_bvalid(gp0_bvalid),
        .s_axi_bready(gp0_bready),
        .s_axi_arid(gp0_arid),
        .s_axi_araddr(gp0_araddr),
        .s_axi_arlen(gp0_arlen),
        .s_axi_arvalid(gp0_arvalid),
        .s_axi_arready(gp0_arready),
        .s_axi_rid(gp0_rid),
        .s_axi_rdata(gp0_rdata),
        .s_axi_rresp(gp0_rresp),
        .s_axi_rlast(gp0_rlast),
        .s_axi_rvalid(gp0_rvalid),
        .s_axi_rready(gp0_rready),
        .m_axi_awaddr(lite_awaddr),
        .m_axi_awvalid(lite_awvalid),
        .m_axi_awready(lite_awready),
        .m_axi_wdata(lite_wdata),
        .m_axi_wstrb(lite_wstrb),
        .m_axi_wvalid(lite_wvalid),
        .m_axi_wready(lite_wready),
        .m_axi_bresp(lite_bresp),
        .m_axi_bvalid(lite_bvalid),
        .m_axi_bready(lite_bready),
        .m_axi_araddr(lite_araddr),
        .m_axi_arvalid(lite_arvalid),
        .m_axi_arready(lite_arready),
        .m_axi_rdata(lite_rdata),
        .m_axi_rresp(lite_rresp),
        .m_axi_rvalid(lite_rvalid),
        .m_axi_rready(lite_rready)
    );

    // ------------------------------------------------------------------------------------------------------------------
    // The engine on S_AXI_HP0, and with MEMORY_PORTS = 2 on S_AXI_HP1

    wire engine_irq, engine_busy, engine_error;
    wire [63:0] dropped_data;
    wire [7:0] dropped_keep;
    wire dropped_valid, dropped_last, none_ready;

    tensorpress_engine #(
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
    ) u_engine (
        .aclk(clk),
        .aresetn(aresetn),
        .s_axi_awaddr(lite_awaddr),
        .s_axi_awprot(3'd0),
        .s_axi_awvalid(lite_awvalid[0]),
        .s_axi_awready(lite_awready[0]),
        .s_axi_wdata(lite_wdata),
        .s_axi_wstrb(lite_wstrb),
        .s_axi_wvalid(lite_wvalid[0]),
        .s_axi_wready(lite_wready[0]),
        .s_axi_bresp(lite_bresp[1:0]),
        .s_axi_bvalid(lite_bvalid[0]),
        .s_axi_bready(lite_bready[0]),
        .s_axi_araddr(lite_araddr),
        .s_axi_arprot(3'd0),
        .s_axi_arvalid(lite_arvalid[0]),
        .s_axi_arready(lite_arready[0]),
        .s_axi_rdata(lite_rdata[31:0]),
        .s_axi_rresp(lite_rresp[1:0]),
        .s_axi_rvalid(lite_rvalid[0]),
        .s_axi_rready(lite_rready[0]),
        .m_axi_awid(hp0_awid),
        .m_axi_awaddr(hp0_awaddr),
        .m_axi_awlen(hp0_awlen),
        .m_axi_awsize(hp0_awsize),
        .m_axi_awburst(hp0_awburst),
        .m_axi_awlock(hp0_awlock),
        .m_axi_awcache(hp0_awcache),
        .m_axi_awprot(hp0_awprot),
        .m_axi_awvalid(hp0_awvalid),
        .m_axi_awready(hp0_awready),
        .m_axi_wdata(hp0_wdata),
        .m_axi_wstrb(hp0_wstrb),
        .m_axi_wlast(hp0_wlast),
        .m_axi_wvalid(hp0_wvalid),
        .m_axi_wready(hp0_wready),
        .m_axi_bid(hp0_bid[0]),
        .m_axi_bresp(hp0_bresp),
        .m_axi_bvalid(hp0_bvalid),
        .m_axi_bready(hp0_bready),
        .m_axi_arid(hp0_arid),
        .m_axi_araddr(hp0_araddr),
        .m_axi_arlen(hp0_arlen),
        .m_axi_arsize(hp0_arsize),
        .m_axi_arburst(hp0_arburst),
        .m_axi_arlock(hp0_arlock),
        .m_axi_arcache(hp0_arcache),
        .m_axi_arprot(hp0_arprot),
        .m_axi_arvalid(hp0_arvalid),
        .m_axi_arready(hp0_arready),
        .m_axi_rid(hp0_rid[0]),
        .m_axi_rdata(hp0_rdata),
        .m_axi_rresp(hp0_rresp),
        .m_axi_rlast(hp0_rlast),
        .m_axi_rvalid(hp0_rvalid),
        .m_axi_rready(hp0_rready),
        .m1_axi_arid(hp1_arid),
        .m1_axi_araddr(hp1_araddr),
        .m1_axi_arlen(hp1_arlen),
        .m1_axi_arsize(hp1_arsize),
        .m1_axi_arburst(hp1_arburst),
        .m1_axi_arlock(hp1_arlock),
        .m1_axi_arcache(hp1_arcache),
        .m1_axi_arprot(hp1_arprot),
        .m1_axi_arvalid(hp1_arvalid),
        .m1_axi_arready(hp1_arready),
        .m1_axi_rid(hp1_rid[0]),
        .m1_axi_rdata(hp1_rdata),
        .m1_axi_rresp(hp1_rresp),
        .m1_axi_rlast(hp1_rlast),
        .m1_axi_rvalid(hp1_rvalid),
        .m1_axi_rready(hp1_rready),
        .s_axis_raw_tdata(64'd0),
        .s_axis_raw_tkeep(8'hFF),
        .s_axis_raw_tvalid(1'b1),
        .s_axis_raw_tready(none_ready),
        .s_axis_raw_tlast(1'b1),
        .m_axis_raw_tdata(dropped_data),
        .m_axis_raw_tkeep(dropped_keep),
        .m_axis_raw_tvalid(dropped_valid),
        .m_axis_raw_tready(1'b1),
        .m_axis_raw_tlast(dropped_last),
        .irq(engine_irq),
        .status_busy(engine_busy),
        .status_error(engine_error)
    );

    // ------------------------------------------------------------------------------------------------------------------
    // Interrupts and LEDs

    interrupt_controller #(
        .LINES(1)
    ) u_interrupts (
        .clk(clk),
        .rst(rst_q),
        .s_axi_awaddr(lite_awaddr),
        .s_axi_awvalid(lite_awvalid[1]),
        .s_axi_awready(lite_awready[1]),
        .s_axi_wdata(lite_wdata),
        .s_axi_wstrb(lite_wstrb),
        .s_axi_wvalid(lite_wvalid[1]),
        .s_axi_wready(lite_wready[1]),
        .s_axi_bresp(lite_bresp[3:2]),
        .s_axi_bvalid(lite_bvalid[1]),
        .s_axi_bready(lite_bready[1]),
        .s_axi_araddr(lite_araddr),
        .s_axi_arvalid(lite_arvalid[1]),
        .s_axi_arready(lite_arready[1]),
        .s_axi_rdata(lite_rdata[63:32]),
        .s_axi_rresp(lite_rresp[3:2]),
        .s_axi_rvalid(lite_rvalid[1]),
        .s_axi_rready(lite_rready[1]),
        .lines(engine_irq),
        .irq(irq)
    );

    status_leds #(
        .CLOCK_MHZ(CLOCK_MHZ)
    ) u_leds (
        .clk(clk),
        .rst(rst_q),
        .busy(engine_busy),
        .error(engine_error),
        .led_busy(leds[0]),
        .led_error(leds[1]),
        .led_heartbeat(leds[2])
    );

    wire unused = &{1'b0, hp0_awlen[7:4], hp0_arlen[7:4], hp0_awsize[2], hp0_arsize[2], hp0_rid[5:1], hp0_bid[5:1],
                    hp1_arlen[7:4], hp1_arsize[2], hp1_rid[5:1],
                    dropped_data, dropped_keep, dropped_valid, dropped_last, none_ready};

endmodule

`resetall
