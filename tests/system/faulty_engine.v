// SPDX-License-Identifier: Apache-2.0
//
// faulty_engine: a module with the ports of tensorpress_engine that breaks one rule of its buses on demand, for test_checker.py.
//
// Register 0x10 takes the number of the fault (0: none), a write to 0x14 starts: one read burst at each of two memory ports and one write
// burst of 4 beats each, a packet of 12 bytes on m_axis_raw, then the interrupt. Every channel begins in cycle 1 after the start, whatever the others do. The
// number of the fault survives a reset, but for the fault in reset, which comes once.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module faulty_engine (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire [11:0] s_axi_awaddr,
    input  wire [ 2:0] s_axi_awprot,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [ 3:0] s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [ 1:0] s_axi_bresp,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [11:0] s_axi_araddr,
    input  wire [ 2:0] s_axi_arprot,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output wire [ 1:0] s_axi_rresp,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,
    output wire [ 0:0] m_axi_awid,
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
    input  wire [ 0:0] m_axi_bid,
    input  wire [ 1:0] m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,
    output wire [ 0:0] m_axi_arid,
    output wire [31:0] m_axi_araddr,
    output wire [ 7:0] m_axi_arlen,
    output wire [ 2:0] m_axi_arsize,
    output wire [ 1:0] m_axi_arburst,
    output wire        m_axi_arlock,
    output wire        m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [ 0:0] m_axi_rid,
    input  wire [63:0] m_axi_rdata,
    input  wire [ 1:0] m_axi_rresp,
    input  wire        m_axi_rlast,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready,
    output wire [ 0:0] m1_axi_arid,
    output wire [31:0] m1_axi_araddr,
    output wire [ 7:0] m1_axi_arlen,
    output wire [ 2:0] m1_axi_arsize,
    output wire [ 1:0] m1_axi_arburst,
    output wire        m1_axi_arlock,
    output wire        m1_axi_arvalid,
    input  wire        m1_axi_arready,
    input  wire [ 0:0] m1_axi_rid,
    input  wire [63:0] m1_axi_rdata,
    input  wire [ 1:0] m1_axi_rresp,
    input  wire        m1_axi_rlast,
    input  wire        m1_axi_rvalid,
    output wire        m1_axi_rready,
    input  wire [63:0] s_axis_raw_tdata,
    input  wire [ 7:0] s_axis_raw_tkeep,
    input  wire        s_axis_raw_tvalid,
    output wire        s_axis_raw_tready,
    input  wire        s_axis_raw_tlast,
    output wire [63:0] m_axis_raw_tdata,
    output wire [ 7:0] m_axis_raw_tkeep,
    output wire        m_axis_raw_tvalid,
    input  wire        m_axis_raw_tready,
    output wire        m_axis_raw_tlast,
    output wire        irq
);

    // The faults; test_checker.py has the same list.
    localparam AR_LENGTH = 1, AR_PAGE = 2, AR_TYPE = 3, AR_SIZE = 4, AR_ALIGNMENT = 5, AR_WITHDRAWN = 6, AR_CHANGED = 7, AR_OUTSIDE = 8;
    localparam AW_LENGTH = 9, AW_PAGE = 10, AW_TYPE = 11, AW_SIZE = 12, AW_ALIGNMENT = 13, AW_WITHDRAWN = 14, AW_CHANGED = 15;
    localparam W_EARLY_LAST = 16, W_NO_LAST = 17, W_WITHDRAWN = 18, W_CHANGED = 19, W_STROBE_CHANGED = 20, W_OUTSIDE = 21;
    localparam S_HOLE = 22, S_SHORT = 23, S_EMPTY = 24, S_WITHDRAWN = 25, S_CHANGED = 26, S_LAST_CHANGED = 27;
    localparam B_EARLY = 28, R_EARLY = 29, B_WITHDRAWN = 30, R_CHANGED = 31, IN_RESET = 32;
    localparam AR1_LENGTH = 33, AR1_PAGE = 34, AR1_TYPE = 35, AR1_SIZE = 36, AR1_ALIGNMENT = 37, AR1_WITHDRAWN = 38, AR1_CHANGED = 39;
    localparam AR1_OUTSIDE = 40, AR1_IN_RESET = 41;

    localparam [31:0] READS = 32'h1000_0100, WRITES = 32'h1000_2000;
    localparam [31:0] BEATS = 32'd4;

    reg  [7:0] fault_q;
    reg  [7:0] age_q;       // cycles since the start, saturating; 0: not started
    wire       late = age_q >= 8'd4;

    initial fault_q = 8'd0;

    // ---- registers
    reg        bvalid_q, rvalid_q, was_reset_q;
    reg [31:0] count_q;
    wire       write = s_axi_awvalid && s_axi_wvalid && !bvalid_q;

    assign s_axi_awready = write;
    assign s_axi_wready  = write;
    assign s_axi_arready = s_axi_arvalid && !rvalid_q;
    assign s_axi_bvalid  = (bvalid_q && !(fault_q == B_WITHDRAWN && count_q[0])) || (fault_q == B_EARLY && late);
    assign s_axi_rvalid  = rvalid_q || (fault_q == R_EARLY && late);
    assign s_axi_bresp   = 2'd0;
    assign s_axi_rresp   = 2'd0;
    assign s_axi_rdata   = fault_q == R_CHANGED ? count_q : {24'd0, fault_q};

    always @(posedge aclk) begin
        count_q <= count_q + 32'd1;
        if (write && s_axi_awaddr == 12'h010) fault_q <= s_axi_wdata[7:0];
        if (write) bvalid_q <= 1'b1;
        else if (s_axi_bready) bvalid_q <= 1'b0;
        if (s_axi_arvalid && s_axi_arready) rvalid_q <= 1'b1;
        else if (s_axi_rready) rvalid_q <= 1'b0;
        if (write && s_axi_awaddr == 12'h014) age_q <= 8'd1;
        else if (age_q != 8'd0 && age_q != 8'd255) age_q <= age_q + 8'd1;
        if (aresetn && was_reset_q && (fault_q == IN_RESET || fault_q == AR1_IN_RESET)) fault_q <= 8'd0;
        was_reset_q <= !aresetn;
        if (!aresetn) begin
            count_q  <= 32'd0;
            bvalid_q <= 1'b0;
            rvalid_q <= 1'b0;
            age_q    <= 8'd0;
        end
    end

    // ---- read
    reg       ar_q;
    reg [2:0] read_q;

    assign m_axi_arid    = 1'b0;
    assign m_axi_arvalid = (ar_q && !(fault_q == AR_WITHDRAWN && late)) || (fault_q == IN_RESET && !aresetn);
    assign m_axi_araddr  = fault_q == AR_PAGE ? 32'h1000_0FF0 : fault_q == AR_ALIGNMENT ? READS + 32'd4 :
                           fault_q == AR_OUTSIDE ? READS + 32'd8 : fault_q == AR_CHANGED && late ? READS + 32'd64 : READS;
    assign m_axi_arlen   = fault_q == AR_LENGTH ? 8'd16 : BEATS[7:0] - 8'd1;
    assign m_axi_arsize  = fault_q == AR_SIZE ? 3'd2 : 3'd3;
    assign m_axi_arburst = fault_q == AR_TYPE ? 2'd0 : 2'd1;
    assign m_axi_arlock  = 1'b0;
    assign m_axi_rready  = 1'b1;

    // ---- the same at the second port
    reg       ar1_q;
    reg [2:0] read1_q;

    assign m1_axi_arid    = 1'b0;
    assign m1_axi_arvalid = (ar1_q && !(fault_q == AR1_WITHDRAWN && late)) || (fault_q == AR1_IN_RESET && !aresetn);
    assign m1_axi_araddr  = fault_q == AR1_PAGE ? 32'h1000_0FF0 : fault_q == AR1_ALIGNMENT ? READS + 32'd4 :
                            fault_q == AR1_OUTSIDE ? READS + 32'd8 : fault_q == AR1_CHANGED && late ? READS + 32'd64 : READS;
    assign m1_axi_arlen   = fault_q == AR1_LENGTH ? 8'd16 : BEATS[7:0] - 8'd1;
    assign m1_axi_arsize  = fault_q == AR1_SIZE ? 3'd2 : 3'd3;
    assign m1_axi_arburst = fault_q == AR1_TYPE ? 2'd0 : 2'd1;
    assign m1_axi_arlock  = 1'b0;
    assign m1_axi_rready  = 1'b1;

    // ---- write
    reg       aw_q, w_q, b_q;
    reg [2:0] beat_q;

    assign m_axi_awid    = 1'b0;
    assign m_axi_awvalid = aw_q && !(fault_q == AW_WITHDRAWN && late);
    assign m_axi_awaddr  = fault_q == AW_PAGE ? 32'h1000_2FF0 : fault_q == AW_ALIGNMENT ? WRITES + 32'd4 :
                           fault_q == W_OUTSIDE ? WRITES + 32'd8 : fault_q == AW_CHANGED && late ? WRITES + 32'd64 : WRITES;
    assign m_axi_awlen   = fault_q == AW_LENGTH ? 8'd16 : BEATS[7:0] - 8'd1;
    assign m_axi_awsize  = fault_q == AW_SIZE ? 3'd2 : 3'd3;
    assign m_axi_awburst = fault_q == AW_TYPE ? 2'd2 : 2'd1;
    assign m_axi_wvalid  = w_q && !(fault_q == W_WITHDRAWN && late);
    assign m_axi_wdata   = {61'h1122_3344_5566_778, beat_q} ^ (fault_q == W_CHANGED && late ? 64'd1 : 64'd0);
    assign m_axi_wstrb   = fault_q == W_STROBE_CHANGED && late ? 8'h7F : 8'hFF;
    assign m_axi_wlast   = beat_q == (fault_q == W_EARLY_LAST ? 3'd2 : fault_q == W_NO_LAST ? 3'd7 : 3'd3);
    assign m_axi_bready  = 1'b1;

    // ---- streams
    reg       stream_q, second_q;

    assign s_axis_raw_tready = 1'b0;
    assign m_axis_raw_tvalid = stream_q && !(fault_q == S_WITHDRAWN && late);
    assign m_axis_raw_tdata  = (second_q ? 64'hFFEE_DDCC_BBAA_9988 : 64'h7766_5544_3322_1100) ^ (fault_q == S_CHANGED && late ? 64'd1 : 64'd0);
    assign m_axis_raw_tkeep  = fault_q == S_HOLE ? 8'hFD : fault_q == S_SHORT ? 8'h0F : fault_q == S_EMPTY ? 8'h00 : second_q ? 8'h0F : 8'hFF;
    assign m_axis_raw_tlast  = second_q ^ (fault_q == S_LAST_CHANGED && late);

    always @(posedge aclk) begin
        if (age_q == 8'd1) {ar_q, ar1_q, aw_q, w_q, stream_q, b_q} <= 6'b111110;
        else begin
            if (m_axi_arvalid && m_axi_arready) ar_q <= 1'b0;
            if (m1_axi_arvalid && m1_axi_arready) ar1_q <= 1'b0;
            if (m_axi_awvalid && m_axi_awready) aw_q <= 1'b0;
            if (m_axi_wvalid && m_axi_wready) begin
                beat_q <= beat_q + 3'd1;
                if (beat_q == 3'd3) w_q <= 1'b0;
            end
            if (m_axi_rvalid) read_q <= read_q + 3'd1;
            if (m1_axi_rvalid) read1_q <= read1_q + 3'd1;
            if (m_axi_bvalid) b_q <= 1'b1;
            if (m_axis_raw_tvalid && m_axis_raw_tready) begin
                second_q <= 1'b1;
                stream_q <= !second_q;
            end
        end
        if (!aresetn) begin
            {ar_q, ar1_q, aw_q, w_q, stream_q, b_q, second_q} <= 7'd0;
            read_q <= 3'd0;
            read1_q <= 3'd0;
            beat_q <= 3'd0;
        end
    end

    assign irq = read_q == 3'd4 && read1_q == 3'd4 && b_q && second_q && !stream_q;

    wire unused = &{1'b0, s_axi_awprot, s_axi_arprot, s_axi_wstrb, s_axi_wdata[31:8], s_axi_araddr, m_axi_bid, m_axi_bresp, m_axi_rid,
                    m_axi_rdata, m_axi_rresp, m_axi_rlast, m1_axi_rid, m1_axi_rdata, m1_axi_rresp, m1_axi_rlast, s_axis_raw_tdata, s_axis_raw_tkeep, s_axis_raw_tvalid, s_axis_raw_tlast, READS[0]};

endmodule

`resetall
