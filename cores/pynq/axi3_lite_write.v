// SPDX-License-Identifier: Apache-2.0
//
// axi3_lite_write: the write half of axi3_lite_bridge.
//
// Does: takes one AXI3 write at a time, finds the page of its address and writes the word there over AXI4-Lite; returns the response
//   under the ID of the request.
// Answers: the response of the slave; SLVERR, with nothing written, for an address in no page and for a burst of more than one beat.
// Latency: B comes 6 cycles after AW and W when the slave answers in the cycle after it took the word. One write is outstanding.
// Assumes: write data of different requests are not interleaved (a Zynq's M_AXI_GP never does).
// Ignores: AWSIZE (narrow writes are what WSTRB says), AWBURST, AWLOCK (the answer is never EXOKAY), AWCACHE, AWPROT, AWQOS, WID.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi3_lite_write #(
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
    // AXI4-Lite: address and data are common to all slaves
    output wire [11:0]          m_axi_awaddr,
    output wire [SLAVES-1:0]    m_axi_awvalid,
    input  wire [SLAVES-1:0]    m_axi_awready,
    output wire [31:0]          m_axi_wdata,
    output wire [3:0]           m_axi_wstrb,
    output wire [SLAVES-1:0]    m_axi_wvalid,
    input  wire [SLAVES-1:0]    m_axi_wready,
    input  wire [2*SLAVES-1:0]  m_axi_bresp,
    input  wire [SLAVES-1:0]    m_axi_bvalid,
    output wire [SLAVES-1:0]    m_axi_bready
);

    localparam [1:0] SLVERR = 2'b10;

    localparam [2:0] IDLE    = 3'd0;  // no request
    localparam [2:0] DECODE  = 3'd1;  // the address is looked up
    localparam [2:0] DATA    = 3'd2;  // waits for the last beat
    localparam [2:0] REQUEST = 3'd3;  // word on offer to the slave
    localparam [2:0] ANSWER  = 3'd4;  // waits for the slave's response
    localparam [2:0] RESPOND = 3'd5;  // response on offer to the master

    reg  [2:0]          state_q, state_d;
    reg  [ID_WIDTH-1:0] id_q;
    reg  [31:0]         address_q;
    reg                 burst_q;
    reg  [31:0]         data_q;
    reg  [3:0]          strobe_q;
    reg  [SLAVES-1:0]   slave_q;         // the slave meant, one-hot; none: error
    reg  [SLAVES-1:0]   address_sent_q;  // what the slave has taken
    reg  [SLAVES-1:0]   data_sent_q;
    reg  [1:0]          response_q;

    wire [SLAVES-1:0]   page;
    wire [2*SLAVES-1:0] picked;          // the response of the slave meant, others 0
    reg  [1:0]          response;

    genvar k;
    generate
        if (ID_WIDTH < 1 || ID_WIDTH > 16) begin : g_check_id_width
            axi3_lite_write_ID_WIDTH_must_be_in_1_to_16 u_error ();
        end
        if (SLAVES < 1 || SLAVES > 8) begin : g_check_slaves
            axi3_lite_write_SLAVES_must_be_in_1_to_8 u_error ();
        end
        for (k = 0; k < SLAVES; k = k + 1) begin : g_page
            assign page[k] = address_q[31:12] == PAGES[32*k+12+:20];
            assign picked[2*k+:2] = slave_q[k] ? m_axi_bresp[2*k+:2] : 2'b00;
        end
    endgenerate

    integer i;
    always @* begin
        response = 2'b00;
        for (i = 0; i < SLAVES; i = i + 1) response = response | picked[2*i+:2];
    end

    wire taken = &(address_sent_q | ~slave_q) && &(data_sent_q | ~slave_q);
    wire answered = |(slave_q & m_axi_bvalid);

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE:    if (s_axi_awvalid) state_d = DECODE;
            DECODE:  state_d = DATA;
            DATA:    if (s_axi_wvalid && s_axi_wlast) state_d = |slave_q ? REQUEST : RESPOND;
            REQUEST: if (taken) state_d = ANSWER;
            ANSWER:  if (answered) state_d = RESPOND;
            RESPOND: if (s_axi_bready) state_d = IDLE;
            default: state_d = IDLE;
        endcase
    end

    always @(posedge clk) begin
        state_q <= state_d;
        if (rst) state_q <= IDLE;
    end

    always @(posedge clk) begin
        if (state_q == IDLE) begin
            id_q      <= s_axi_awid;
            address_q <= s_axi_awaddr;
            burst_q   <= s_axi_awlen != 4'd0;
        end
        if (state_q == DECODE) slave_q <= burst_q ? {SLAVES{1'b0}} : page;
        if (state_q == DATA) begin
            data_q   <= s_axi_wdata;
            strobe_q <= s_axi_wstrb;
        end
        if (state_q == REQUEST) begin
            address_sent_q <= address_sent_q | (m_axi_awvalid & m_axi_awready);
            data_sent_q    <= data_sent_q | (m_axi_wvalid & m_axi_wready);
        end else begin
            address_sent_q <= {SLAVES{1'b0}};
            data_sent_q    <= {SLAVES{1'b0}};
        end
        if (state_q == ANSWER) response_q <= response;
        else if (state_q == DATA) response_q <= SLVERR;
    end

    assign s_axi_awready = state_q == IDLE;
    assign s_axi_wready  = state_q == DATA;
    assign s_axi_bvalid  = state_q == RESPOND;
    assign s_axi_bid     = id_q;
    assign s_axi_bresp   = response_q;

    assign m_axi_awaddr  = address_q[11:0];
    assign m_axi_awvalid = state_q == REQUEST ? slave_q & ~address_sent_q : {SLAVES{1'b0}};
    assign m_axi_wdata   = data_q;
    assign m_axi_wstrb   = strobe_q;
    assign m_axi_wvalid  = state_q == REQUEST ? slave_q & ~data_sent_q : {SLAVES{1'b0}};
    assign m_axi_bready  = state_q == ANSWER ? slave_q : {SLAVES{1'b0}};

endmodule

`resetall
