// SPDX-License-Identifier: Apache-2.0
//
// fifo_formal: properties of rtl/common/fifo.v, seen from its ports.
//
// Proved for ever: the level is pushes less pops, never more than DEPTH; s_ready and m_valid say whether there is room and a beat; the payload is stable.
// Checked for all runs of bounded length: one arbitrary beat, chosen by the solver, comes out unchanged and in its turn.

`default_nettype none

module fifo_formal (
    input wire       clk,
    input wire       rst,
    input wire       s_valid,
    input wire [1:0] s_data,
    input wire       m_ready
);

  localparam DEPTH = 4;

  wire s_ready, m_valid;
  wire [1:0] m_data;
  wire [2:0] level, peak;

  fifo #(
      .WIDTH(2),
      .DEPTH(DEPTH)
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

  wire push = s_valid && s_ready;
  wire pop = m_valid && m_ready;

  reg was_reset = 1'b0;  // the module has left its first reset
  reg [2:0] held = 3'd0;  // beats inside
  reg [2:0] most = 3'd0;

  initial assume (rst);

  always @(posedge clk) begin
    was_reset <= 1'b1;
    held <= rst ? 3'd0 : held + push - pop;
    most <= rst ? 3'd0 : (held + push - pop > most) ? held + push - pop : most;
  end

  always @* begin
    if (was_reset) begin
      assert (level == held);
      assert (peak == most);
      assert (held <= DEPTH);
      assert (most <= DEPTH);
      assert (s_ready == (held != DEPTH));
      assert (m_valid == (held != 0));
    end
  end

  // valid and payload are stable until taken
  always @(posedge clk) begin
    if (was_reset && $past(was_reset) && !$past(rst) && $past(m_valid) && !$past(m_ready)) begin
      assert (m_valid);
      assert (m_data == $past(m_data));
    end
  end

`ifdef BOUNDED
  // the beat that the solver chose: its number and its value
  (* anyconst *)reg [4:0] chosen;
  reg [4:0] pushes = 5'd0, pops = 5'd0;
  reg [1:0] value;

  always @(posedge clk) begin
    if (rst) begin
      pushes <= 5'd0;
      pops   <= 5'd0;
    end else begin
      pushes <= pushes + push;
      pops   <= pops + pop;
      if (push && pushes == chosen) value <= s_data;
      if (was_reset && pop && pops == chosen) assert (m_data == value);
    end
  end
`endif

  always @(posedge clk) begin
    cover (was_reset && !rst && level == DEPTH && push == 1'b0);
    cover (was_reset && !rst && level == 0 && peak == DEPTH);
    cover (was_reset && !rst && push && pop && level == 3);
  end

endmodule

`default_nettype wire
