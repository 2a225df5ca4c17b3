// SPDX-License-Identifier: Apache-2.0
//
// reset_sync: an active-low reset of any timing becomes one that ends with the clock.
//
// Does: aresetn falls at once with reset_n, and rises STAGES cycles after it, so that a flip-flop that hesitates has settled. It starts
//   low when the FPGA wakes up, even if reset_n is never pulled.
// Assumes: the clock runs; reset_n is low for longer than the recovery time of a flip-flop.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module reset_sync #(
    parameter STAGES = 4  // flip-flops in a row, 2..16
) (
    input  wire clk,
    input  wire reset_n,
    output wire aresetn
);

    generate
        if (STAGES < 2 || STAGES > 16) begin : g_check_stages
            reset_sync_STAGES_must_be_in_2_to_16 u_error ();
        end
    endgenerate

    (* ASYNC_REG = "TRUE" *)
    reg [STAGES-1:0] chain_q;

    initial chain_q = {STAGES{1'b0}};

    always @(posedge clk or negedge reset_n)
        if (!reset_n) chain_q <= {STAGES{1'b0}};
        else chain_q <= {chain_q[STAGES-2:0], 1'b1};

    assign aresetn = chain_q[STAGES-1];

endmodule

`resetall
