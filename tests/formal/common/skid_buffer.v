// SPDX-License-Identifier: Apache-2.0
//
// Properties of skid_buffer: against a queue of two beats, no beat is lost, doubled, changed or reordered; outputs are
// stable until taken; while m_valid is 0, m_data is the input of the cycle before (bit_unpacker relies on it).
// `second` is connected to the inner register by the script.

`default_nettype none

module skid_buffer_properties (
    input wire       clk,
    input wire       rst,
    input wire       s_valid,
    input wire       m_ready,
    input wire [3:0] s_data
);

  wire s_ready, m_valid;
  wire [3:0] m_data;
  (* keep *) wire [3:0] second;

  skid_buffer #(
      .WIDTH(4)
  ) u_dut (
      .clk(clk),
      .rst(rst),
      .s_valid(s_valid),
      .s_ready(s_ready),
      .s_data(s_data),
      .m_valid(m_valid),
      .m_ready(m_ready),
      .m_data(m_data)
  );

  reg past_valid = 1'b0;
  always @(posedge clk) past_valid <= 1'b1;
  always @(posedge clk) if (!past_valid) assume (rst);

  // The model: `count` beats, the oldest first.
  reg [1:0] count;
  reg [3:0] head, next;
  wire push = s_valid && s_ready;
  wire pop = m_valid && m_ready;

  always @(posedge clk) begin
    if (rst) count <= 2'd0;
    else count <= count + {1'b0, push} - {1'b0, pop};
    if (pop) head <= count == 2'd2 ? next : s_data;
    else if (push && count == 2'd0) head <= s_data;
    if (push) next <= s_data;
  end

  always @(posedge clk) begin
    if (past_valid) begin
      assert (count <= 2'd2);
      assert (m_valid == (count != 2'd0));
      assert (s_ready == (count != 2'd2));
      if (m_valid) assert (m_data == head);
      if (count == 2'd2) assert (second == next);
      if ($past(!rst && s_valid && !s_ready) && !rst) assume (s_valid && $stable(s_data));
      if ($past(!rst && m_valid && !m_ready)) assert (m_valid && $stable(m_data));
      if ($past(past_valid && !rst) && !m_valid) assert (m_data == $past(s_data));
      cover (count == 2'd2 && pop);
      cover ($past(push && pop, 1) && $past(push && pop, 2) && push && pop);
    end
  end

endmodule
