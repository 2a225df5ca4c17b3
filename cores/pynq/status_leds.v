// SPDX-License-Identifier: Apache-2.0
//
// status_leds: what the engine does, for the eye.
//
// Does: led_busy is lit while a job runs and for up to an eighth of a second after it (jobs last milliseconds); led_error while the last
//   job has ended with an error; led_heartbeat changes every half second while the clock runs and nothing resets.
// Assumes: CLOCK_MHZ is the frequency of clk; with another one the times are longer or shorter.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module status_leds #(
    parameter CLOCK_MHZ = 125  // of clk, 1..500
) (
    input  wire clk,
    input  wire rst,
    input  wire busy,
    input  wire error,
    output wire led_busy,
    output wire led_error,
    output wire led_heartbeat
);

    localparam [25:0] LAST = CLOCK_MHZ * 125_000 - 1;  // cycles in an eighth of a second, less one

    generate
        if (CLOCK_MHZ < 1 || CLOCK_MHZ > 500) begin : g_check_clock_mhz
            status_leds_CLOCK_MHZ_must_be_in_1_to_500 u_error ();
        end
    endgenerate

    reg [25:0] count_q;
    reg [2:0]  eighths_q;
    reg        tick_q;     // once in an eighth of a second
    reg        seen_q;     // busy since the last tick
    reg        busy_q;
    reg        error_q;

    always @(posedge clk) begin
        count_q <= tick_q ? 26'd0 : count_q + 26'd1;
        tick_q  <= count_q == LAST - 26'd1 && !tick_q;
        if (tick_q) eighths_q <= eighths_q + 3'd1;
        seen_q  <= busy || (seen_q && !tick_q);
        busy_q  <= busy || seen_q;
        error_q <= error;

        if (rst) begin
            count_q   <= 26'd0;
            tick_q    <= 1'b0;
            eighths_q <= 3'd0;
            seen_q    <= 1'b0;
            busy_q    <= 1'b0;
            error_q   <= 1'b0;
        end
    end

    assign led_busy      = busy_q;
    assign led_error     = error_q;
    assign led_heartbeat = eighths_q[2];

endmodule

`resetall
