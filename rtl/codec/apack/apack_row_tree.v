// SPDX-License-Identifier: Apache-2.0
//
// apack_row_tree: the row that a coder's CODE lies in, by a 4-ary tree of two levels (FORMAT.md section 3.3; 6 DSP blocks).
//
// The same ports and results as apack_row_finder. Level 1 compares with rows 4, 8 and 12; level 2 with the three rows inside the
// group found, whose counts come out of a small distributed RAM.
// Latency: 6 enabled cycles. Throughput: one value a cycle.
// Assumes: 0 <= D <= M; the table is loaded row by row between blocks. Does not: check the table.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_row_tree (
    input  wire        clk,
    input  wire        clear,        // while no block runs
    input  wire        enable,
    input  wire        load_valid,
    input  wire [ 3:0] load_row,
    input  wire [ 9:0] load_low,     // 1023 - cum of the row
    input  wire [15:0] less_one,     // M = HI - LO, from a register
    input  wire [15:0] distance,     // D = CODE - LO
    output wire [ 3:0] row,
    output wire [15:0] rest,         // D - start of the row: the new D
    output wire [15:0] rest_end      // D - end of the row (mod 2^16)
);

  wire [10:0] load_factor = {1'b1, load_low} + 11'd1;  // -cum

  // Level 1: rows 4, 8, 12.
  wire [3:1] high_below;
  wire [15:0] high_rest[0:4];
  genvar r;
  generate
    for (r = 1; r < 4; r = r + 1) begin : g_high
      localparam [3:0] HERE = 4 * r;
      reg [10:0] factor_q;
      reg [ 9:0] low_q;
      always @(posedge clk) begin
        if (load_valid && load_row == HERE) begin
          factor_q <= load_factor;
          low_q <= load_low;
        end
      end
      apack_product u_product (
          .clk(clk),
          .enable(enable),
          .less_one(less_one),
          .distance(distance),
          .factor(factor_q),
          .low(low_q),
          .below(high_below[r]),
          .rest(high_rest[r])
      );
    end
  endgenerate

  reg [15:0] first_q, first_2_q, last_q, last_2_q;
  always @(posedge clk) begin
    if (enable) begin
      first_q <= distance;
      first_2_q <= first_q;
      last_q <= distance + ~less_one;
      last_2_q <= last_q;
    end
  end
  assign high_rest[0] = first_2_q;
  assign high_rest[4] = last_2_q;

  wire [1:0] group = high_below[2] ? {1'b0, !high_below[1]} : {1'b1, !high_below[3]};

  reg [15:0] group_rest_q, group_end_q;
  reg [1:0] group_q;
  always @(posedge clk) begin
    if (enable) begin
      group_q <= group;
      case (group)
        2'd0: {group_rest_q, group_end_q} <= {high_rest[0], high_rest[1]};
        2'd1: {group_rest_q, group_end_q} <= {high_rest[1], high_rest[2]};
        2'd2: {group_rest_q, group_end_q} <= {high_rest[2], high_rest[3]};
        default: {group_rest_q, group_end_q} <= {high_rest[3], high_rest[4]};
      endcase
    end
  end

  // Level 2: rows 4g+1, 4g+2, 4g+3 of group g; M and D wait for it.
  wire [15:0] less_one_late, distance_late;
  reg [15:0] less_one_q;
  apack_delay #(
      .WIDTH (32),
      .STAGES(2)
  ) u_wait (
      .clk(clk),
      .clear(clear),
      .enable(enable),
      .s_data({less_one, distance}),
      .m_data({less_one_late, distance_late})
  );
  reg [15:0] distance_q;
  always @(posedge clk) begin
    if (enable) begin
      less_one_q <= less_one_late;
      distance_q <= distance_late;
    end
  end

  wire [3:1] low_below;
  wire [15:0] low_rest[1:3];
  generate
    for (r = 1; r < 4; r = r + 1) begin : g_low
      localparam [1:0] HERE = r;
      reg [10:0] factors[0:3];
      reg [10:0] factor_q;
      always @(posedge clk) if (load_valid && load_row[1:0] == HERE) factors[load_row[3:2]] <= load_factor;
      always @(posedge clk) if (enable) factor_q <= factors[group];
      apack_product u_product (
          .clk(clk),
          .enable(enable),
          .less_one(less_one_q),
          .distance(distance_q),
          .factor(factor_q),
          .low(factor_q[9:0] - 10'd1),
          .below(low_below[r]),
          .rest(low_rest[r])
      );
    end
  endgenerate

  wire [15:0] group_rest, group_end;
  wire [1:0] group_late;
  apack_delay #(
      .WIDTH (34),
      .STAGES(2)
  ) u_wait_group (
      .clk(clk),
      .clear(clear),
      .enable(enable),
      .s_data({group_rest_q, group_end_q, group_q}),
      .m_data({group_rest, group_end, group_late})
  );

  wire [1:0] inside = low_below[2] ? {1'b0, !low_below[1]} : {1'b1, !low_below[3]};

  reg [ 3:0] row_q;
  reg [15:0] rest_q, rest_end_q;
  always @(posedge clk) begin
    if (enable) begin
      row_q <= {group_late, inside};
      case (inside)
        2'd0: {rest_q, rest_end_q} <= {group_rest, low_rest[1]};
        2'd1: {rest_q, rest_end_q} <= {low_rest[1], low_rest[2]};
        2'd2: {rest_q, rest_end_q} <= {low_rest[2], low_rest[3]};
        default: {rest_q, rest_end_q} <= {low_rest[3], group_end};
      endcase
    end
  end

  assign row = row_q;
  assign rest = rest_q;
  assign rest_end = rest_end_q;

endmodule

`resetall
