// SPDX-License-Identifier: Apache-2.0
//
// Properties of burst_splitter: the bursts of a command are contiguous, begin at its address, their beats add up to its
// words, exactly the last one is marked; each has 1..16 beats and stays in 128 bytes, so within 4 KiB; a command that is
// taken is finished before the next; outputs are stable until taken.
// `inner_words` and `inner_room` are connected by the script.

`default_nettype none

module burst_splitter_properties (
    input wire        clk,
    input wire        rst,
    input wire        s_valid,
    input wire        m_ready,
    input wire [19:0] s_address,
    input wire [15:0] s_words,
    input wire [ 1:0] s_tag
);

  wire s_ready, m_valid, m_last;
  wire [19:0] m_address;
  wire [4:0] m_beats;
  wire [1:0] m_tag;
  (* keep *) wire [4:0] inner_words;
  (* keep *) wire [12:0] inner_lines;
  (* keep *) wire inner_whole;
  (* keep *) wire [4:0] inner_room;

  burst_splitter #(
      .ADDRESS_WIDTH(20),
      .TAG_WIDTH(2)
  ) u_dut (
      .clk(clk),
      .rst(rst),
      .s_valid(s_valid),
      .s_ready(s_ready),
      .s_address(s_address),
      .s_words(s_words),
      .s_tag(s_tag),
      .m_valid(m_valid),
      .m_ready(m_ready),
      .m_address(m_address),
      .m_beats(m_beats),
      .m_tag(m_tag),
      .m_last(m_last)
  );

  reg past_valid = 1'b0;
  always @(posedge clk) past_valid <= 1'b1;
  always @(posedge clk) begin
    if (!past_valid) assume (rst);
    assume (s_address[2:0] == 3'd0);
    assume (s_words != 16'd0);
    assume ({1'b0, s_address} + {2'd0, s_words, 3'd0} <= 21'h100000);
  end

  // The command in work: what is still to do of it.
  reg busy;
  reg [19:0] address;
  reg [15:0] words;
  reg [1:0] tag;
  wire [16:0] inner_end = {1'b0, words} + {13'd0, address[6:3]};
  wire take = s_valid && s_ready;
  wire give = m_valid && m_ready;
  wire [19:0] end_address = m_address + {12'd0, m_beats, 3'd0} - 20'd1;

  always @(posedge clk) begin
    if (give) begin
      address <= address + {12'd0, m_beats, 3'd0};
      words   <= words - {11'd0, m_beats};
      if (m_last) busy <= 1'b0;
    end
    if (take) begin
      busy <= 1'b1;
      address <= s_address;
      words <= s_words;
      tag <= s_tag;
    end
    if (rst) busy <= 1'b0;
  end

  always @(posedge clk) begin
    if (past_valid) begin
      assert (m_valid == busy);
      if (take && busy) assert (give && m_last);
      if (busy) begin
        assert (words[4:0] == inner_words);
        assert (inner_lines == inner_end[16:4] && inner_whole == (inner_end[3:0] == 4'd0));
        assert (words != 16'd0);
        assert ({1'b0, address} + {2'd0, words, 3'd0} <= 21'h100000);
        assert (inner_room == 5'd16 - {1'b0, address[6:3]});
        assert (address[2:0] == 3'd0);
        assert (m_address == address);
        assert (m_tag == tag);
        assert (m_beats >= 5'd1 && m_beats <= 5'd16);
        assert ({11'd0, m_beats} <= words);
        assert (m_last == ({11'd0, m_beats} == words));
        assert (m_address[19:7] == end_address[19:7]);
        assert (m_address[19:12] == end_address[19:12]);
        if (!m_last) assert (end_address[6:0] == 7'h7F);
      end
      if ($past(!rst && m_valid && !m_ready))
        assert (m_valid && $stable(m_address) && $stable(m_beats) && $stable(m_tag) && $stable(m_last));
      cover (give && m_last && m_beats == 5'd16);
      cover (give && !m_last && m_beats == 5'd1);
      cover ($past(give && m_last) && give && m_last);
    end
  end

endmodule
