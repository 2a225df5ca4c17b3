// SPDX-License-Identifier: Apache-2.0
//
// ebpc_plane_window: the next bits of stream B of EBPC, moved on each step by an amount that was known a cycle before.
//
// Does: `m_bits` are the bits in front; `m_next` is what they will be after this cycle's step, so that the user works out the amount of
//   the step after it in the same cycle and hands it over as a one-hot register: from register to `m_next` there are two LUT levels.
//   That is why this is not common/bit_unpacker, whose user works out the amount from the registered window, in front of the shift.
//   VIEW bits are kept in order, so many that `m_next` never needs those that come in; these are found by a shift by a pointer
//   register behind them, four places to choose from in one LUT, then four in the next. Units of 2*W bits are cut from the words as
//   in bit_unpacker.
// Latency: word to m_valid 2 cycles; the first PREPARE steps must be of W bits, after them the stream's first bit is in front.
// Throughput: a step a cycle while words come.
// Assumes: by one-hot in a step; s_data stable while s_valid && !s_ready, s_end not before the last word was taken.
//   After s_end only rst makes it ready for another stream.
// Does not: stop at the end of the stream: zeros follow, and m_missing tells that the steps so far took bits that are not there.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_plane_window #(
    parameter W = 8  // bits of a value: 8 or 16
) (
    input  wire           clk,
    input  wire           rst,        // synchronous: drops all bits

    input  wire           s_valid,
    output wire           s_ready,
    input  wire [63:0]    s_data,     // first bit at bit 63
    input  wire           s_end,      // level: every word has been handed over

    output wire           m_valid,    // a step can be made
    input  wire           m_ready,    // m_valid && m_ready: this cycle is a step
    input  wire [2*W:1]   m_by,       // of so many bits: a register, one-hot
    output wire [2*W-1:0] m_bits,     // next bit at 2*W-1
    output wire [W+3:0]   m_next,     // after the step: the first W+4 bits
    output wire           m_missing   // steps before this one took bits past the end
);

    localparam UNIT    = 2 * W;
    localparam HEAD    = W + 4;         // bits of m_next
    localparam VIEW    = UNIT + HEAD;
    localparam PREPARE = 4;             // steps of W bits until VIEW bits are in place; a word begins PREPARE*W - VIEW bits later
    localparam PW      = $clog2(UNIT);  // bits of the pointer
    localparam PARTS   = 5;             // so that two amounts there are share a LUT at W = 8
    localparam POINTER_FIRST = UNIT + VIEW - PREPARE * W;

    generate
        if (W != 8 && W != 16) begin : g_check_w
            ebpc_plane_window_W_must_be_8_or_16 u_error ();
        end
    endgenerate

    // While no unit is here, `unit` is zero.
    wire            unit_valid, unit_take, unit_known, unused_end;
    wire [UNIT-1:0] unit;

    unit_cutter #(.UNIT(UNIT)) u_units (
        .clk    (clk),
        .rst    (rst),
        .s_valid(s_valid),
        .s_ready(s_ready),
        .s_data (s_data),
        .s_end  (s_end),
        .m_valid(unit_valid),
        .m_ready(unit_take),
        .m_data (unit),
        .m_end  (unused_end),
        .m_known(unit_known)
    );

    // ---------------------------------------------------------------------------------------------------------------
    // Bits behind the view: `first_q` and `unit`, from the pointer on
    // ---------------------------------------------------------------------------------------------------------------
    reg [UNIT-1:0] first_q;    // the unit before `unit`; in the beginning one that is not of the stream
    reg [PW-1:0]   pointer_q;
    reg [1:0]      drained_q;  // units taken past the end, 3 and more count as 3

    wire             step  = m_valid && m_ready;
    wire [2*UNIT-1:0] pair   = {first_q, unit};
    // Choices written as and-or: the mapper finds them smaller and faster so than a shift.
    reg [2*UNIT-1:0] coarse, fine;
    integer q;
    always @* begin
        coarse = {(2 * UNIT) {1'b0}};
        for (q = 0; q < UNIT / 4; q = q + 1) coarse = coarse | ((pair << (4 * q)) & {(2 * UNIT) {pointer_q[PW-1:2] == q[PW-3:0]}});
        fine = {(2 * UNIT) {1'b0}};
        for (q = 0; q < 4; q = q + 1) fine = fine | ((coarse << q) & {(2 * UNIT) {pointer_q[1:0] == q[1:0]}});
    end
    wire [UNIT-1:0]   behind = fine[2*UNIT-1-:UNIT];
    wire              unused_fine = &{1'b0, fine[UNIT-1:0]};

    reg [PW-1:0] amount;  // of the step, modulo UNIT
    integer      n;
    always @* begin
        amount = {PW{1'b0}};
        for (n = 1; n < UNIT; n = n + 1) amount = amount | (n[PW-1:0] & {PW{m_by[n]}});
    end

    wire [PW-1:0] pointer_d = pointer_q + amount;

    // The pointer passes first_q: the sum's carry, needed early, in plain logic of few levels
    (* keep *) reg [PARTS-1:0] passes;  // one LUT each
    integer c, v;
    always @* begin
        passes = {PARTS{1'b0}};
        for (c = 1; c <= UNIT; c = c + 1) begin
            for (v = UNIT - c; v < UNIT; v = v + 1) passes[c%PARTS] = passes[c%PARTS] || (m_by[c] && pointer_q == v[PW-1:0]);
        end
    end
    wire carry = |passes;

    assign m_valid   = unit_known;
    assign unit_take = step && carry;

    always @(posedge clk) begin
        if (step) pointer_q <= pointer_d;
        if (unit_take) first_q <= unit;
        if (unit_take && !unit_valid && drained_q != 2'd3) drained_q <= drained_q + 2'd1;
        if (rst) begin
            pointer_q <= POINTER_FIRST[PW-1:0];
            drained_q <= 2'd0;
        end
    end

    // VIEW + UNIT - pointer - UNIT * drained bits are left, of which the first are in the view.
    localparam POINTER_END = VIEW - UNIT;
    assign m_missing = drained_q == 2'd3 || (drained_q == 2'd2 && pointer_q > POINTER_END[PW-1:0]);

    // ---------------------------------------------------------------------------------------------------------------
    // The view
    // ---------------------------------------------------------------------------------------------------------------
    // The amounts there are, in groups of three, so that a group is one LUT a bit:
    //   W = 8: 2 5, 6 7 8, 10 13 16; W = 16: 2 5 7, 9 10 11, 14 16 18, 21 25 32.
    localparam END_0 = W == 8 ? 5 : 7;
    localparam END_1 = W == 8 ? 8 : 11;
    localparam END_2 = W == 8 ? 16 : 18;

    reg  [VIEW-1:0]      view_q;
    wire [VIEW+UNIT-1:0] all = {view_q, behind};
    reg [VIEW-1:0] moved_0, moved_1, moved_2, moved_3;

    integer k;
    always @* begin
        moved_0 = {VIEW{1'b0}};
        moved_1 = {VIEW{1'b0}};
        moved_2 = {VIEW{1'b0}};
        moved_3 = {VIEW{1'b0}};
        for (k = 1; k <= UNIT; k = k + 1) begin
            if (k <= END_0) moved_0 = moved_0 | (all[VIEW+UNIT-1-k-:VIEW] & {VIEW{m_by[k]}});
            else if (k <= END_1) moved_1 = moved_1 | (all[VIEW+UNIT-1-k-:VIEW] & {VIEW{m_by[k]}});
            else if (k <= END_2) moved_2 = moved_2 | (all[VIEW+UNIT-1-k-:VIEW] & {VIEW{m_by[k]}});
            else moved_3 = moved_3 | (all[VIEW+UNIT-1-k-:VIEW] & {VIEW{m_by[k]}});
        end
    end
    wire [VIEW-1:0] view_d = moved_0 | moved_1 | moved_2 | moved_3;

    always @(posedge clk) begin
        if (step) view_q <= view_d;
    end

    assign m_bits = view_q[VIEW-1-:2*W];
    assign m_next = view_d[VIEW-1-:HEAD];

endmodule

`resetall
