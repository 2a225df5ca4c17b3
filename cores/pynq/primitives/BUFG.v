// SPDX-License-Identifier: Apache-2.0
//
// BUFG: a model of the global clock buffer, for lint and simulation. FPGA tools have the cell itself.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module BUFG (
    input  wire I,
    output wire O
);

    assign O = I;

endmodule

`resetall
