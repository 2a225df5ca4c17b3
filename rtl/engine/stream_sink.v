// SPDX-License-Identifier: Apache-2.0
//
// Makes the beats of m_axis_raw out of the words of the lanes, one or two of which come at a time.
//
// With a port of 8 bytes each word is a beat. With 16 bytes a word that comes alone waits for the next one, unless it is the last of its job; two that
// come together are a beat. They never straddle: blocks are multiples of 128 bytes, but for the last one of a job.
// Latency 1 cycle, a beat every cycle. A beat once shown stays, whatever `rst` of the engine's jobs does; `drop` empties what waits.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module stream_sink #(
    parameter BYTES = 8  // of a beat: 8, 16
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               drop,
    input  wire               s_valid,
    output wire               s_ready,
    input  wire [8*BYTES-1:0] s_data,
    input  wire               s_both,   // BYTES = 16: both words are valid, else the low one
    input  wire               s_last,   // of the job
    input  wire [        2:0] s_tail,   // with s_last: bytes used in the last word, 0 = 8
    output wire [8*BYTES-1:0] m_axis_tdata,
    output wire [  BYTES-1:0] m_axis_tkeep,
    output wire               m_axis_tvalid,
    input  wire               m_axis_tready,
    output wire               m_axis_tlast
);

    wire [7:0] keep = s_last && s_tail != 3'd0 ? ~(8'hFF << s_tail) : 8'hFF;
    wire place;

    generate
        if (BYTES == 16) begin : g_wide
            reg held_q;
            reg [63:0] word_q;
            wire hold = !s_both && !s_last && !held_q;  // this word waits for the next one
            // a word that does not come is shown as zeros: what a bank held before is nobody's
            wire [127:0] data = held_q ? {s_data[63:0], word_q} : {s_data[127:64] & {64{s_both}}, s_data[63:0]};
            wire [15:0] keeps = held_q || s_both ? {keep, 8'hFF} : {8'h00, keep};

            assign s_ready = place;

            always @(posedge clk) begin
                if (s_valid && s_ready) held_q <= hold;
                if (s_valid && s_ready && hold) word_q <= s_data[63:0];
                if (rst || drop) held_q <= 1'b0;
            end

            skid_buffer #(
                .WIDTH(145)
            ) u_beats (
                .clk(clk),
                .rst(rst),
                .s_valid(s_valid && !hold),
                .s_ready(place),
                .s_data({s_last, keeps, data}),
                .m_valid(m_axis_tvalid),
                .m_ready(m_axis_tready),
                .m_data({m_axis_tlast, m_axis_tkeep, m_axis_tdata})
            );
        end else begin : g_narrow
            wire unused = &{1'b0, s_both, drop};

            assign s_ready = place;

            skid_buffer #(
                .WIDTH(73)
            ) u_beats (
                .clk(clk),
                .rst(rst),
                .s_valid(s_valid),
                .s_ready(place),
                .s_data({s_last, keep, s_data}),
                .m_valid(m_axis_tvalid),
                .m_ready(m_axis_tready),
                .m_data({m_axis_tlast, m_axis_tkeep, m_axis_tdata})
            );
        end
    endgenerate

endmodule

`resetall
