// SPDX-License-Identifier: Apache-2.0
//
// ebpc_zero_runs: stream A of EBPC, one flag (value is not zero) in, at most one beat of code bits out (FORMAT.md section 4).
//
// Does: a non-zero value is `1`; a run of L = 1..16 zeros is `0` and L-1 in 4 bits, given out together with the non-zero value that
//   ends it, or alone when it is 16 long or the block ends.
// Latency: 1 cycle. Throughput: one flag a cycle. A beat has 1, 5 or 6 bits; s_last makes a beat with m_flush.
// Assumes: an s_last beat closes every block, or `rst`.
// Does not: pack bits into words (bit_packer does).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_zero_runs (
    input  wire       clk,
    input  wire       rst,
    input  wire       s_valid,
    output wire       s_ready,
    input  wire       s_nonzero,
    input  wire       s_last,    // last value of the block
    output wire       m_valid,
    input  wire       m_ready,
    output wire [5:0] m_bits,    // left-aligned
    output wire [2:0] m_count,   // 1, 5 or 6
    output wire       m_flush
);

    reg       pending_q;  // zeros are held back
    reg [3:0] run_q;      // how many, less one
    reg       valid_q;
    reg       flush_q;
    reg [5:0] bits_q;
    reg [2:0] count_q;

    wire [3:0] run_next = pending_q ? run_q + 4'd1 : 4'd0;
    wire       run_ends = s_last || (run_next == 4'd15);
    wire       advance  = m_ready || !valid_q;

    always @(posedge clk) begin
        if (advance) begin
            valid_q <= s_valid && (s_nonzero || run_ends);
            flush_q <= s_last;
            if (!s_nonzero) begin
                bits_q  <= {1'b0, run_next, 1'b0};
                count_q <= 3'd5;
            end else if (pending_q) begin
                bits_q  <= {1'b0, run_q, 1'b1};
                count_q <= 3'd6;
            end else begin
                bits_q  <= 6'b100000;
                count_q <= 3'd1;
            end
            if (s_valid) begin
                pending_q <= !s_nonzero && !run_ends;
                run_q     <= run_next;
            end
        end
        if (rst) begin
            pending_q <= 1'b0;
            valid_q   <= 1'b0;
        end
    end

    assign s_ready = advance;
    assign m_valid = valid_q;
    assign m_bits  = bits_q;
    assign m_count = count_q;
    assign m_flush = flush_q;

endmodule

`resetall
