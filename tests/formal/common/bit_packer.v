// SPDX-License-Identifier: Apache-2.0
//
// Properties of bit_packer: one bit of the packed stream, chosen freely, is followed: it appears at its place of its word,
// padding is zero, words come only when their bits have come, outputs are stable until taken, and `empty` tells the truth.
// Checked from reset on to a bounded depth.

`default_nettype none

module bit_packer_properties #(
    parameter MAX_BITS = 32,
    parameter GRANULARITY = 8
) (
    input wire                          clk,
    input wire                          rst,
    input wire                          s_valid,
    input wire [          MAX_BITS-1:0] s_bits,
    input wire [$clog2(MAX_BITS+1)-1:0] s_count,
    input wire                          s_flush,
    input wire                          m_ready
);

  wire s_ready, m_valid, empty;
  wire [63:0] m_data;

  bit_packer #(
      .MAX_BITS(MAX_BITS),
      .GRANULARITY(GRANULARITY)
  ) u_dut (
      .clk(clk),
      .rst(rst),
      .s_valid(s_valid),
      .s_ready(s_ready),
      .s_bits(s_bits),
      .s_count(s_count),
      .s_flush(s_flush),
      .m_valid(m_valid),
      .m_ready(m_ready),
      .m_data(m_data),
      .empty(empty)
  );

  (* anyconst *) wire [7:0] place;  // of the bit that is followed (bits of a grain move alike: its last one)
  reg [7:0] bits_in, bits_out;  // of the packed stream

  reg past_valid = 1'b0;
  always @(posedge clk) past_valid <= 1'b1;
  always @(posedge clk) begin
    assume (rst == !past_valid);
    assume (place % GRANULARITY == GRANULARITY - 1);
    assume (s_count <= MAX_BITS);
    assume (bits_in < 8'd128 || !s_valid);  // the counts of this file stay in 8 bits
    assume (s_count % GRANULARITY == 0);
    if (past_valid && $past(past_valid && s_valid && !s_ready)) assume (s_valid && $stable(s_bits) && $stable(s_count) && $stable(s_flush));
  end

  reg value;  // of the bit, zero when it is padding
  wire take = s_valid && s_ready;
  wire [7:0] bits_after = bits_in + s_count;
  wire [7:0] offset = place - bits_in;
  wire [7:0] place_out = place - bits_out;
  wire here = place >= bits_in && offset < s_count;

  always @(posedge clk) begin
    if (take) begin
      bits_in <= s_flush ? (bits_after + 8'd63) & 8'hC0 : bits_after;
      if (here) value <= s_bits[MAX_BITS-1-offset];
    end
    if (m_valid && m_ready) bits_out <= bits_out + 8'd64;
    if (rst) begin
      bits_in <= 8'd0;
      bits_out <= 8'd0;
      value <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (past_valid) begin
      if (m_valid) assert (bits_out + 8'd64 <= bits_in);
      if (m_valid && place >= bits_out && place_out < 8'd64) assert (m_data[63-place_out[5:0]] == value);
      if (empty) assert (bits_in == bits_out && !m_valid);
      if ($past(past_valid && m_valid && !m_ready)) assert (m_valid && $stable(m_data));
      cover (m_valid && bits_out == 8'd64);
      cover (empty && bits_out == 8'd64 && place == 8'd15 && value);
    end
  end

endmodule
