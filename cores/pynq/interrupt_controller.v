// SPDX-License-Identifier: Apache-2.0
//
// interrupt_controller: the part of AMD's AXI INTC (product guide PG099) that pynq's Interrupt works with, as an AXI4-Lite slave.
//
// Does: a level on a line sets its bit in ISR once MER.HIE is set; irq is high while MER.ME is set and a bit of ISR is enabled in IER.
//   A bit cleared through IAR comes back at once while its line is still high.
// Registers: 0x00 ISR (r; w sets bits until HIE is set), 0x04 IPR = ISR & IER (r), 0x08 IER (rw), 0x0C IAR (w1 clears ISR),
//   0x10 SIE (w1 sets IER), 0x14 CIE (w1 clears IER), 0x18 IVR (r: number of the first line of IPR, all ones if none),
//   0x1C MER (rw: bit 0 ME, bit 1 HIE, which only a reset clears). Write-only ones read 0. WSTRB is honoured.
// Answers: OKAY; SLVERR above 0x1C (reads 0, writes nothing). Address bits 1:0 are ignored.
// Latency: B comes 2 cycles after AW and W, R 2 cycles after AR; one of each is outstanding. irq follows a line in 2 cycles.
// Does not: edges, priorities other than the number, nesting (ILR), vectors (IVAR), fast mode (IMR).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module interrupt_controller #(
    parameter LINES = 1  // interrupt inputs, 1..32
) (
    input  wire             clk,
    input  wire             rst,
    // AXI4-Lite
    input  wire [11:0]      s_axi_awaddr,
    input  wire             s_axi_awvalid,
    output wire             s_axi_awready,
    input  wire [31:0]      s_axi_wdata,
    input  wire [3:0]       s_axi_wstrb,
    input  wire             s_axi_wvalid,
    output wire             s_axi_wready,
    output wire [1:0]       s_axi_bresp,
    output wire             s_axi_bvalid,
    input  wire             s_axi_bready,
    input  wire [11:0]      s_axi_araddr,
    input  wire             s_axi_arvalid,
    output wire             s_axi_arready,
    output wire [31:0]      s_axi_rdata,
    output wire [1:0]       s_axi_rresp,
    output wire             s_axi_rvalid,
    input  wire             s_axi_rready,
    // Interrupts
    input  wire [LINES-1:0] lines,  // levels, high: wants service
    output wire             irq     // level
);

    generate
        if (LINES < 1 || LINES > 32) begin : g_check_lines
            interrupt_controller_LINES_must_be_in_1_to_32 u_error ();
        end
    endgenerate

    localparam [1:0] OKAY   = 2'b00;
    localparam [1:0] SLVERR = 2'b10;

    localparam [2:0] ISR = 3'd0;
    localparam [2:0] IPR = 3'd1;
    localparam [2:0] IER = 3'd2;
    localparam [2:0] IAR = 3'd3;
    localparam [2:0] SIE = 3'd4;
    localparam [2:0] CIE = 3'd5;
    localparam [2:0] IVR = 3'd6;
    localparam [2:0] MER = 3'd7;

    // ---------------------------------------------------------------------------------------------------------------
    // Write channels: AW and W are caught in any order
    // ---------------------------------------------------------------------------------------------------------------
    reg         aw_held_q;
    reg         w_held_q;
    reg         bvalid_q;
    reg         bad_write_q;
    reg  [11:2] waddr_q;
    reg  [31:0] wdata_q;
    reg  [3:0]  wstrb_q;

    wire        inside = waddr_q[11:5] == 7'd0;
    wire        take   = aw_held_q && w_held_q && !bvalid_q;
    wire        write  = take && inside;
    wire [2:0]  where  = waddr_q[4:2];
    wire [31:0] mask   = {{8{wstrb_q[3]}}, {8{wstrb_q[2]}}, {8{wstrb_q[1]}}, {8{wstrb_q[0]}}};

    always @(posedge clk) begin
        if (!aw_held_q) waddr_q <= s_axi_awaddr[11:2];
        if (!w_held_q) begin
            wdata_q <= s_axi_wdata;
            wstrb_q <= s_axi_wstrb;
        end

        if (!aw_held_q) aw_held_q <= s_axi_awvalid;
        else if (take) aw_held_q <= 1'b0;
        if (!w_held_q) w_held_q <= s_axi_wvalid;
        else if (take) w_held_q <= 1'b0;

        if (take) begin
            bvalid_q    <= 1'b1;
            bad_write_q <= !inside;
        end else if (s_axi_bready) begin
            bvalid_q <= 1'b0;
        end

        if (rst) begin
            aw_held_q <= 1'b0;
            w_held_q  <= 1'b0;
            bvalid_q  <= 1'b0;
        end
    end

    assign s_axi_awready = !aw_held_q;
    assign s_axi_wready  = !w_held_q;
    assign s_axi_bvalid  = bvalid_q;
    assign s_axi_bresp   = bad_write_q ? SLVERR : OKAY;

    // ---------------------------------------------------------------------------------------------------------------
    // Registers
    // ---------------------------------------------------------------------------------------------------------------
    reg  [LINES-1:0] status_q;
    reg  [LINES-1:0] enable_q;
    reg              master_q;
    reg              hardware_q;
    reg              irq_q;

    wire [31:0]      ones      = wdata_q & mask;  // bits written as 1
    wire [31:0]      zeros     = ~wdata_q & mask;
    wire [LINES-1:0] set       = hardware_q ? lines : write && where == ISR ? ones[LINES-1:0] : {LINES{1'b0}};
    wire [LINES-1:0] clear     = write && where == IAR ? ones[LINES-1:0] : {LINES{1'b0}};
    wire             at_enable = write && where == IER;
    wire [LINES-1:0] enable    = write && (where == SIE || at_enable) ? ones[LINES-1:0] : {LINES{1'b0}};
    wire [LINES-1:0] disabled  = write && where == CIE ? ones[LINES-1:0] : at_enable ? zeros[LINES-1:0] : {LINES{1'b0}};
    wire [LINES-1:0] pending   = status_q & enable_q;

    always @(posedge clk) begin
        status_q <= (status_q & ~clear) | set;
        enable_q <= (enable_q & ~disabled) | enable;
        if (write && where == MER && wstrb_q[0]) begin
            master_q   <= wdata_q[0];
            hardware_q <= hardware_q || wdata_q[1];
        end
        irq_q <= master_q && |pending;

        if (rst) begin
            status_q   <= {LINES{1'b0}};
            enable_q   <= {LINES{1'b0}};
            master_q   <= 1'b0;
            hardware_q <= 1'b0;
            irq_q      <= 1'b0;
        end
    end

    assign irq = irq_q;

    // ---------------------------------------------------------------------------------------------------------------
    // Read channels
    // ---------------------------------------------------------------------------------------------------------------
    reg         ar_held_q;
    reg         rvalid_q;
    reg         bad_read_q;
    reg  [11:2] raddr_q;
    reg  [31:0] rdata_q;

    wire        read = ar_held_q && !rvalid_q;

    reg  [31:0] first;
    integer     i;
    always @* begin
        first = 32'hFFFF_FFFF;
        for (i = LINES - 1; i >= 0; i = i - 1) if (pending[i]) first = i;
    end

    reg [31:0] value;
    always @* begin
        value = 32'd0;
        case (raddr_q[4:2])
            ISR:     value[LINES-1:0] = status_q;
            IPR:     value[LINES-1:0] = pending;
            IER:     value[LINES-1:0] = enable_q;
            IVR:     value = first;
            MER:     value[1:0] = {hardware_q, master_q};
            default: value = 32'd0;
        endcase
    end

    always @(posedge clk) begin
        if (!ar_held_q) raddr_q <= s_axi_araddr[11:2];
        if (!ar_held_q) ar_held_q <= s_axi_arvalid;
        else if (read) ar_held_q <= 1'b0;

        if (read) begin
            rvalid_q   <= 1'b1;
            bad_read_q <= raddr_q[11:5] != 7'd0;
            rdata_q    <= raddr_q[11:5] != 7'd0 ? 32'd0 : value;
        end else if (s_axi_rready) begin
            rvalid_q <= 1'b0;
        end

        if (rst) begin
            ar_held_q <= 1'b0;
            rvalid_q  <= 1'b0;
        end
    end

    assign s_axi_arready = !ar_held_q;
    assign s_axi_rvalid  = rvalid_q;
    assign s_axi_rdata   = rdata_q;
    assign s_axi_rresp   = bad_read_q ? SLVERR : OKAY;

    wire unused = &{1'b0, s_axi_awaddr[1:0], s_axi_araddr[1:0], ones, zeros};

endmodule

`resetall
