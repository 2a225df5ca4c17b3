// SPDX-License-Identifier: Apache-2.0
//
// apack_encoder: the APack encoder behind the codec box of docs/ARCHITECTURE.md (FORMAT.md section 3; arXiv 2201.08830).
//
//   raw words -> values -> apack_row_search -> rows -> apack_encode_loop -> apack_emitter -> A parts, in any order
//                                               \--> offsets -> fifo -> bit_packer -> B words
//
// A value goes into the pipeline only in the slot of its coder, one slot a cycle; from there on nothing waits. So a value goes in
// only if there is room for its event and offset, and if it misses its slot the next one is CODERS cycles later.
// Slots of a block: the values, CODERS FLUSH, CODERS ZERO, 3 PAD (apack_encode_loop). INIT goes past the pipeline into the loop, a round
// ahead of the first values, while those are on their way.
// `start` may come ahead, once every raw word of the block in work has been taken: the words of the next block are fetched then, and its slots begin
// when this block holds nothing but its last parts, each of which has its place.
// Latency: a block of n values takes n + 2*CODERS + 26 to 64 cycles from start to done when nothing waits, up to 6 more with over 10 coders; where
// the start is ahead, done follows done after n + 2*CODERS + 19 to 28 cycles, as long as no coder has many pending bits.
// Throughput: one value a cycle; less where the bits of many values exceed 16 (long runs of pending bits), and a round of the loop for each word that
// comes late.
// `limit`: the pending bits of a coder passed 63. The block runs to its end (the raw words are taken), but A is not written any
// more. Parts past the last place of A (BLOCK_BYTES) are written to the last place: such a block is stored raw.
// Assumes: the codec box; rows 0..15 on the table bus in this order before the first start, each word {5'd0, cum, vmin}.
// Does not: check the table (apack_table does), compare the size with the raw size (the lane does); use zero or is_signed.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_encoder #(
    parameter W           = 8,     // bits of a value: 4, 8 or 16
    parameter BLOCK_BYTES = 4096,  // largest raw block in bytes: a power of two, 512..16384
    parameter CODERS      = 8      // S, interleaved coders: 8..16
) (
    input  wire                             clk,
    input  wire                             rst,            // also aborts a block
    // control
    input  wire                             start,          // also ahead of the last `done`
    input  wire [$clog2(BLOCK_BYTES*8/W):0] values,         // 1..BLOCK_BYTES*8/W
    input  wire [                    W-1:0] zero,           // not used by this codec
    input  wire                             is_signed,      // not used by this codec
    output wire                             done,
    output wire [  $clog2(BLOCK_BYTES/8):0] a_words,        // with done
    output wire                             limit,          // with done
    // table load bus
    input  wire                             table_valid,
    input  wire [                      7:0] table_address,  // row, 0..15
    input  wire [                     31:0] table_data,     // {5'd0, cum[10:0], vmin[15:0]}
    // raw words
    input  wire [                     63:0] s_raw_tdata,
    input  wire                             s_raw_tvalid,
    output wire                             s_raw_tready,
    // stream A
    output wire [                     63:0] m_a_tdata,
    output wire [$clog2(BLOCK_BYTES/8)-1:0] m_a_taddress,
    output wire [                      3:0] m_a_tstrb,
    output wire                             m_a_tvalid,
    input  wire                             m_a_tready,
    // stream B
    output wire [                     63:0] m_b_tdata,
    output wire                             m_b_tvalid,
    input  wire                             m_b_tready
);

  localparam AW = $clog2(BLOCK_BYTES / 8);
  localparam VW = $clog2(BLOCK_BYTES * 8 / W) + 1;
  localparam CW = $clog2(W + 1);
  localparam PLACES = 64 / W;
  localparam PW = $clog2(PLACES);
  localparam [PW-1:0] PLACE_ONE = 1;
  localparam [PW-1:0] PLACE_LAST = {PW{1'b1}};
  localparam [VW-1:0] VALUE_ONE = 1;
  localparam [CW-1:0] WIDTH = W[CW-1:0];
  localparam [VW-1:0] ROUND_LAST = CODERS[VW-1:0] - VALUE_ONE;
  localparam [VW-1:0] PAD_LAST = 2;
  localparam [3:0] CODER_LAST = CODERS[3:0] - 4'd1;
  // Cycles from `enter`. The first turn: all coders have had their INIT when their values come.
  // A slot takes 11 cycles to stage 4 of the loop, where INIT goes in a round of the loop earlier, so 10 from `init`.
  localparam FIRST_TURN = CODERS > 10 ? CODERS - 9 : 1;
  localparam INIT_END = FIRST_TURN + 10;
  localparam INIT_BEGIN = INIT_END - CODERS;
  // The coder of the slot at stage 5 of the loop, 12 slots behind the one that goes in.
  localparam CODER_BEHIND = (4 * CODERS - FIRST_TURN - 11) % CODERS;
  localparam FIRST_LATE = FIRST_TURN < 2 ? 0 : FIRST_TURN - 2;
  localparam [4:0] HOLD = CODERS[4:0];
  // A coder with this many parts reserved and not written stops the values; up to 4 more may be reserved by then.
  localparam [3:0] MOST_PARTS = 4'd11;

  generate
    if (W != 4 && W != 8 && W != 16) begin : g_bad_width
      apack_encoder_W_must_be_4_8_or_16 u_error ();
    end
    if (BLOCK_BYTES < 512 || BLOCK_BYTES > 16384 || (BLOCK_BYTES & (BLOCK_BYTES - 1)) != 0) begin : g_bad_block
      apack_encoder_BLOCK_BYTES_must_be_a_power_of_two_from_512_to_16384 u_error ();
    end
    if (CODERS < 8 || CODERS > 16) begin : g_bad_coders
      apack_encoder_CODERS_must_be_8_to_16 u_error ();
    end
  endgenerate

  wire unused = &{1'b0, zero, is_signed, table_address[7:4], table_data[31:26]};
  generate
    if (W < 16) begin : g_unused
      wire unused_vmin = &{1'b0, table_data[15:W]};
    end
  endgenerate

  // ------------------------------------------------------------------------------------------------------------------
  // Table bus: one registered copy per instance, kept apart from those of other lanes
  // ------------------------------------------------------------------------------------------------------------------
  (* keep *)reg load_valid_q;
  (* keep *)reg [3:0] load_row_q;
  (* keep *)reg [9:0] load_cum_q;
  (* keep *)reg [W-1:0] load_vmin_q;
  always @(posedge clk) begin
    load_valid_q <= table_valid;
    load_row_q   <= table_address[3:0];
    load_cum_q   <= table_data[25:16];
    load_vmin_q  <= table_data[W-1:0];
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Blocks: one that was started, and the one in work. The first enters the pipeline when it has a word and the other one ends.
  // ------------------------------------------------------------------------------------------------------------------
  reg started_q, busy_q, begin_block_q;
  reg [VW-1:0] started_count_q;
  reg started_last_q;
  wire finish;
  wire word_there;
  wire enter = started_q && word_there && (finish || !busy_q);

  always @(posedge clk) begin
    if (start) begin
      started_q <= 1'b1;
      started_count_q <= values - VALUE_ONE;
      started_last_q <= values == VALUE_ONE;
    end else if (enter) begin
      started_q <= 1'b0;
    end
    busy_q <= enter || (busy_q && !finish);
    begin_block_q <= enter;
    if (rst) begin
      started_q <= 1'b0;
      busy_q <= 1'b0;
      begin_block_q <= 1'b0;
    end
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Raw words: the word in use and the next one
  // ------------------------------------------------------------------------------------------------------------------
  reg next_valid_q, word_valid_q;
  reg [63:0] next_q, word_q;
  reg [PW-1:0] place_q;
  wire take_value, take_last;
  wire move_word = !word_valid_q || (take_value && (place_q == PLACE_LAST || take_last));

  always @(posedge clk) begin
    if (!next_valid_q) next_q <= s_raw_tdata;
    if (!next_valid_q) next_valid_q <= s_raw_tvalid;
    else if (move_word) next_valid_q <= 1'b0;
    if (move_word) begin
      word_q <= next_q;
      word_valid_q <= next_valid_q;
    end
    if (take_value) place_q <= take_last ? {PW{1'b0}} : place_q + PLACE_ONE;
    if (rst) begin
      next_valid_q <= 1'b0;
      word_valid_q <= 1'b0;
      place_q <= {PW{1'b0}};
    end
  end
  assign word_there   = next_valid_q || word_valid_q;
  assign s_raw_tready = !next_valid_q;  // also before `start`

  // ------------------------------------------------------------------------------------------------------------------
  // Slots: the kinds of a block in order, each slot in its turn. After a missed turn the next one is a round later.
  // ------------------------------------------------------------------------------------------------------------------
  reg [3:0] kind_q;  // one-hot: 0 value, 1 flush, 2 zero, 3 pad; 0 = no slot to give
  reg [VW-1:0] count_q;  // slots of this kind after the next one
  reg last_q;  // count_q is 0
  reg [3:0] late_q;  // cycles to the next turn, less 1
  reg turn_q, ok_q;
  wire go = turn_q && (ok_q || begin_block_q) && (|kind_q[3:1] || (kind_q[0] && word_valid_q));
  assign take_value = go && kind_q[0];
  assign take_last  = last_q;

  always @(posedge clk) begin
    if (go) begin
      count_q <= count_q - VALUE_ONE;
      last_q  <= count_q == VALUE_ONE;
      if (last_q) begin
        kind_q  <= {kind_q[2:0], 1'b0};
        count_q <= kind_q[2] ? PAD_LAST : ROUND_LAST;
        last_q  <= 1'b0;
      end
    end
    if (turn_q) begin
      turn_q <= go;
      late_q <= CODER_LAST - 4'd1;
    end else begin
      turn_q <= late_q == 4'd0;
      late_q <= late_q - 4'd1;
    end
    if (enter) begin
      kind_q  <= 4'b0001;
      count_q <= started_count_q;
      last_q  <= started_last_q;
      turn_q  <= FIRST_TURN == 1;
      late_q  <= FIRST_LATE[3:0];
    end
    if (rst) kind_q <= 4'd0;
  end

  reg [4:0] age_q;  // cycles since `enter`, up to INIT_END
  wire init = age_q >= INIT_BEGIN[4:0] && age_q != INIT_END[4:0];
  always @(posedge clk) begin
    if (age_q != INIT_END[4:0]) age_q <= age_q + 5'd1;
    if (enter) age_q <= 5'd1;
    if (rst) age_q <= INIT_END[4:0];
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Front pipeline: slot register, four stages of search, look-up of the row's counts
  // ------------------------------------------------------------------------------------------------------------------
  reg [3:0] slot_0_q, slot_1_q, slot_2_q, slot_3_q, slot_4_q, slot_5_q;
  reg slot_last_q;
  reg [W-1:0] slot_value_q;
  wire [3:0] given = kind_q & {4{go}};
  always @(posedge clk) begin
    slot_0_q <= given;
    slot_1_q <= slot_0_q;
    slot_2_q <= slot_1_q;
    slot_3_q <= slot_2_q;
    slot_4_q <= slot_3_q;
    slot_5_q <= slot_4_q;
    slot_last_q <= last_q;
    slot_value_q <= word_q[place_q*W+:W];
    if (rst) begin
      slot_0_q <= 4'd0;
      slot_1_q <= 4'd0;
      slot_2_q <= 4'd0;
      slot_3_q <= 4'd0;
      slot_4_q <= 4'd0;
      slot_5_q <= 4'd0;
    end
  end

  wire [W-1:0] value_4, vmin_4;
  wire [3:0] row_4;
  wire [CW-1:0] bits_4;
  wire last_5;
  apack_row_search #(
      .W(W)
  ) u_search (
      .clk(clk),
      .load_valid(load_valid_q),
      .load_row(load_row_q),
      .load_vmin(load_vmin_q),
      .s_value(slot_value_q),
      .m_value(value_4),
      .m_row(row_4)
  );
  apack_rows #(
      .W(W)
  ) u_rows (
      .clk(clk),
      .load_valid(load_valid_q),
      .load_row(load_row_q),
      .load_vmin(load_vmin_q),
      .row(row_4),
      .vmin(vmin_4),
      .offset_bits(bits_4)
  );
  apack_delay #(
      .WIDTH (1),
      .STAGES(5)
  ) u_last (
      .clk(clk),
      .clear(rst),
      .enable(1'b1),
      .s_data(slot_last_q),
      .m_data(last_5)
  );

  // Counts: of the row, and of the next one, written a row late; 1024 behind row 15, written with row 0.
  reg [ 9:0] cum_memory[0:15];
  reg [10:0] end_memory[0:15];
  wire load_first = load_row_q == 4'd0;
  wire [3:0] load_before = load_row_q - 4'd1;
  always @(posedge clk) begin
    if (load_valid_q) begin
      cum_memory[load_row_q] <= load_cum_q;
      end_memory[load_before] <= {load_first, load_cum_q};
    end
  end

  reg [ 9:0] cum_5_q;
  reg [10:0] end_5_q;
  reg [W-1:0] value_5_q, vmin_5_q;
  reg [CW-1:0] bits_5_q;
  always @(posedge clk) begin
    cum_5_q   <= slot_4_q[0] ? cum_memory[row_4] : 10'd0;
    end_5_q   <= slot_4_q[0] ? end_memory[row_4] : 11'd1024;
    value_5_q <= value_4;
    vmin_5_q  <= vmin_4;
    bits_5_q  <= bits_4;
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Stream B
  // ------------------------------------------------------------------------------------------------------------------
  reg offset_valid_q, offset_last_q;
  reg [W-1:0] offset_q;
  reg [CW-1:0] offset_bits_q, offset_left_q;
  reg aligned_valid_q, aligned_last_q;
  reg [W-1:0] aligned_q;
  reg [CW-1:0] aligned_bits_q;
  always @(posedge clk) begin
    offset_valid_q <= slot_5_q[0] && !rst;
    offset_last_q <= last_5;
    offset_q <= value_5_q - vmin_5_q;
    offset_bits_q <= bits_5_q;
    offset_left_q <= WIDTH - bits_5_q;
    aligned_valid_q <= offset_valid_q && !rst;
    aligned_last_q <= offset_last_q;
    aligned_q <= offset_q << offset_left_q;
    aligned_bits_q <= offset_bits_q;
  end

  wire offsets_ready, b_valid, b_ready, b_last, b_empty;
  wire [W-1:0] b_bits;
  wire [CW-1:0] b_count;
  wire [5:0] b_level, b_peak;
  fifo #(
      .WIDTH(W + CW + 1),
      .DEPTH(32)
  ) u_offsets (
      .clk(clk),
      .rst(rst),
      .s_valid(aligned_valid_q),
      .s_ready(offsets_ready),
      .s_data({aligned_last_q, aligned_bits_q, aligned_q}),
      .m_valid(b_valid),
      .m_ready(b_ready),
      .m_data({b_last, b_count, b_bits}),
      .level(b_level),
      .peak(b_peak)
  );
  bit_packer #(
      .MAX_BITS(W),
      .GRANULARITY(1)
  ) u_packer (
      .clk(clk),
      .rst(rst),
      .s_valid(b_valid),
      .s_ready(b_ready),
      .s_bits(b_bits),
      .s_count(b_count),
      .s_flush(b_last),
      .m_valid(m_b_tvalid),
      .m_ready(m_b_tready),
      .m_data(m_b_tdata),
      .empty(b_empty)
  );
  reg b_flushed_q, b_closed_q;
  always @(posedge clk) begin
    b_closed_q <= b_flushed_q && b_empty;
    if (b_valid && b_ready && b_last) b_flushed_q <= 1'b1;
    if (finish || rst) b_flushed_q <= 1'b0;
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Stream A
  // ------------------------------------------------------------------------------------------------------------------
  reg [3:0] coder_q;
  reg limit_q;
  wire reserve, pad, is_value, over;
  wire [3:0] reserve_part, next_part, written_part;
  wire event_valid, event_fresh, event_first, event_fits;
  wire [ 6:0] event_fill;
  wire [ 3:0] event_bits;
  wire [10:0] event_rest;
  wire room, emitter_idle;
  wire [1:0] emitter_held;
  wire [AW:0] emitter_words;
  wire [  15:0] a_part;
  wire [AW+1:0] a_place;

  always @(posedge clk) begin
    coder_q <= coder_q == CODER_LAST ? 4'd0 : coder_q + 4'd1;
    if (enter) coder_q <= CODER_BEHIND[3:0];
  end

  apack_encode_loop #(
      .CODERS(CODERS)
  ) u_loop (
      .clk(clk),
      .rst(rst),
      .s_value(slot_5_q[0]),
      .s_flush(slot_5_q[1]),
      .s_zero(slot_5_q[2]),
      .s_pad(slot_5_q[3]),
      .s_cum(cum_5_q),
      .s_cum_end(end_5_q),
      .s_init(init),
      .reserve(reserve),
      .pad(pad),
      .reserve_part(reserve_part),
      .next_part(next_part),
      .is_value(is_value),
      .event_valid(event_valid),
      .event_fresh(event_fresh),
      .event_first(event_first),
      .event_fill(event_fill),
      .event_bits(event_bits),
      .event_rest(event_rest),
      .event_fits(event_fits),
      .limit(over)
  );

  apack_emitter #(
      .CODERS(CODERS),
      .ADDRESS_WIDTH(AW)
  ) u_emitter (
      .clk(clk),
      .rst(rst),
      .begin_block(begin_block_q),
      .drop(limit_q),
      .coder(coder_q),
      .reserve(reserve),
      .pad(pad),
      .reserve_part(reserve_part),
      .written_part(written_part),
      .event_valid(event_valid),
      .event_fresh(event_fresh),
      .event_first(event_first),
      .event_fill(event_fill),
      .event_bits(event_bits),
      .event_rest(event_rest),
      .event_fits(event_fits),
      .room(room),
      .idle(emitter_idle),
      .held(emitter_held),
      .words(emitter_words),
      .m_valid(m_a_tvalid),
      .m_ready(m_a_tready),
      .m_part(a_part),
      .m_place(a_place)
  );
  assign m_a_tdata = {4{a_part}};
  assign m_a_taddress = a_place[AW+1:2];
  assign m_a_tstrb = 4'b1000 >> a_place[1:0];

  // Permission for the next cycle's slot; the first one of a block needs none, as nothing is held then. While a coder's queue of places is nearly full, no value goes in: each slot that passes,
  // also an empty one, is looked at (from the first value on: then all coders are fresh).
  reg crowded_q, settled_q;
  reg [4:0] hold_q;
  wire [3:0] waiting_parts = next_part - written_part;
  always @(posedge clk) begin
    settled_q <= settled_q || is_value;
    crowded_q <= (settled_q || is_value) && waiting_parts >= MOST_PARTS && !limit_q;
    if (crowded_q) hold_q <= HOLD;
    else if (|hold_q) hold_q <= hold_q - 5'd1;
    ok_q <= room && !(|b_level[5:4]) && !crowded_q && !(|hold_q);
    if (over) limit_q <= 1'b1;
    if (finish || rst) begin
      crowded_q <= 1'b0;
      settled_q <= 1'b0;
      hold_q <= 5'd0;
      limit_q <= 1'b0;
    end
  end

  // ------------------------------------------------------------------------------------------------------------------
  // End of the block: no slot to give, none on the way, no event held. B has ended long before A has, so a register may tell it. The last parts of A, up to three, may wait for
  // their user still while the next block begins.
  // ------------------------------------------------------------------------------------------------------------------
  reg pads_given_q, pads_done_q, done_q;
  reg limit_out_q;
  reg [AW:0] a_words_q;
  reg ended_q, tail_q;  // `finish` was a cycle ago; parts may wait
  reg [1:0] owed_q;     // the parts that wait
  wire taken = m_a_tvalid && m_a_tready;
  reg finish_q;
  assign finish = finish_q;
  // The last PAD slot is followed by none: its way through the loop takes 12 cycles, and 3 more into the emitter's FIFO. One of an aborted block
  // comes out of the delay while the next block, if there is one, has slots to give.
  wire pads_behind;
  apack_delay #(
      .WIDTH (1),
      .STAGES(15)
  ) u_pads (
      .clk(clk),
      .clear(rst),
      .enable(1'b1),
      .s_data(pads_given_q),
      .m_data(pads_behind)
  );
  always @(posedge clk) begin
    pads_given_q <= go && kind_q[3] && last_q;
    if (pads_behind && busy_q && !(|kind_q)) pads_done_q <= 1'b1;
    if (finish || rst) begin
      pads_given_q <= 1'b0;
      pads_done_q  <= 1'b0;
    end
    if (finish) begin
      limit_out_q <= limit_q;
      a_words_q   <= emitter_words;
    end
    finish_q <= pads_done_q && emitter_idle && b_closed_q && !finish_q && !ended_q && !tail_q;
    ended_q <= finish;
    tail_q  <= ended_q || (tail_q && owed_q != 2'd0);
    owed_q  <= (ended_q ? emitter_held : owed_q) - {1'b0, taken};
    done_q  <= tail_q && owed_q == 2'd0;
    if (rst) begin
      finish_q <= 1'b0;
      ended_q <= 1'b0;
      tail_q  <= 1'b0;
      done_q  <= 1'b0;
    end
  end
  assign done    = done_q;
  assign a_words = a_words_q;
  assign limit   = limit_out_q;

  wire unused_fifo = &{1'b0, offsets_ready, b_level[3:0], b_peak};

endmodule

`resetall
