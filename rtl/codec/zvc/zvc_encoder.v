// SPDX-License-Identifier: Apache-2.0
//
// zvc_encoder: zero-value coding of one block, VALUES_PER_CYCLE values a cycle (FORMAT.md section 5).
//
// Does: u = v - zero (mod 2^W). Stream A gets one bit a value, 1 = (u != 0); stream B gets the u that are not zero, W bits each.
//   A word of A is written whole (m_a_tstrb = 15) when its 64 mask bits are known, the last one zero-padded; B goes through a bit_packer.
// Latency: first raw word to the first full word of B: 8 cycles with dense data; a block takes ceil(values / 4) + 14 cycles at most without back-pressure.
// Throughput: 4 values a cycle, whatever the data: a raw word in two cycles, at most a B word in two cycles, an A word in sixteen.
// Assumes: the codec box (docs/ARCHITECTURE.md). It never sets `limit`, and has no table.
//   s_raw_tready depends on registers here and on the bit_packer's s_ready, on no ready of a neighbour.
// Does not: compare coded with raw size (the lane does), nor keep anything from one block to the next.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module zvc_encoder #(
    parameter W                = 8,     // bits of a value: 8
    parameter BLOCK_BYTES      = 4096,  // largest raw block in bytes: a power of two, 512..16384
    parameter VALUES_PER_CYCLE = 4      // values coded in a cycle: 4
) (
    input  wire                               clk,
    input  wire                               rst,             // also aborts a block

    // Control
    input  wire                               start,
    input  wire [$clog2(BLOCK_BYTES*8/W):0]   values,          // 1..BLOCK_BYTES*8/W
    input  wire [W-1:0]                       zero,            // zero point
    input  wire                               is_signed,       // not used by zvc
    output wire                               done,
    output wire [$clog2(BLOCK_BYTES/8):0]     a_words,         // words of A, valid with done
    output wire                               limit,           // always 0

    // Table load bus, not used by zvc
    input  wire                               table_valid,
    input  wire [7:0]                         table_address,
    input  wire [31:0]                        table_data,

    // Raw words, byte 0 = first value
    input  wire [63:0]                        s_raw_tdata,
    input  wire                               s_raw_tvalid,
    output wire                               s_raw_tready,

    // Stream A, first bit = bit 63
    output wire [63:0]                        m_a_tdata,
    output wire [$clog2(BLOCK_BYTES/8)-1:0]   m_a_taddress,
    output wire [3:0]                         m_a_tstrb,
    output wire                               m_a_tvalid,
    input  wire                               m_a_tready,

    // Stream B, first bit = bit 63
    output wire [63:0]                        m_b_tdata,
    output wire                               m_b_tvalid,
    input  wire                               m_b_tready
);

    localparam AW    = $clog2(BLOCK_BYTES / 8);
    localparam STEPS = $clog2(BLOCK_BYTES * 8 / W) - 1;  // width of a step count
    localparam V     = VALUES_PER_CYCLE;

    generate
        if (W != 8) begin : g_check_w
            zvc_encoder_W_must_be_8 u_error ();
        end
        if (V != 4) begin : g_check_values_per_cycle
            zvc_encoder_VALUES_PER_CYCLE_must_be_4 u_error ();
        end
        if (BLOCK_BYTES < 512 || BLOCK_BYTES > 16384 || (BLOCK_BYTES & (BLOCK_BYTES - 1)) != 0) begin : g_check_block_bytes
            zvc_encoder_BLOCK_BYTES_must_be_a_power_of_two_in_512_to_16384 u_error ();
        end
    endgenerate

    wire unused_inputs = &{1'b0, is_signed, table_valid, table_address, table_data};

    // The whole pipeline moves in a cycle, or none of it; both terms are registers here and in the packer.
    wire packer_ready;
    wire a_stall;
    wire run = packer_ready && !a_stall;

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 0: a raw word, shifted down by one step
    // ---------------------------------------------------------------------------------------------------------------
    reg             busy_q;       // from start to the cycle before done
    reg             take_q;       // steps are left that have not entered stage 1
    reg [STEPS-1:0] left_q;       // steps left after the present one
    reg             word_valid_q;
    reg             half_q;       // 1: the second step of the word
    reg [63:0]      word_q;

    reg             last_q;       // no step is left after the present one

    wire            step = word_valid_q && run;  // a step enters stage 1
    wire            word_end = half_q || last_q; // the present step is the last of its word

    wire [STEPS-1:0] steps = values[STEPS+1:2];  // whole steps of the block
    wire             tail  = |values[1:0];       // and one that is partly used

    assign s_raw_tready = take_q && (!word_valid_q || (step && half_q && !last_q));

    always @(posedge clk) begin
        if (s_raw_tvalid && s_raw_tready) word_q <= s_raw_tdata;
        else if (step) word_q[31:0] <= word_q[63:32];

        if (start) begin
            left_q <= tail ? steps : steps - 1'b1;
            last_q <= steps == {STEPS{1'b0}} || (steps == {{(STEPS - 1) {1'b0}}, 1'b1} && !tail);
            take_q <= 1'b1;
        end else if (step) begin
            left_q <= left_q - 1'b1;
            last_q <= left_q == {{(STEPS - 1) {1'b0}}, 1'b1};
            if (last_q) take_q <= 1'b0;
        end

        if (s_raw_tvalid && s_raw_tready) begin
            word_valid_q <= 1'b1;
            half_q       <= 1'b0;
        end else if (step) begin
            word_valid_q <= !word_end;
            half_q       <= 1'b1;
        end

        if (rst) begin
            take_q       <= 1'b0;
            word_valid_q <= 1'b0;
        end
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 1: the mask; value k of a step is v1_q[8k +: 8], mask1_q[k]
    // ---------------------------------------------------------------------------------------------------------------
    reg           valid1_q;
    reg           last1_q;
    reg [V*W-1:0] v1_q;
    reg [V-1:0]   mask1_q;

    // A partly used last step: values[1:0] = 1, 2, 3 values; 0 = all four
    wire [V-1:0] used = {values[1:0] == 2'd0, values[1] == values[0], values[1:0] != 2'd1, 1'b1};

    genvar k;
    generate
        for (k = 0; k < V; k = k + 1) begin : g_mask
            wire [W-1:0] v = word_q[W*k+:W];
            always @(posedge clk) begin
                if (run) begin
                    v1_q[W*k+:W] <= v;
                    mask1_q[k]   <= (v != zero) && (!last_q || used[k]);
                end
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (run) begin
            valid1_q <= word_valid_q;
            last1_q  <= last_q;
        end
        if (rst) valid1_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 2: u, and where each byte of the output comes from
    // ---------------------------------------------------------------------------------------------------------------
    reg           valid2_q;
    reg           last2_q;
    reg [V*W-1:0] u2_q;
    reg [2:0]     count2_q;   // values whose mask bit is set
    reg [1:0]     first2_q;   // number of the first such value
    reg [1:0]     second2_q;  // of the second: 1, 2, 3
    reg           third2_q;   // the third is value 0: 2, 1: 3

    reg [7:0]     choice;     // third, second, first, count
    always @* begin
        case (mask1_q)
            4'b0000: choice = {1'b0, 2'd1, 2'd0, 3'd0};
            4'b0001: choice = {1'b0, 2'd1, 2'd0, 3'd1};
            4'b0010: choice = {1'b0, 2'd1, 2'd1, 3'd1};
            4'b0011: choice = {1'b0, 2'd1, 2'd0, 3'd2};
            4'b0100: choice = {1'b0, 2'd1, 2'd2, 3'd1};
            4'b0101: choice = {1'b0, 2'd2, 2'd0, 3'd2};
            4'b0110: choice = {1'b0, 2'd2, 2'd1, 3'd2};
            4'b0111: choice = {1'b0, 2'd1, 2'd0, 3'd3};
            4'b1000: choice = {1'b0, 2'd1, 2'd3, 3'd1};
            4'b1001: choice = {1'b0, 2'd3, 2'd0, 3'd2};
            4'b1010: choice = {1'b0, 2'd3, 2'd1, 3'd2};
            4'b1011: choice = {1'b1, 2'd1, 2'd0, 3'd3};
            4'b1100: choice = {1'b0, 2'd3, 2'd2, 3'd2};
            4'b1101: choice = {1'b1, 2'd2, 2'd0, 3'd3};
            4'b1110: choice = {1'b1, 2'd2, 2'd1, 3'd3};
            default: choice = {1'b0, 2'd1, 2'd0, 3'd4};
        endcase
    end

    generate
        for (k = 0; k < V; k = k + 1) begin : g_value
            always @(posedge clk) if (run) u2_q[W*k+:W] <= v1_q[W*k+:W] - zero;
        end
    endgenerate

    always @(posedge clk) begin
        if (run) begin
            valid2_q <= valid1_q;
            last2_q  <= last1_q;
            {third2_q, second2_q, first2_q, count2_q} <= choice;
        end
        if (rst) valid2_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 3: the non-zero u, moved together; the first one in the top byte
    // ---------------------------------------------------------------------------------------------------------------
    reg           valid3_q;
    reg           last3_q;
    reg [V*W-1:0] bits3_q;
    reg [2:0]     count3_q;  // values in bits3_q

    wire [W-1:0] u0 = u2_q[0*W+:W];
    wire [W-1:0] u1 = u2_q[1*W+:W];
    wire [W-1:0] u2 = u2_q[2*W+:W];
    wire [W-1:0] u3 = u2_q[3*W+:W];

    always @(posedge clk) begin
        if (run) begin
            valid3_q <= valid2_q;
            last3_q  <= last2_q;
            count3_q <= count2_q;
            bits3_q  <= {
                first2_q[1] ? (first2_q[0] ? u3 : u2) : (first2_q[0] ? u1 : u0),
                second2_q[1] ? (second2_q[0] ? u3 : u2) : u1,
                third2_q ? u3 : u2,
                u3
            };
        end
        if (rst) valid3_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stream B
    // ---------------------------------------------------------------------------------------------------------------
    wire packer_empty;

    bit_packer #(
        .MAX_BITS   (V * W),
        .GRANULARITY(W)
    ) u_packer (
        .clk    (clk),
        .rst    (rst),
        .s_valid(valid3_q && !a_stall),
        .s_ready(packer_ready),
        .s_bits (bits3_q),
        .s_count({count3_q, 3'b000}),
        .s_flush(last3_q),
        .m_valid(m_b_tvalid),
        .m_ready(m_b_tready),
        .m_data (m_b_tdata),
        .empty  (packer_empty)
    );

    // ---------------------------------------------------------------------------------------------------------------
    // Stream A: mask bits collect in gather_q, a complete word moves on to a_data_q
    // ---------------------------------------------------------------------------------------------------------------
    reg [63:0] gather_q;
    reg [3:0]  place_q;   // where the next four mask bits go: 0 = bits 63:60
    reg        full_q;    // gather_q holds a complete word
    reg [63:0] a_data_q;
    reg        a_valid_q;
    reg [AW:0] a_words_q;  // words given to a_data_q

    wire       gather = valid1_q && run;
    wire       move   = full_q && (!a_valid_q || m_a_tready);

    assign a_stall = full_q && a_valid_q;

    generate
        for (k = 0; k < 16; k = k + 1) begin : g_gather
            always @(posedge clk) begin
                if (gather && place_q == 4'd0 && k != 0) gather_q[63-4*k-:4] <= 4'b0000;
                else if (gather && place_q == k) gather_q[63-4*k-:4] <= {mask1_q[0], mask1_q[1], mask1_q[2], mask1_q[3]};
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (gather) place_q <= place_q + 1'b1;

        if (gather && (last1_q || place_q == 4'd15)) full_q <= 1'b1;
        else if (move) full_q <= 1'b0;

        if (move) begin
            a_data_q  <= gather_q;
            a_valid_q <= 1'b1;
            a_words_q <= a_words_q + 1'b1;
        end else if (m_a_tready) begin
            a_valid_q <= 1'b0;
        end

        if (rst || start) begin
            place_q   <= 4'd0;
            full_q    <= 1'b0;
            a_valid_q <= 1'b0;
            a_words_q <= {(AW + 1) {1'b0}};
        end
    end

    wire [AW:0] a_place = a_words_q - 1'b1;

    assign m_a_tdata    = a_data_q;
    assign m_a_taddress = a_place[AW-1:0];
    assign m_a_tstrb    = 4'b1111;
    assign m_a_tvalid   = a_valid_q;
    wire unused_place = &{1'b0, a_place[AW]};

    // ---------------------------------------------------------------------------------------------------------------
    // The end of a block: nothing is left in any stage
    // ---------------------------------------------------------------------------------------------------------------
    reg done_q;

    wire drained = !take_q && !valid1_q && !valid2_q && !valid3_q && !full_q && !a_valid_q && packer_empty;

    always @(posedge clk) begin
        done_q <= busy_q && drained;
        if (start) busy_q <= 1'b1;
        else if (drained) busy_q <= 1'b0;
        if (rst) begin
            busy_q <= 1'b0;
            done_q <= 1'b0;
        end
    end

    assign done    = done_q;
    assign a_words = a_words_q;
    assign limit   = 1'b0;

endmodule

`resetall
