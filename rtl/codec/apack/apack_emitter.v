// SPDX-License-Identifier: Apache-2.0
//
// apack_emitter: puts the bits of the interleaved coders into 16-bit parts, and each part into its reserved place of stream A
// (FORMAT.md section 3.2).
//
//   reserve ----> places: the next place of A into the coder's queue of 16
//   events -> fifo -> head -> chunk of 1..16 bits -> turned to the coder's position -> part -> m_a
//
// A chunk takes a cycle; an event of more than 16 bits (first bit, its inverse fill - 1 times, rest) takes several: 16 bits of the
// fill at a time, what is left of it (with the rest if both have at most 15 bits), the rest.
// Stages: head (an event), chunk, turn (position of the coder's next bit, kept in `positions`: 4 bits of part, 4 of bit), join (the
// coder's unfinished part, kept in `parts`), part (complete, with its place). All of them wait while m_a is stuck.
// A coder's queue must never be full: `written_part` lets the user compare, events are taken as long as `room` says so.
// The places saturate at the end of A's largest block: such a block is stored raw anyway.
// Latency: 6 cycles from an event to m_valid. Throughput: one chunk a cycle. m_valid is a register; nothing depends on m_ready.
// Assumes: reservations before the bits that complete them; at most DEPTH - 16 + 15 events after `room` has fallen.
// Does not: pad stream A (events of zeros do).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_emitter #(
    parameter CODERS        = 8,  // S, 8..16
    parameter ADDRESS_WIDTH = 9   // bits of a word address of stream A
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire                     begin_block,   // no place is taken
    input  wire                     drop,          // write nothing more
    // reservation: one slot in each cycle
    input  wire [              3:0] coder,
    input  wire                     reserve,
    input  wire                     pad,           // reserve if the last word is not whole
    input  wire [              3:0] reserve_part,
    output wire [              3:0] written_part,  // parts written by `coder`, modulo 16
    // event, a cycle after the reservation of its slot
    input  wire                     event_valid,
    input  wire                     event_fresh,
    input  wire                     event_first,
    input  wire [              6:0] event_fill,
    input  wire [              3:0] event_bits,
    input  wire [             10:0] event_rest,
    input  wire                     event_fits,
    output wire                     room,          // 16 more events have a place
    output wire                     idle,          // nothing is held but parts that have their places
    output wire [              1:0] held,          // those parts, a cycle after `idle`
    output wire [  ADDRESS_WIDTH:0] words,         // words of A so far
    // stream A
    output wire                     m_valid,
    input  wire                     m_ready,
    output wire [             15:0] m_part,
    output wire [ADDRESS_WIDTH+1:0] m_place        // word, and part within it
);

  localparam PLACE_WIDTH = ADDRESS_WIDTH + 2;
  localparam [PLACE_WIDTH:0] PLACE_ONE = 1;
  localparam CODER_WIDTH = CODERS > 8 ? 4 : 3;
  localparam EVENT_WIDTH = CODER_WIDTH + 25;

  // ------------------------------------------------------------------------------------------------------------------
  // Places
  // ------------------------------------------------------------------------------------------------------------------
  reg [PLACE_WIDTH:0] place_q;  // parts reserved
  reg [PLACE_WIDTH-1:0] places[0:(16<<CODER_WIDTH)-1];
  reg [3:0] coder_q;
  reg pad_event_q;

  wire full = place_q[PLACE_WIDTH];
  wire pads = pad && |place_q[1:0];
  wire reserves = reserve || pads;

  always @(posedge clk) begin
    if (reserves) places[{coder[CODER_WIDTH-1:0], reserve_part}] <= place_q[PLACE_WIDTH-1:0] | {PLACE_WIDTH{full}};
    if (reserves && !full) place_q <= place_q + PLACE_ONE;
    if (begin_block) place_q <= {(PLACE_WIDTH + 1) {1'b0}};
    coder_q <= coder;
    pad_event_q <= pads && !rst;
  end

  assign words = place_q[PLACE_WIDTH:2];

  // ------------------------------------------------------------------------------------------------------------------
  // Events
  // ------------------------------------------------------------------------------------------------------------------
  wire advance;
  wire events_ready, queued, queue_take;
  wire [5:0] level, peak;
  wire [EVENT_WIDTH-1:0] queued_event;

  fifo #(
      .WIDTH(EVENT_WIDTH),
      .DEPTH(32)
  ) u_events (
      .clk(clk),
      .rst(rst),
      .s_valid(event_valid || pad_event_q),
      .s_ready(events_ready),
      .s_data({coder_q[CODER_WIDTH-1:0], event_fresh, event_first, event_fill, event_bits, event_rest, event_fits}),
      .m_valid(queued),
      .m_ready(queue_take),
      .m_data(queued_event),
      .level(level),
      .peak(peak)
  );
  assign room = !(|level[5:4]);

  // ------------------------------------------------------------------------------------------------------------------
  // Head: the event in work. `more`: its first bit has been emitted, `fill` inverse bits are left.
  // ------------------------------------------------------------------------------------------------------------------
  reg head_valid_q, head_fresh_q, head_first_q, head_more_q, head_fits_q;
  reg [CODER_WIDTH-1:0] head_coder_q;
  reg [6:0] head_fill_q;
  reg [3:0] head_bits_q;
  reg [10:0] head_rest_q;

  wire head_long = |head_fill_q[6:4];
  // The upper bits of the fill less 16, 0 where it is below 16; bit by bit, a carry chain would be slower.
  wire [2:0] fill_high = {
    head_fill_q[6] && (head_fill_q[5] || head_fill_q[4]), head_long && head_fill_q[5] == head_fill_q[4], head_long && !head_fill_q[4]
  };
  wire [4:0] low_total = {1'b0, head_fill_q[3:0]} + {1'b0, head_bits_q};

  assign queue_take = advance && (!head_valid_q || head_fits_q);

  always @(posedge clk) begin
    if (queue_take) begin
      head_valid_q <= queued;
      head_more_q <= 1'b0;
      {head_coder_q, head_fresh_q, head_first_q, head_fill_q, head_bits_q, head_rest_q, head_fits_q} <= queued_event;
    end else if (advance) begin
      head_more_q <= 1'b1;
      head_fill_q <= {fill_high, head_long ? head_fill_q[3:0] : 4'd0};
      head_fits_q <= !head_long || (!head_fill_q[6] && !head_fill_q[5] && !low_total[4]);
    end
    if (rst) head_valid_q <= 1'b0;
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Chunk: up to 16 bits, left-aligned, zeros behind
  // ------------------------------------------------------------------------------------------------------------------
  wire [15:0] fill_mask, moved;
  wire [15:0] filled = {head_more_q ? !head_first_q : head_first_q, {15{!head_first_q}}};
  assign moved = {head_rest_q, 5'd0} >> head_fill_q[3:0];
  genvar k;
  generate
    for (k = 0; k < 15; k = k + 1) begin : g_fill
      localparam [3:0] HERE = k;
      assign fill_mask[15-k] = head_long || head_fill_q[3:0] > HERE;
    end
  endgenerate
  assign fill_mask[0] = head_long;

  reg chunk_valid_q, chunk_fresh_q;
  reg [CODER_WIDTH-1:0] chunk_coder_q;
  reg [15:0] chunk_q;
  reg [4:0] chunk_bits_q;
  always @(posedge clk) begin
    if (advance) begin
      chunk_valid_q <= head_valid_q;
      chunk_fresh_q <= head_fresh_q;
      chunk_coder_q <= head_coder_q;
      chunk_q <= (filled & fill_mask) | (moved & ~fill_mask & {16{head_fits_q}});
      chunk_bits_q <= head_fits_q ? head_fill_q[4:0] + {1'b0, head_bits_q} : head_long ? 5'd16 : {1'b0, head_fill_q[3:0]};
    end
    if (rst) chunk_valid_q <= 1'b0;
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Turn: to the position of the coder's next bit
  // ------------------------------------------------------------------------------------------------------------------
  reg [7:0] positions[0:(1<<CODER_WIDTH)-1];
  wire [7:0] position = positions[chunk_coder_q];
  wire [7:0] position_next = position + {3'd0, chunk_bits_q};
  wire [31:0] doubled = {chunk_q, chunk_q} >> position[3:0];

  reg turn_valid_q, turn_fresh_q, turn_full_q;
  reg [CODER_WIDTH-1:0] turn_coder_q;
  reg [15:0] turn_q;
  reg [3:0] turn_position_q, turn_part_q;
  always @(posedge clk) begin
    if (advance && chunk_valid_q) positions[chunk_coder_q] <= chunk_fresh_q ? 8'd0 : position_next;
    if (advance) begin
      turn_valid_q <= chunk_valid_q;
      turn_fresh_q <= chunk_fresh_q;
      turn_coder_q <= chunk_coder_q;
      turn_q <= doubled[15:0];
      turn_position_q <= position[3:0];
      turn_part_q <= position[7:4];
      turn_full_q <= position_next[4] ^ position[4];
    end
    if (rst) turn_valid_q <= 1'b0;
  end

  wire [7:0] written = positions[coder[CODER_WIDTH-1:0]];
  assign written_part = written[7:4];

  // ------------------------------------------------------------------------------------------------------------------
  // Join: with the coder's unfinished part; what has turned round belongs to its next part
  // ------------------------------------------------------------------------------------------------------------------
  reg [15:0] parts[0:(1<<CODER_WIDTH)-1];
  wire [15:0] earlier;
  generate
    for (k = 0; k < 15; k = k + 1) begin : g_earlier
      localparam [3:0] HERE = k;
      assign earlier[15-k] = turn_position_q > HERE;
    end
  endgenerate
  assign earlier[0] = 1'b0;

  wire [15:0] joined = parts[turn_coder_q] | (turn_q & ~earlier);

  reg part_valid_q;
  reg [15:0] part_q;
  reg [PLACE_WIDTH-1:0] part_place_q;
  always @(posedge clk) begin
    if (advance && turn_valid_q) parts[turn_coder_q] <= turn_fresh_q ? 16'd0 : turn_full_q ? turn_q & earlier : joined;
    if (advance) begin
      part_valid_q <= turn_valid_q && turn_full_q && !turn_fresh_q && !drop;
      part_q <= joined;
      part_place_q <= places[{turn_coder_q, turn_part_q}];
    end
    if (rst) part_valid_q <= 1'b0;
  end

  // ------------------------------------------------------------------------------------------------------------------
  // Out
  // ------------------------------------------------------------------------------------------------------------------
  wire out_ready;
  skid_buffer #(
      .WIDTH(16 + PLACE_WIDTH)
  ) u_out (
      .clk(clk),
      .rst(rst),
      .s_valid(part_valid_q),
      .s_ready(out_ready),
      .s_data({part_q, part_place_q}),
      .m_valid(m_valid),
      .m_ready(m_ready),
      .m_data({m_part, m_place})
  );
  assign advance = !part_valid_q || out_ready;

  assign idle = !(queued || head_valid_q || chunk_valid_q || (turn_valid_q && !advance));
  assign held = {1'b0, part_valid_q} + {1'b0, m_valid} + {1'b0, !out_ready};

  generate
    if (CODERS <= 8) begin : g_unused
      wire unused_coder = &{1'b0, coder[3], coder_q[3]};
    end
  endgenerate
  wire unused = &{1'b0, events_ready, peak, level[3:0], low_total[3:0], doubled[31:16], written[3:0]};

endmodule

`resetall
