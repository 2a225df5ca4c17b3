// SPDX-License-Identifier: Apache-2.0
//
// apack_offset_adder: rows to values to raw words: value = vmin[row] + offset, the offset from stream B (FORMAT.md section 3.1).
//
// Latency: 5 cycles from a row to its value in the word, 1 more to the word's m_valid. Throughput: one value a cycle while a raw
// word is taken within 64/W cycles. m_valid and s_b_ready are registers; s_ready is two LUTs behind some.
// Assumes: nothing of its neighbours. Does not: end by itself; s_last marks the last row.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_offset_adder #(
    parameter W = 8  // bits of a value: 4, 8 or 16
) (
    input  wire                   clk,
    input  wire                   rst,          // drops what is held; the table stays
    input  wire                   load_valid,
    input  wire [            3:0] load_row,
    input  wire [          W-1:0] load_vmin,
    input  wire                   s_valid,
    output wire                   s_ready,
    input  wire [            3:0] s_row,
    input  wire                   s_last,       // the block's last row
    input  wire                   s_b_valid,    // words of stream B
    output wire                   s_b_ready,
    input  wire [           63:0] s_b_data,
    input  wire                   s_b_end,      // level: every word has been handed over
    output wire                   missing,      // pulse: an offset needed bits that B does not hold
    output wire                   m_valid,
    input  wire                   m_ready,
    output wire [           63:0] m_data,
    output wire                   m_last        // with m_valid: the block's last word
);

  localparam CW = $clog2(W + 1);
  localparam PLACES = 64 / W;
  localparam PW = $clog2(PLACES);
  localparam [PW-1:0] PLACE_ONE = 1;
  localparam [PW-1:0] PLACE_LAST = {PW{1'b1}};
  localparam [CW-1:0] WIDTH = W[CW-1:0];

  wire [W-1:0] vmin;
  wire [CW-1:0] offset_bits;
  apack_rows #(
      .W(W)
  ) u_rows (
      .clk(clk),
      .load_valid(load_valid),
      .load_row(load_row),
      .load_vmin(load_vmin),
      .row(s_row),
      .vmin(vmin),
      .offset_bits(offset_bits)
  );

  // Stage 1: the row's first value and the offset's length.
  reg row_valid_q, row_last_q;
  reg [W-1:0] row_vmin_q;
  reg [CW-1:0] row_bits_q;

  // Stage 2: the bits of the offset, and by how much they must go right.
  reg offset_valid_q, offset_last_q;
  reg [W-1:0] offset_vmin_q;
  reg [CW-1:0] offset_right_q;
  wire [W-1:0] offset_left;
  wire b_ready;

  // Stage 3: the offset.
  reg moved_valid_q, moved_last_q;
  reg [W-1:0] moved_vmin_q, moved_q;

  // Stage 4: the value.
  reg value_valid_q, value_last_q;
  reg [W-1:0] value_q;

  // Stage 5: the word, and a copy that waits for the receiver.
  reg word_full_q, word_last_q, m_valid_q, m_last_q;
  reg [63:0] m_data_q;
  reg [PW-1:0] place_q;
  wire [63:0] word;

  reg stop_q;  // the word is full and its copy has not been taken
  wire go = !stop_q;  // the word under way can take a value
  wire word_full_d = go ? value_valid_q && (value_last_q || place_q == PLACE_LAST) : word_full_q;
  wire m_valid_d = m_valid_q ? !m_ready : word_full_q;
  wire take = row_valid_q && b_ready && go;

  assign s_ready = !row_valid_q || take;

  apack_offset_reader #(
      .W(W)
  ) u_reader (
      .clk(clk),
      .rst(rst),
      .s_valid(s_b_valid),
      .s_ready(s_b_ready),
      .s_data(s_b_data),
      .s_end(s_b_end),
      .ready(b_ready),
      .take(take),
      .length(row_bits_q),
      .m_bits(offset_left),
      .missing(missing)
  );

  always @(posedge clk) begin
    if (s_ready) begin
      row_valid_q <= s_valid;
      row_last_q  <= s_last;
      row_vmin_q  <= vmin;
      row_bits_q  <= offset_bits;
    end
    if (go) begin
      offset_valid_q <= take;
      offset_last_q <= row_last_q;
      offset_vmin_q <= row_vmin_q;
      offset_right_q <= WIDTH - row_bits_q;
      moved_valid_q <= offset_valid_q;
      moved_last_q <= offset_last_q;
      moved_vmin_q <= offset_vmin_q;
      moved_q <= offset_left >> offset_right_q;
      value_valid_q <= moved_valid_q;
      value_last_q <= moved_last_q;
      value_q <= moved_vmin_q + moved_q;
    end
    word_full_q <= word_full_d;
    m_valid_q <= m_valid_d;
    stop_q <= word_full_d && m_valid_d;
    if (go && value_valid_q) begin
      place_q <= value_last_q ? {PW{1'b0}} : place_q + PLACE_ONE;
      word_last_q <= value_last_q;
    end
    if (!m_valid_q) begin
      m_last_q <= word_last_q;
      m_data_q <= word;
    end
    if (rst) begin
      row_valid_q <= 1'b0;
      offset_valid_q <= 1'b0;
      moved_valid_q <= 1'b0;
      value_valid_q <= 1'b0;
      word_full_q <= 1'b0;
      place_q <= {PW{1'b0}};
      m_valid_q <= 1'b0;
      stop_q <= 1'b0;
    end
  end

  // The first value of a word clears the other places, so that the last word ends in zeros.
  genvar k;
  generate
    for (k = 0; k < PLACES; k = k + 1) begin : g_place
      localparam [PW-1:0] HERE = k;
      reg [W-1:0] place_value_q;
      always @(posedge clk) begin
        if (go && value_valid_q) begin
          if (place_q == HERE) place_value_q <= value_q;
          else if (place_q == {PW{1'b0}}) place_value_q <= {W{1'b0}};
        end
      end
      assign word[k*W+:W] = place_value_q;
    end
  endgenerate

  assign m_valid = m_valid_q;
  assign m_data  = m_data_q;
  assign m_last  = m_last_q;

endmodule

`resetall
