// SPDX-License-Identifier: Apache-2.0
//
// Properties of fifo (depth 4): a tracked beat, chosen freely, comes out in its turn and unchanged; level, peak, valid and
// ready follow a counting model; outputs are stable until taken.
// The inner state is connected by the script.

`default_nettype none

module fifo_properties (
    input wire       clk,
    input wire       rst,
    input wire       s_valid,
    input wire       m_ready,
    input wire [1:0] s_data
);

  wire s_ready, m_valid;
  wire [1:0] m_data;
  wire [2:0] level, peak;
  (* keep *) wire [1:0] write_address, read_address;
  (* keep *) wire [1:0] place_0, place_1, place_2, place_3;

  fifo #(
      .WIDTH(2),
      .DEPTH(4)
  ) u_dut (
      .clk(clk),
      .rst(rst),
      .s_valid(s_valid),
      .s_ready(s_ready),
      .s_data(s_data),
      .m_valid(m_valid),
      .m_ready(m_ready),
      .m_data(m_data),
      .level(level),
      .peak(peak)
  );

  reg past_valid = 1'b0;
  always @(posedge clk) past_valid <= 1'b1;
  always @(posedge clk) if (!past_valid) assume (rst);

  reg [2:0] count, most;
  wire push = s_valid && s_ready;
  wire pop = m_valid && m_ready;
  wire [2:0] count_next = count + {2'd0, push} - {2'd0, pop};

  // One beat, chosen by `choose`, is followed: `ahead` beats are in front of it.
  (* anyseq *) wire choose;
  reg tracked;
  reg [1:0] value;
  reg [2:0] ahead;
  wire [1:0] at = read_address + ahead[1:0];
  wire [1:0] stored = at == 2'd0 ? place_0 : at == 2'd1 ? place_1 : at == 2'd2 ? place_2 : place_3;

  always @(posedge clk) begin
    count <= count_next;
    if (count_next > most) most <= count_next;
    if (tracked) begin
      if (pop) ahead <= ahead - 3'd1;
      if (pop && ahead == 3'd0) tracked <= 1'b0;
    end else if (push && choose) begin
      tracked <= 1'b1;
      value <= s_data;
      ahead <= count - {2'd0, pop};
    end
    if (rst) begin
      count   <= 3'd0;
      most    <= 3'd0;
      tracked <= 1'b0;
    end
  end

  always @(posedge clk) begin
    if (past_valid) begin
      assert (count <= 3'd4);
      assert (level == count);
      assert (peak == most);
      assert (count <= most);
      assert (most <= 3'd4);
      assert (m_valid == (count != 3'd0));
      assert (s_ready == (count != 3'd4));
      assert (write_address == read_address + count[1:0]);
      if (tracked) assert (ahead < count);
      if (tracked) assert (stored == value);
      if (tracked && ahead == 3'd0) assert (m_valid && m_data == value);
      if ($past(!rst && m_valid && !m_ready)) assert (m_valid && $stable(m_data));
      cover (count == 3'd4 && pop);
      cover (most == 3'd4 && count == 3'd0);
      cover (tracked && ahead == 3'd3);
    end
  end

endmodule
