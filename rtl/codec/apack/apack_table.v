// SPDX-License-Identifier: Apache-2.0
//
// apack_table: keeps the table that software writes, checks it, and gives it to the APack cores of all lanes (FORMAT.md section 3).
//
// Row r is word r of the table window: {5'd0, cum[10:0], vmin[15:0]} = cum << 16 | vmin. Words 16..255 are ignored.
// Software may write at any time, also while a job runs: the rows wait here until `load`. A table is complete once each row has
// been written since rst; it stays for later jobs, and rows may be written again one by one.
// `load` reads the rows twice. The first time they are only checked: all written, vmin[0] = 0, cum[0] = 0, both strictly rising,
// vmin[15] < 2^W, cum[15] < 1024, no other bit set. Only then they go out, row 0 first, and are checked again on the way, so
// that what goes out is what was checked, even if software writes meanwhile. One pulse of load_done ends it; with load_error the
// table is not to be used.
// Latency: load_done 37 cycles after load (20 if the table is bad). Lanes have the row a cycle after it was read.
// Assumes: no load while one runs; no block runs while rows go out. Does not: keep what a running job uses (the lanes do).

`resetall
`timescale 1ns / 1ps
`default_nettype none

module apack_table #(
    parameter W = 8  // bits of a value: 4, 8 or 16
) (
    input  wire        clk,
    input  wire        rst,
    // table window, from csr
    input  wire        table_valid,
    input  wire [ 7:0] table_address,
    input  wire [31:0] table_data,
    // job start
    input  wire        load,
    output wire        load_done,
    output wire        load_error,          // with load_done
    // table load bus of the lanes
    output wire        lane_table_valid,
    output wire [ 7:0] lane_table_address,
    output wire [31:0] lane_table_data
);

  generate
    if (W != 4 && W != 8 && W != 16) begin : g_bad_width
      apack_table_W_must_be_4_8_or_16 u_error ();
    end
  endgenerate

  // Rows as written; a row with a bit set that must be 0 is kept as not written.
  localparam ROW_WIDTH = W + 10;
  localparam [31:0] ROW_MASK = {6'd0, 10'h3FF, 16'hFFFF >> (16 - W)};
  reg [ROW_WIDTH-1:0] rows[0:15];
  reg [15:0] written_q;
  wire write = table_valid && table_address[7:4] == 4'd0;

  always @(posedge clk) begin
    if (write) rows[table_address[3:0]] <= {table_data[25:16], table_data[W-1:0]};
    if (write) written_q[table_address[3:0]] <= (table_data & ~ROW_MASK) == 32'd0;
    if (rst) written_q <= 16'd0;
  end

  // Verdict of a pass; a second one follows a good first one.
  reg bad_q, end_q, end_send_q, done_q, error_q;
  wire again = end_q && !end_send_q && !bad_q;

  // Read: two passes over the rows.
  reg reading_q, send_q;
  reg [3:0] row_q;
  always @(posedge clk) begin
    row_q <= row_q + 4'd1;
    if (load) begin
      reading_q <= 1'b1;
      send_q <= 1'b0;
      row_q <= 4'd0;
    end else if (reading_q && row_q == 4'd15) begin
      reading_q <= 1'b0;
    end else if (again) begin
      reading_q <= 1'b1;
      send_q <= 1'b1;
      row_q <= 4'd0;
    end
    if (rst) reading_q <= 1'b0;
  end

  // A row, and whether it follows the one before it.
  reg valid_q, valid_send_q, there_q, valid_2_q, valid_2_send_q, last_2_q, there_2_q;
  reg [3:0] valid_row_q;
  reg [ROW_WIDTH-1:0] read_q, before_q;
  reg vmin_rises_q, cum_rises_q, first_2_q, zero_2_q;
  always @(posedge clk) begin
    valid_q <= reading_q && !rst;
    valid_send_q <= send_q;
    valid_row_q <= row_q;
    read_q <= rows[row_q];
    there_q <= written_q[row_q];

    valid_2_q <= valid_q && !rst;
    valid_2_send_q <= valid_send_q;
    first_2_q <= valid_row_q == 4'd0;
    last_2_q <= valid_row_q == 4'd15;
    there_2_q <= there_q;
    zero_2_q <= read_q == {ROW_WIDTH{1'b0}};
    vmin_rises_q <= read_q[W-1:0] > before_q[W-1:0];
    cum_rises_q <= read_q[ROW_WIDTH-1:W] > before_q[ROW_WIDTH-1:W];
    before_q <= read_q;
  end

  wire right = there_2_q && (first_2_q ? zero_2_q : vmin_rises_q && cum_rises_q);

  always @(posedge clk) begin
    if (load || again) bad_q <= 1'b0;
    else if (valid_2_q && !right) bad_q <= 1'b1;
    end_q <= valid_2_q && last_2_q && !rst;
    end_send_q <= valid_2_send_q;
    done_q <= end_q && (end_send_q || bad_q) && !rst;
    error_q <= bad_q;
  end

  assign load_done  = done_q;
  assign load_error = error_q;

  // To the lanes.
  reg lane_valid_q;
  reg [3:0] lane_row_q;
  reg [ROW_WIDTH-1:0] lane_data_q;
  always @(posedge clk) begin
    lane_valid_q <= valid_q && valid_send_q && !rst;
    lane_row_q   <= valid_row_q;
    lane_data_q  <= read_q;
  end
  assign lane_table_valid   = lane_valid_q;
  assign lane_table_address = {4'd0, lane_row_q};
  generate
    if (W < 16) begin : g_narrow
      assign lane_table_data = {6'd0, lane_data_q[ROW_WIDTH-1:W], {(16 - W) {1'b0}}, lane_data_q[W-1:0]};
    end else begin : g_wide
      assign lane_table_data = {6'd0, lane_data_q};
    end
  endgenerate

endmodule

`resetall
