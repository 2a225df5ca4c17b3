// SPDX-License-Identifier: Apache-2.0
//
// zvc_decoder: the inverse of zvc_encoder, VALUES_PER_CYCLE values a cycle (FORMAT.md section 5).
//
// Does: takes one mask bit a value from stream A, and W bits of stream B for each mask bit that is set; v = u + zero (mod 2^W).
//   A set bit whose u is zero is accepted (the value is `zero`). Mask bits past the last value are ignored.
//   Bits that A or B do not hold are read as zero; `corrupt` says so with `done`, after all raw words have been given.
// Latency: first words of A and B to the first raw word: 8 cycles; a block takes ceil(values / 4) + 14 cycles at most without back-pressure.
// Throughput: 4 values a cycle, whatever the data: an A word in sixteen cycles, at most a B word in two, a raw word in two.
// Assumes: the codec box (docs/ARCHITECTURE.md). It has no table.
//   s_a_tready depends on registers only, s_b_tready is the bit_unpacker's; neither depends on m_raw_tready.
// Does not: complain about words of A or B that are left over.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module zvc_decoder #(
    parameter W                = 8,     // bits of a value: 8
    parameter BLOCK_BYTES      = 4096,  // largest raw block in bytes: a power of two, 512..16384
    parameter VALUES_PER_CYCLE = 4      // values decoded in a cycle: 4
) (
    input  wire                               clk,
    input  wire                               rst,             // also aborts a block

    // Control
    input  wire                               start,
    input  wire [$clog2(BLOCK_BYTES*8/W):0]   values,          // 1..BLOCK_BYTES*8/W
    input  wire [W-1:0]                       zero,            // zero point
    input  wire                               is_signed,       // not used by zvc
    output wire                               done,
    output wire                               corrupt,         // valid with done

    // Table load bus, not used by zvc
    input  wire                               table_valid,
    input  wire [7:0]                         table_address,
    input  wire [31:0]                        table_data,

    // Stream A, first bit = bit 63
    input  wire [63:0]                        s_a_tdata,
    input  wire                               s_a_tvalid,
    output wire                               s_a_tready,
    input  wire                               s_a_end,

    // Stream B, first bit = bit 63
    input  wire [63:0]                        s_b_tdata,
    input  wire                               s_b_tvalid,
    output wire                               s_b_tready,
    input  wire                               s_b_end,

    // Raw words, byte 0 = first value
    output wire [63:0]                        m_raw_tdata,
    output wire                               m_raw_tvalid,
    input  wire                               m_raw_tready
);

    localparam STEPS = $clog2(BLOCK_BYTES * 8 / W) - 1;  // width of a step count
    localparam V     = VALUES_PER_CYCLE;

    generate
        if (W != 8) begin : g_check_w
            zvc_decoder_W_must_be_8 u_error ();
        end
        if (V != 4) begin : g_check_values_per_cycle
            zvc_decoder_VALUES_PER_CYCLE_must_be_4 u_error ();
        end
        if (BLOCK_BYTES < 512 || BLOCK_BYTES > 16384 || (BLOCK_BYTES & (BLOCK_BYTES - 1)) != 0) begin : g_check_block_bytes
            zvc_decoder_BLOCK_BYTES_must_be_a_power_of_two_in_512_to_16384 u_error ();
        end
    endgenerate

    wire unused_inputs = &{1'b0, is_signed, table_valid, table_address, table_data};

    reg  busy_q;  // from start to the cycle before done
    wire stall;   // stage 2 and what follows must wait; a register
    wire beat;    // stage 1 gives its mask to stage 2, with its bits of B

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 0: a word of A, and the four mask bits of a step cut out of it
    // ---------------------------------------------------------------------------------------------------------------
    reg             take_q;     // steps are left that have not entered stage 1
    reg [STEPS-1:0] left_q;     // steps left after the present one
    reg             last_q;     // there is none
    reg [63:0]      a_q;
    reg             a_valid_q;
    reg [3:0]       place_q;    // mask bits of the present step: 0 = bits 63:60
    reg             place_end_q;  // place_q is 15: a register, as the ready goes far
    reg             valid1_q;

    wire            valid0;     // what the skid buffer holds for stage 1
    wire            last0;
    wire [V-1:0]    mask0;      // bit k = value k of the step

    wire [STEPS-1:0] steps = values[STEPS+1:2];
    wire             tail  = |values[1:0];
    wire             open1 = !valid1_q || beat;              // stage 1 can take a step
    wire             open0;                                  // stage 0 can, a register
    wire             a_missing = !a_valid_q && s_a_end;      // A has ended: its bits read as zero
    wire             offer = take_q && (a_valid_q || a_missing);
    wire             step = offer && open0;

    assign s_a_tready = take_q && (!a_valid_q || (open0 && place_end_q));

    // Stream bit i is bit 63 - i of the word
    wire [15:0] part   = place_q[3] ? (place_q[2] ? a_q[15:0] : a_q[31:16]) : (place_q[2] ? a_q[47:32] : a_q[63:48]);
    wire [3:0]  nibble = place_q[1] ? (place_q[0] ? part[3:0] : part[7:4]) : (place_q[0] ? part[11:8] : part[15:12]);

    always @(posedge clk) begin
        if (s_a_tready) a_q <= s_a_tdata;

        if (start) begin
            left_q    <= tail ? steps : steps - 1'b1;
            last_q    <= steps == {STEPS{1'b0}} || (steps == {{(STEPS - 1) {1'b0}}, 1'b1} && !tail);
            take_q    <= 1'b1;
            a_valid_q <= 1'b0;
            place_q   <= 4'd0;
            place_end_q <= 1'b0;
        end else begin
            if (step) begin
                left_q <= left_q - 1'b1;
                last_q <= left_q == {{(STEPS - 1) {1'b0}}, 1'b1};
                if (last_q) take_q <= 1'b0;
                if (a_valid_q) begin
                    place_q     <= place_q + 1'b1;
                    place_end_q <= place_q == 4'd14;
                end
            end
            if (s_a_tready) a_valid_q <= s_a_tvalid;
        end

        if (rst) begin
            take_q    <= 1'b0;
            a_valid_q <= 1'b0;
        end
    end

    skid_buffer #(
        .WIDTH(V + 1)
    ) u_masks (
        .clk    (clk),
        .rst    (rst || !busy_q),
        .s_valid(offer),
        .s_ready(open0),
        .s_data ({last_q, {nibble[0], nibble[1], nibble[2], nibble[3]} & {V{a_valid_q}}}),
        .m_valid(valid0),
        .m_ready(open1),
        .m_data ({last0, mask0})
    );

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 1: the number of values of a step, and where they lie in the window of B
    // ---------------------------------------------------------------------------------------------------------------
    reg         last1_q;
    reg         have0_q;   // mask bit of value 0
    reg         have1_q;
    reg         have3_q;
    reg [2:0]   count1_q;  // values that the step takes from B
    reg [1:0]   rank2_q;   // place of value 2 in the window; 3 = it is not there
    reg [1:0]   rank3_q;   // place of value 3, if it is there

    // A partly used last step: values[1:0] = 1, 2, 3 values; 0 = all four
    wire [V-1:0] used = {values[1:0] == 2'd0, values[1] == values[0], values[1:0] != 2'd1, 1'b1};
    wire [V-1:0] mask = mask0 & (used | {V{!last0}});

    reg [6:0] place;  // rank3, rank2, count
    always @* begin
        case (mask)
            4'b0000: place = {2'd0, 2'd3, 3'd0};
            4'b0001: place = {2'd1, 2'd3, 3'd1};
            4'b0010: place = {2'd1, 2'd3, 3'd1};
            4'b0011: place = {2'd2, 2'd3, 3'd2};
            4'b0100: place = {2'd1, 2'd0, 3'd1};
            4'b0101: place = {2'd2, 2'd1, 3'd2};
            4'b0110: place = {2'd2, 2'd1, 3'd2};
            4'b0111: place = {2'd3, 2'd2, 3'd3};
            4'b1000: place = {2'd0, 2'd3, 3'd1};
            4'b1001: place = {2'd1, 2'd3, 3'd2};
            4'b1010: place = {2'd1, 2'd3, 3'd2};
            4'b1011: place = {2'd2, 2'd3, 3'd3};
            4'b1100: place = {2'd1, 2'd0, 3'd2};
            4'b1101: place = {2'd2, 2'd1, 3'd3};
            4'b1110: place = {2'd2, 2'd1, 3'd3};
            default: place = {2'd3, 2'd2, 3'd4};
        endcase
    end

    always @(posedge clk) begin
        if (open1) begin
            last1_q  <= last0;
            have0_q  <= mask[0];
            have1_q  <= mask[1];
            have3_q  <= mask[3];
            valid1_q <= valid0;
            {rank3_q, rank2_q, count1_q} <= place;
        end
        if (rst || start) valid1_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stream B
    // ---------------------------------------------------------------------------------------------------------------
    wire           b_valid;
    wire           b_ready;
    wire [V*W-1:0] b_bits;
    wire [5:0]     b_available;

    assign beat       = valid1_q && b_valid && !stall;
    assign s_b_tready = b_ready && busy_q;

    bit_unpacker #(
        .MAX_BITS   (V * W),
        .GRANULARITY(W)
    ) u_unpacker (
        .clk        (clk),
        .rst        (rst || !busy_q),
        .s_valid    (s_b_tvalid && busy_q),
        .s_ready    (b_ready),
        .s_data     (s_b_tdata),
        .s_end      (s_b_end),
        .m_valid    (b_valid),
        .m_ready    (valid1_q && !stall),
        .m_bits     (b_bits),
        .m_available(b_available),
        .m_consume  ({count1_q, 3'b000})
    );

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 2: u of every value; 0 where the mask bit is 0
    // ---------------------------------------------------------------------------------------------------------------
    reg           valid2_q;
    reg           last2_q;
    reg [V*W-1:0] u2_q;  // value k at [8k +: 8]

    wire [W-1:0] b0 = b_bits[3*W+:W];
    wire [W-1:0] b1 = b_bits[2*W+:W];
    wire [W-1:0] b2 = b_bits[1*W+:W];
    wire [W-1:0] b3 = b_bits[0*W+:W];

    wire [W-1:0] u0 = have0_q ? b0 : {W{1'b0}};
    wire [W-1:0] u1 = !have1_q ? {W{1'b0}} : have0_q ? b1 : b0;
    wire [W-1:0] u2 = rank2_q == 2'd0 ? b0 : rank2_q == 2'd1 ? b1 : rank2_q == 2'd2 ? b2 : {W{1'b0}};
    wire [W-1:0] u3 = rank3_q == 2'd0 ? b0 : rank3_q == 2'd1 ? b1 : rank3_q == 2'd2 ? b2 : b3;

    always @(posedge clk) begin
        if (!stall) begin
            u2_q[3*W-1:0] <= {u2, u1, u0};
            if (!have3_q) u2_q[3*W+:W] <= {W{1'b0}};
            else u2_q[3*W+:W] <= u3;
            valid2_q <= beat;
            last2_q  <= last1_q;
        end
        if (rst || start) valid2_q <= 1'b0;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Stage 3: v, put together to a raw word; a complete one moves on to raw_q
    // ---------------------------------------------------------------------------------------------------------------
    reg [63:0] word_q;
    reg        half_q;       // the next step is the upper half of its word
    reg        full_q;       // word_q is complete
    reg        full_last_q;  // and is the last word of the block
    reg [63:0] raw_q;
    reg        raw_valid_q;
    reg        ended_q;      // the last word has moved to raw_q

    wire       put  = valid2_q && !stall;
    wire       move = full_q && (!raw_valid_q || m_raw_tready);

    assign stall = full_q && raw_valid_q;

    genvar k;
    generate
        for (k = 0; k < V; k = k + 1) begin : g_value
            wire [W-1:0] v = u2_q[W*k+:W] + zero;
            wire         clear = last2_q && !used[k];
            always @(posedge clk) begin
                if (put && !half_q) begin
                    if (clear) word_q[W*k+:W] <= {W{1'b0}};
                    else word_q[W*k+:W] <= v;
                end
                if (put) begin
                    if (clear || !half_q) word_q[32+W*k+:W] <= {W{1'b0}};
                    else word_q[32+W*k+:W] <= v;
                end
            end
        end
    endgenerate

    always @(posedge clk) begin
        if (put) begin
            half_q      <= !half_q && !last2_q;
            full_last_q <= last2_q;
        end

        if (put && (half_q || last2_q)) full_q <= 1'b1;
        else if (move) full_q <= 1'b0;

        if (move) begin
            raw_q       <= word_q;
            raw_valid_q <= 1'b1;
            ended_q     <= full_last_q;
        end else if (m_raw_tready) begin
            raw_valid_q <= 1'b0;
        end

        if (rst || start) begin
            half_q      <= 1'b0;
            full_q      <= 1'b0;
            raw_valid_q <= 1'b0;
            ended_q     <= 1'b0;
        end
    end

    assign m_raw_tdata  = raw_q;
    assign m_raw_tvalid = raw_valid_q;

    // ---------------------------------------------------------------------------------------------------------------
    // The end of a block, and what was missing on the way
    // ---------------------------------------------------------------------------------------------------------------
    reg  done_q;
    reg  corrupt_q;

    wire drained = ended_q && (!raw_valid_q || m_raw_tready);

    always @(posedge clk) begin
        done_q <= busy_q && drained;

        if (start) busy_q <= 1'b1;
        else if (drained) busy_q <= 1'b0;

        if (start) corrupt_q <= 1'b0;
        else if ((step && !a_valid_q) || (beat && b_available < {count1_q, 3'b000})) corrupt_q <= 1'b1;

        if (rst) begin
            busy_q <= 1'b0;
            done_q <= 1'b0;
        end
    end

    assign done    = done_q;
    assign corrupt = corrupt_q;

endmodule

`resetall
