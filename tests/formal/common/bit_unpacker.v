// SPDX-License-Identifier: Apache-2.0
//
// Properties of bit_unpacker: one bit of the stream, chosen freely, is followed: in each window that holds its place it has
// its value; past the end windows are zero; m_available is exact; windows are stable until taken; a word is taken once.
// Checked from reset on to a bounded depth.

`default_nettype none

module bit_unpacker_properties #(
    parameter MAX_BITS = 32,
    parameter GRANULARITY = 8
) (
    input wire                          clk,
    input wire                          rst,
    input wire                          s_valid,
    input wire [                  63:0] s_data,
    input wire                          s_end,
    input wire                          m_ready,
    input wire [$clog2(MAX_BITS+1)-1:0] m_consume
);

  wire s_ready, m_valid;
  wire [MAX_BITS-1:0] m_bits;
  wire [$clog2(MAX_BITS+1)-1:0] m_available;

  bit_unpacker #(
      .MAX_BITS(MAX_BITS),
      .GRANULARITY(GRANULARITY)
  ) u_dut (
      .clk(clk),
      .rst(rst),
      .s_valid(s_valid),
      .s_ready(s_ready),
      .s_data(s_data),
      .s_end(s_end),
      .m_valid(m_valid),
      .m_ready(m_ready),
      .m_bits(m_bits),
      .m_available(m_available),
      .m_consume(m_consume)
  );

  (* anyconst *) wire [7:0] place;  // of the bit that is followed (bits of a grain move alike: its last one)

  reg past_valid = 1'b0;
  always @(posedge clk) past_valid <= 1'b1;
  always @(posedge clk) begin
    assume (rst == !past_valid);
    assume (place % GRANULARITY == GRANULARITY - 1);
    assume (m_consume <= MAX_BITS);
    assume (m_consume % GRANULARITY == 0);
    if (s_end) assume (!s_valid);
    if (past_valid && $past(past_valid && s_end)) assume (s_end);
    if (past_valid && $past(past_valid && s_valid && !s_ready)) assume (s_valid && $stable(s_data));
  end

  reg [7:0] bits_in, position;
  reg held;  // the value as the word showed it
  wire in_word = s_valid && place[7:6] == bits_in[7:6];
  wire value = in_word ? s_data[63-place[5:0]] : held;
  wire known = in_word || place < bits_in;
  wire [7:0] offset = place - position;
  wire [7:0] rest = bits_in - position;
  wire [7:0] position_next = position + m_consume;

  always @(posedge clk) begin
    if (in_word) held <= s_data[63-place[5:0]];
    if (s_valid && s_ready) bits_in <= bits_in + 8'd64;
    if (m_valid && m_ready) position <= s_end && position_next > bits_in ? bits_in : position_next;
    if (rst) begin
      bits_in  <= 8'd0;
      position <= 8'd0;
      held     <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (past_valid) begin
      if (m_valid && place >= position && offset < MAX_BITS) begin
        if (known) assert (m_bits[MAX_BITS-1-offset] == value);
        else assert (s_end && !m_bits[MAX_BITS-1-offset]);
      end
      if (m_valid && s_end) assert (m_available == (rest < MAX_BITS ? rest : MAX_BITS));
      if (m_valid && !s_end) assert (m_available == MAX_BITS);
      if ($past(past_valid && m_valid && !m_ready)) assert (m_valid && $stable(m_bits) && $stable(m_available));
      cover (m_valid && s_end && position == 8'd64 && m_available == 0);
      cover (m_valid && !s_end && position == 8'd40);
      cover (m_valid && s_end && m_available == GRANULARITY);
    end
  end

endmodule
