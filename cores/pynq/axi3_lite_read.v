// SPDX-License-Identifier: Apache-2.0
//
// axi3_lite_read: the read half of axi3_lite_bridge.
//
// Does: takes one AXI3 read at a time, finds the page of its address and reads the word there over AXI4-Lite; returns it under the ID of
//   the request.
// Answers: data and response of the slave; zeros with SLVERR, as many beats as asked for and nothing read, for an address in no page and
//   for a burst of more than one beat.
// Latency: R comes 4 cycles after AR, and the cycles that the slave takes. One read is outstanding.
// Ignores: ARSIZE (a narrow read gets the whole word, its bytes in their lanes), ARBURST, ARLOCK (the answer is never EXOKAY), ARCACHE,
//   ARPROT, ARQOS.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module axi3_lite_read #(
    parameter                   ID_WIDTH = 12,  // bits of an ID, 1..16
    parameter                   SLAVES   = 2,   // pages of 4 KiB, 1..8
    // first byte of each page, a multiple of 4096; slave 0 in the low bits
    parameter [32*SLAVES-1:0]   PAGES    = {32'h4001_0000, 32'h4000_0000}
) (
    input  wire                 clk,
    input  wire                 rst,
    // AXI3
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
    // AXI4-Lite: the address is common to all slaves
    output wire [11:0]          m_axi_araddr,
    output wire [SLAVES-1:0]    m_axi_arvalid,
    input  wire [SLAVES-1:0]    m_axi_arready,
    input  wire [32*SLAVES-1:0] m_axi_rdata,
    input  wire [2*SLAVES-1:0]  m_axi_rresp,
    input  wire [SLAVES-1:0]    m_axi_rvalid,
    output wire [SLAVES-1:0]    m_axi_rready
);

    localparam [1:0] SLVERR = 2'b10;

    localparam [2:0] IDLE    = 3'd0;  // no request
    localparam [2:0] DECODE  = 3'd1;  // the address is looked up
    localparam [2:0] CHOOSE  = 3'd2;  // error or not
    localparam [2:0] REQUEST = 3'd3;  // address on offer to the slave
    localparam [2:0] ANSWER  = 3'd4;  // waits for the slave's word
    localparam [2:0] RESPOND = 3'd5;  // beats on offer to the master

    reg  [2:0]           state_q, state_d;
    reg  [ID_WIDTH-1:0]  id_q;
    reg  [31:0]          address_q;
    reg  [3:0]           left_q;      // beats after this one
    reg  [31:0]          data_q;
    reg  [SLAVES-1:0]    slave_q;     // the slave meant, one-hot; none: error
    reg  [1:0]           response_q;

    wire [SLAVES-1:0]    page;
    wire [34*SLAVES-1:0] picked;      // response and data of the slave meant, others 0
    reg  [33:0]          answer;

    genvar k;
    generate
        if (ID_WIDTH < 1 || ID_WIDTH > 16) begin : g_check_id_width
            axi3_lite_read_ID_WIDTH_must_be_in_1_to_16 u_error ();
        end
        if (SLAVES < 1 || SLAVES > 8) begin : g_check_slaves
            axi3_lite_read_SLAVES_must_be_in_1_to_8 u_error ();
        end
        for (k = 0; k < SLAVES; k = k + 1) begin : g_page
            assign page[k] = address_q[31:12] == PAGES[32*k+12+:20];
            assign picked[34*k+:34] = slave_q[k] ? {m_axi_rresp[2*k+:2], m_axi_rdata[32*k+:32]} : 34'd0;
        end
    endgenerate

    integer i;
    always @* begin
        answer = 34'd0;
        for (i = 0; i < SLAVES; i = i + 1) answer = answer | picked[34*i+:34];
    end

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE:    if (s_axi_arvalid) state_d = DECODE;
            DECODE:  state_d = CHOOSE;
            CHOOSE:  state_d = |slave_q ? REQUEST : RESPOND;
            REQUEST: if (|(slave_q & m_axi_arready)) state_d = ANSWER;
            ANSWER:  if (|(slave_q & m_axi_rvalid)) state_d = RESPOND;
            RESPOND: if (s_axi_rready && left_q == 4'd0) state_d = IDLE;
            default: state_d = IDLE;
        endcase
    end

    always @(posedge clk) begin
        state_q <= state_d;
        if (rst) state_q <= IDLE;
    end

    always @(posedge clk) begin
        if (state_q == IDLE) begin
            id_q      <= s_axi_arid;
            address_q <= s_axi_araddr;
            left_q    <= s_axi_arlen;
        end
        if (state_q == DECODE) slave_q <= left_q != 4'd0 ? {SLAVES{1'b0}} : page;
        if (state_q == ANSWER) {response_q, data_q} <= answer;
        else if (state_q == CHOOSE) {response_q, data_q} <= {SLVERR, 32'd0};
        if (state_q == RESPOND && s_axi_rready) left_q <= left_q - 4'd1;
    end

    assign s_axi_arready = state_q == IDLE;
    assign s_axi_rvalid  = state_q == RESPOND;
    assign s_axi_rid     = id_q;
    assign s_axi_rdata   = data_q;
    assign s_axi_rresp   = response_q;
    assign s_axi_rlast   = left_q == 4'd0;

    assign m_axi_araddr  = address_q[11:0];
    assign m_axi_arvalid = state_q == REQUEST ? slave_q : {SLAVES{1'b0}};
    assign m_axi_rready  = state_q == ANSWER ? slave_q : {SLAVES{1'b0}};

endmodule

`resetall
