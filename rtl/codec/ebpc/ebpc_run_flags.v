// SPDX-License-Identifier: Apache-2.0
//
// ebpc_run_flags: stream A of EBPC back to one flag a value, 1 = not zero (FORMAT.md section 4).
//
// Does: `1` is a value that is not zero, `0` and four bits L-1 are L zeros; a run ends with the block should it say more.
// Latency: window to m_* 1 cycle. Throughput: one flag a cycle.
// Assumes: m_ready does not wait for m_valid (a skid buffer follows); `values` (1 or more) stable from `start` to the last flag; a window of
//   5 bits (bit_unpacker, MAX_BITS = 5).
// Does not: give anything after the last flag.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_run_flags #(
    parameter VALUES_WIDTH = 13  // bits of `values`
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    start,             // one cycle, before the first window is taken
    input  wire [VALUES_WIDTH-1:0] values,

    // Window of bit_unpacker
    input  wire                    window_valid,
    output wire                    window_ready,
    input  wire [4:0]              window_bits,
    input  wire [2:0]              window_available,
    output wire [2:0]              window_consume,

    // Flags
    output wire                    m_valid,
    input  wire                    m_ready,
    output wire                    m_nonzero,
    output wire                    m_last,
    output wire                    m_bad              // bits were missing
);

    localparam [VALUES_WIDTH-1:0] ONE_VALUE = 1;

    reg                    active_q;     // flags are left
    reg [VALUES_WIDTH-1:0] left_q;       // how many, less one
    reg                    zeros_q;      // a run goes on
    reg                    want_q;       // active_q && !zeros_q
    reg [3:0]              run_q;        // zeros left in it, less one, with zeros_q
    reg                    valid_q, nonzero_q, last_q, bad_q;

    wire one     = window_bits[4];
    wire advance = m_ready;
    wire give    = advance && active_q && (zeros_q || window_valid);
    wire last    = left_q == {VALUES_WIDTH{1'b0}};

    assign window_ready   = advance && want_q;
    assign window_consume = one ? 3'd1 : 3'd5;

    wire zeros_d  = zeros_q ? run_q != 4'd0 : !one && window_bits[3:0] != 4'd0;  // with give

    always @(posedge clk) begin
        if (start) want_q <= 1'b1;
        else if (give) want_q <= !last && !zeros_d;

        if (start) left_q <= values - ONE_VALUE;
        else if (give) left_q <= left_q - ONE_VALUE;

        if (start) active_q <= 1'b1;
        else if (give && last) active_q <= 1'b0;

        if (give) begin
            nonzero_q <= one && !zeros_q;
            last_q    <= last;
            bad_q     <= !zeros_q && window_available < window_consume;
            zeros_q   <= zeros_d;
            run_q     <= (zeros_q ? run_q : window_bits[3:0]) - 4'd1;
        end
        if (advance) valid_q <= give;

        if (rst) begin
            active_q <= 1'b0;
            want_q   <= 1'b0;
            zeros_q  <= 1'b0;
            valid_q  <= 1'b0;
        end
    end

    assign m_valid   = valid_q;
    assign m_nonzero = nonzero_q;
    assign m_last    = last_q;
    assign m_bad     = bad_q;

endmodule

`resetall
