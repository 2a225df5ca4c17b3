// SPDX-License-Identifier: Apache-2.0
//
// ebpc_delta_planes: groups the non-zero values of a block and turns each group into bit planes (FORMAT.md section 4, stream B).
//
// Does: drops the values that are zero, shifts the differences of the others into one array, and hands a complete group to a second
//   array that shifts along its other axis: two planes a step. Step 0 carries the base and plane 0, step s the planes 2s-1 and 2s;
//   a group has (W+2)/2 steps. After the last value the group is filled with zeros and an empty step with m_flush closes the block.
// Latency: last value of a group to its step 0: 3 cycles. Throughput: one value a cycle; W values a group against (W+2)/2 + 1 cycles.
// Assumes: an s_last beat closes every block, or `rst`; is_signed stable.
// Does not: code planes (ebpc_plane_encoder does).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module ebpc_delta_planes #(
    parameter W = 8  // bits of a value, values of a group: 8 or 16
) (
    input  wire         clk,
    input  wire         rst,
    input  wire         is_signed,   // differences of signed values

    // Values
    input  wire         s_valid,
    output wire         s_ready,     // a function of registers only
    input  wire [W-1:0] s_u,
    input  wire         s_nonzero,
    input  wire         s_last,      // last value of the block

    // Steps; the steps of a group follow each other without a gap while m_ready
    output wire         m_valid,
    input  wire         m_ready,
    output wire         m_flush,     // no planes, the block ends
    output wire         m_base,      // m_one is the base
    output wire         m_final,     // last step of a group
    output wire [W-1:0] m_one,       // first item: the base, or DBX in the W-1 bits on the left
    output wire [W-2:0] m_two,       // second item: DBX
    output wire         m_one_zero,  // DBP of the first item is zero
    output wire         m_two_zero   // DBP of the second item is zero
);

    localparam COUNT_WIDTH = $clog2(W);
    localparam N           = W - 1;  // differences of a group
    localparam STEP_LAST   = W / 2;  // steps of a group, less one
    localparam STEP_WIDTH  = $clog2(STEP_LAST + 1);

    localparam [COUNT_WIDTH-1:0] COUNT_ONE  = 1;
    localparam [COUNT_WIDTH-1:0] COUNT_LAST = {COUNT_WIDTH{1'b1}};
    localparam [STEP_WIDTH-1:0]  STEP_ONE   = 1;

    generate
        if (W != 8 && W != 16) begin : g_check_w
            ebpc_delta_planes_W_must_be_8_or_16 u_error ();
        end
    endgenerate

    // ---------------------------------------------------------------------------------------------------------------
    // Filling: a group of values becomes a base and N differences
    // ---------------------------------------------------------------------------------------------------------------
    reg                   ending_q;  // the last value is in
    reg                   full_q;    // base_q and delta_q hold a group
    reg [COUNT_WIDTH-1:0] count_q;   // values of the group being filled
    reg [W-1:0]           base_q;
    reg [W-1:0]           before_q;  // the value before
    reg [N*(W+1)-1:0]     delta_q;   // d_0 lowest

    reg busy_q;  // the second array holds steps

    wire         room  = !(full_q && busy_q);
    wire         begun = |count_q;
    wire         fill  = ending_q && begun;
    wire         push  = room && (fill || (s_valid && s_nonzero && !ending_q));
    wire [W-1:0] x     = s_u & {W{!ending_q}};
    wire [W:0]   delta = {is_signed && x[W-1], x} - {is_signed && before_q[W-1], before_q};
    wire         load  = full_q && !busy_q;
    wire         close = ending_q && !begun && !full_q && !busy_q;

    assign s_ready = room && !ending_q;

    always @(posedge clk) begin
        if (push) begin
            before_q <= x;
            count_q  <= count_q + COUNT_ONE;
            if (begun) delta_q <= {delta, delta_q[N*(W+1)-1:W+1]};
            else base_q <= x;
        end

        if (push && count_q == COUNT_LAST) full_q <= 1'b1;
        else if (load) full_q <= 1'b0;

        if (s_valid && s_ready && s_last) ending_q <= 1'b1;
        else if (close) ending_q <= 1'b0;

        if (rst) begin
            ending_q <= 1'b0;
            full_q   <= 1'b0;
            count_q  <= {COUNT_WIDTH{1'b0}};
        end
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Emptying: plane 2s-1 and plane 2s are always at the same two places of the array
    // ---------------------------------------------------------------------------------------------------------------
    reg                  flush_q;
    reg [STEP_WIDTH-1:0] step_q;
    reg [W-1:0]          group_base_q;
    reg [N-1:0]          before_plane_q;          // the plane before the first item
    reg [N*(W+2)-1:0]    planes_q;                // plane p at (p+1)*N, d_0 leftmost

    wire group_end = step_q == STEP_LAST[STEP_WIDTH-1:0];
    wire step      = busy_q && m_ready;
    wire is_base   = step_q == {STEP_WIDTH{1'b0}};

    wire [N*(W+2)-1:0] transposed;
    assign transposed[N-1:0] = {N{1'b0}};
    genvar p, k;
    generate
        for (p = 0; p <= W; p = p + 1) begin : g_plane
            for (k = 0; k < N; k = k + 1) begin : g_bit
                assign transposed[(p+1)*N+N-1-k] = delta_q[k*(W+1)+p];
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (load) begin
            planes_q     <= transposed;
            group_base_q <= base_q;
        end else if (step) begin
            planes_q <= {{(2 * N) {1'b0}}, planes_q[N*(W+2)-1:2*N]};
        end
        if (step) before_plane_q <= planes_q[2*N-1:N];

        if (load || close) begin
            busy_q  <= 1'b1;
            flush_q <= close;
        end else if (step && (group_end || flush_q)) begin
            busy_q <= 1'b0;
        end

        if (step) step_q <= group_end || flush_q ? {STEP_WIDTH{1'b0}} : step_q + STEP_ONE;

        if (rst) begin
            busy_q <= 1'b0;
            step_q <= {STEP_WIDTH{1'b0}};
        end
    end

    // ---------------------------------------------------------------------------------------------------------------
    // The step, registered
    // ---------------------------------------------------------------------------------------------------------------
    reg         valid_q;
    reg         out_flush_q;
    reg         out_base_q;
    reg         out_final_q;
    reg [W-1:0] one_q;
    reg [N-1:0] two_q;
    reg         one_zero_q;
    reg         two_zero_q;

    wire [N-1:0] plane_one = planes_q[N-1:0];
    wire [N-1:0] plane_two = planes_q[2*N-1:N];

    always @(posedge clk) begin
        if (m_ready) begin
            valid_q     <= busy_q;
            out_flush_q <= flush_q;
            out_base_q  <= is_base;
            out_final_q <= group_end;
            one_q       <= is_base ? group_base_q : {plane_one ^ before_plane_q, 1'b0};
            two_q       <= plane_two ^ plane_one;
            one_zero_q  <= plane_one == {N{1'b0}};
            two_zero_q  <= plane_two == {N{1'b0}};
        end
        if (rst) valid_q <= 1'b0;
    end

    assign m_valid    = valid_q;
    assign m_flush    = out_flush_q;
    assign m_base     = out_base_q;
    assign m_final    = out_final_q;
    assign m_one      = one_q;
    assign m_two      = two_q;
    assign m_one_zero = one_zero_q;
    assign m_two_zero = two_zero_q;

endmodule

`resetall
