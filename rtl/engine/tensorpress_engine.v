// SPDX-License-Identifier: Apache-2.0
//
// tensorpress_engine: the compressing DMA. L lanes of codecs between one AXI memory port (two for reading, with MEMORY_PORTS = 2), a pair
// of AXI-Stream ports for the accelerator and an AXI4-Lite register port. See docs/ARCHITECTURE.md for the way of the data, rtl/csr/REGISTERS.md for the registers,
// docs/FORMAT.md for the bytes.
//
// One clock. Throughput: one word a cycle each way at a memory port; one value a cycle and lane for codecs of that rate.
// The memory ports are legal AXI3 (<= 16 beats, one ID) and AXI4; they never cross 4 KiB and never write outside the job's regions.
// Not coherent: software flushes and invalidates.

`resetall
`timescale 1ns / 1ps
`default_nettype none

module tensorpress_engine #(
    parameter LANES             = 8,     // lanes, 1..16, where the directions do not say otherwise
    parameter CODECS            = 15,    // mask of the codecs built, likewise: bit 0 raw (always), 1 zvc, 2 ebpc, 3 apack
    parameter ENCODE_LANES      = LANES,   // the first lanes, that compress, 0..16
    parameter DECODE_LANES      = LANES,   // the first lanes, that decompress, 0..16; lane i has an encoder, a decoder or both
    parameter ENCODE_CODECS     = CODECS,  // mask of the codecs that compress
    parameter DECODE_CODECS     = CODECS,  // mask of the codecs that decompress
    parameter BLOCK_BYTES       = 4096,  // largest raw block in bytes, power of two, 512..16384
    parameter STREAM_BYTES      = 8,     // bytes of a beat of m_axis_raw: 8, 16
    parameter MEMORY_PORTS      = 1,     // 2: the blocks of odd lanes are read through m1_axi
    parameter READ_OUTSTANDING  = 8,     // read bursts on the way at each memory port, 2..16
    parameter WRITE_OUTSTANDING = 8,     // write bursts on the way, 2..16
    parameter APACK_CODERS      = 8,     // S, interleaved coders of an apack block, 8..16
    parameter APACK_TREE        = 0      // apack decoder: 1 = rows found with 6 DSP blocks (APACK_CODERS >= 10), 0 = with 15
) (
    input  wire        aclk,
    input  wire        aresetn,
    // AXI4-Lite: registers
    input  wire [11:0] s_axi_awaddr,
    input  wire [ 2:0] s_axi_awprot,
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [ 3:0] s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [ 1:0] s_axi_bresp,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [11:0] s_axi_araddr,
    input  wire [ 2:0] s_axi_arprot,
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output wire [ 1:0] s_axi_rresp,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,
    // AXI4 (AXI3-legal): memory
    output wire [ 0:0] m_axi_awid,
    output wire [31:0] m_axi_awaddr,
    output wire [ 7:0] m_axi_awlen,
    output wire [ 2:0] m_axi_awsize,
    output wire [ 1:0] m_axi_awburst,
    output wire        m_axi_awlock,
    output wire [ 3:0] m_axi_awcache,
    output wire [ 2:0] m_axi_awprot,
    output wire        m_axi_awvalid,
    input  wire        m_axi_awready,
    output wire [63:0] m_axi_wdata,
    output wire [ 7:0] m_axi_wstrb,
    output wire        m_axi_wlast,
    output wire        m_axi_wvalid,
    input  wire        m_axi_wready,
    input  wire [ 0:0] m_axi_bid,
    input  wire [ 1:0] m_axi_bresp,
    input  wire        m_axi_bvalid,
    output wire        m_axi_bready,
    output wire [ 0:0] m_axi_arid,
    output wire [31:0] m_axi_araddr,
    output wire [ 7:0] m_axi_arlen,
    output wire [ 2:0] m_axi_arsize,
    output wire [ 1:0] m_axi_arburst,
    output wire        m_axi_arlock,
    output wire [ 3:0] m_axi_arcache,
    output wire [ 2:0] m_axi_arprot,
    output wire        m_axi_arvalid,
    input  wire        m_axi_arready,
    input  wire [ 0:0] m_axi_rid,
    input  wire [63:0] m_axi_rdata,
    input  wire [ 1:0] m_axi_rresp,
    input  wire        m_axi_rlast,
    input  wire        m_axi_rvalid,
    output wire        m_axi_rready,
    // AXI4 (AXI3-legal), read only: memory, with MEMORY_PORTS = 2; else without use
    output wire [ 0:0] m1_axi_arid,
    output wire [31:0] m1_axi_araddr,
    output wire [ 7:0] m1_axi_arlen,
    output wire [ 2:0] m1_axi_arsize,
    output wire [ 1:0] m1_axi_arburst,
    output wire        m1_axi_arlock,
    output wire [ 3:0] m1_axi_arcache,
    output wire [ 2:0] m1_axi_arprot,
    output wire        m1_axi_arvalid,
    input  wire        m1_axi_arready,
    input  wire [ 0:0] m1_axi_rid,
    input  wire [63:0] m1_axi_rdata,
    input  wire [ 1:0] m1_axi_rresp,
    input  wire        m1_axi_rlast,
    input  wire        m1_axi_rvalid,
    output wire        m1_axi_rready,
    // AXI4-Stream: raw values from the accelerator
    input  wire [63:0] s_axis_raw_tdata,
    input  wire [ 7:0] s_axis_raw_tkeep,
    input  wire        s_axis_raw_tvalid,
    output wire        s_axis_raw_tready,
    input  wire        s_axis_raw_tlast,
    // AXI4-Stream: raw values to the accelerator
    output wire [8*STREAM_BYTES-1:0] m_axis_raw_tdata,
    output wire [  STREAM_BYTES-1:0] m_axis_raw_tkeep,
    output wire        m_axis_raw_tvalid,
    input  wire        m_axis_raw_tready,
    output wire        m_axis_raw_tlast,
    output wire        irq,
    // For lamps and logic analysers
    output wire        status_busy,        // a job runs
    output wire        status_error        // the last job ended with an error
);

    localparam ADDRESS_WIDTH = $clog2(BLOCK_BYTES) - 3;
    localparam VALUES_WIDTH = $clog2(BLOCK_BYTES) + 1;
    localparam WORDS_WIDTH = ADDRESS_WIDTH + 1;
    localparam DRAIN_WORDS = STREAM_BYTES / 8;
    localparam RAW_WORDS = MEMORY_PORTS == 2 ? DRAIN_WORDS : 1;  // one port cannot fill raw blocks faster
    localparam ALL_LANES = ENCODE_LANES > DECODE_LANES ? ENCODE_LANES : DECODE_LANES;
    // raw is always there; a direction without lanes has no codecs
    localparam ENCODERS = ENCODE_LANES == 0 ? 0 : ENCODE_CODECS | 1;
    localparam DECODERS = DECODE_LANES == 0 ? 0 : DECODE_CODECS | 1;
    localparam HAS_APACK = ((ENCODERS | DECODERS) & 8) != 0 ? 1 : 0;

    generate
        if (LANES < 1 || LANES > 16) begin : g_bad_lanes
            error_LANES_must_be_1_to_16 u_error ();
        end
        if (ENCODE_LANES < 0 || DECODE_LANES < 0 || ALL_LANES < 1 || ALL_LANES > 16) begin : g_bad_direction_lanes
            error_ENCODE_LANES_and_DECODE_LANES_must_be_0_to_16_and_not_both_0 u_error ();
        end
        if (CODECS < 0 || CODECS > 15 || ENCODE_CODECS < 0 || ENCODE_CODECS > 15 || DECODE_CODECS < 0 || DECODE_CODECS > 15) begin : g_bad_codecs
            error_CODECS_and_ENCODE_CODECS_and_DECODE_CODECS_must_be_0_to_15 u_error ();
        end
        if (ENCODERS == 1 || DECODERS == 1) begin : g_only_raw
            error_ENCODE_CODECS_and_DECODE_CODECS_need_a_codec_besides_raw u_error ();
        end
        if (HAS_APACK != 0 && (APACK_CODERS < (APACK_TREE != 0 ? 10 : 8) || APACK_CODERS > 16)) begin : g_bad_coders
            error_APACK_CODERS_must_be_8_to_16_and_at_least_10_with_APACK_TREE u_error ();
        end
        if (STREAM_BYTES != 8 && STREAM_BYTES != 16) begin : g_bad_stream_bytes
            error_STREAM_BYTES_must_be_8_or_16 u_error ();
        end
        if (MEMORY_PORTS != 1 && (MEMORY_PORTS != 2 || ALL_LANES < 2)) begin : g_bad_memory_ports
            error_MEMORY_PORTS_must_be_1_or_with_two_lanes_2 u_error ();
        end
    endgenerate

    wire clk = aclk;
    reg rst_q;

    always @(posedge aclk) rst_q <= !aresetn;

    // ------------------------------------------------------------------------------------------------------------------
    // Registers

    wire start, start_queue, abort, busy, ended, job_interrupt, clear, halt;
    wire [7:0] code;
    wire [31:0] code_block, ended_jobs, ended_descriptor;

    wire [3:0] s_codec;
    wire s_decompress, s_stream, s_signed;
    wire [7:0] s_zero;
    wire [31:0] s_values, s_raw_address, s_index_address, s_payload_address, s_payload_words, queue_address;
    wire [15:0] s_block_values;

    wire csr_table_valid;
    wire [7:0] csr_table_address;
    wire [31:0] csr_table_data;

    wire [31:0] count_cycles, count_lane_busy, count_lane_starved, count_lane_blocked, count_lane_idle;
    wire [31:0] count_read_beats, count_read_wait, count_write_beats, count_write_wait, count_stream_wait, peak_reads, peak_writes;
    wire [31:0] result_blocks, result_payload_words, result_raw_blocks;

    csr #(
        .ENCODE_LANES(ENCODE_LANES),
        .DECODE_LANES(DECODE_LANES),
        .BLOCK_BYTES(BLOCK_BYTES),
        .ENCODE_CODECS(ENCODERS),
        .DECODE_CODECS(DECODERS),
        .STREAM_BYTES(STREAM_BYTES),
        .MEMORY_PORTS(MEMORY_PORTS),
        .APACK_CODERS(APACK_CODERS)
    ) u_csr (
        .clk(clk),
        .rst(rst_q),
        .s_axi_awaddr(s_axi_awaddr),
        .s_axi_awprot(s_axi_awprot),
        .s_axi_awvalid(s_axi_awvalid),
        .s_axi_awready(s_axi_awready),
        .s_axi_wdata(s_axi_wdata),
        .s_axi_wstrb(s_axi_wstrb),
        .s_axi_wvalid(s_axi_wvalid),
        .s_axi_wready(s_axi_wready),
        .s_axi_bresp(s_axi_bresp),
        .s_axi_bvalid(s_axi_bvalid),
        .s_axi_bready(s_axi_bready),
        .s_axi_araddr(s_axi_araddr),
        .s_axi_arprot(s_axi_arprot),
        .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready),
        .s_axi_rdata(s_axi_rdata),
        .s_axi_rresp(s_axi_rresp),
        .s_axi_rvalid(s_axi_rvalid),
        .s_axi_rready(s_axi_rready),
        .job_start(start),
        .job_start_queue(start_queue),
        .job_abort(abort),
        .job_codec(s_codec),
        .job_decompress(s_decompress),
        .job_stream(s_stream),
        .job_signed(s_signed),
        .job_zero(s_zero),
        .job_values(s_values),
        .job_block_values(s_block_values),
        .job_raw_address(s_raw_address),
        .job_index_address(s_index_address),
        .job_payload_address(s_payload_address),
        .job_payload_words(s_payload_words),
        .queue_address(queue_address),
        .table_valid(csr_table_valid),
        .table_address(csr_table_address),
        .table_data(csr_table_data),
        .status_busy(busy),
        .status_done(ended),
        .status_error_code(code),
        .status_error_block(code_block),
        .status_job(job_interrupt),
        .queue_jobs(ended_jobs),
        .queue_descriptor(ended_descriptor),
        .result_blocks(result_blocks),
        .result_payload_words(result_payload_words),
        .result_raw_blocks(result_raw_blocks),
        .count_cycles(count_cycles),
        .count_lane_busy(count_lane_busy),
        .count_lane_starved(count_lane_starved),
        .count_lane_blocked(count_lane_blocked),
        .count_lane_idle(count_lane_idle),
        .count_read_beats(count_read_beats),
        .count_read_wait(count_read_wait),
        .count_write_beats(count_write_beats),
        .count_write_wait(count_write_wait),
        .count_stream_wait(count_stream_wait),
        .peak_reads(peak_reads),
        .peak_writes(peak_writes),
        .interrupt(irq)
    );

    reg clear_q;  // reset of everything that jobs use
    always @(posedge clk) clear_q <= rst_q || clear;

    // ------------------------------------------------------------------------------------------------------------------
    // The next job: fetched or from the registers, checked, its table in the store

    wire fetch_go, fetch_done, fetch_error, fetch_unreadable, fetch_cmd_valid, fetch_cmd_ready, fetch_valid, fetch_read_error;
    wire [31:0] fetch_address, fetch_cmd_address;
    wire [15:0] fetch_cmd_words;
    wire [31:0] fetch_config, fetch_next, fetch_values, fetch_block_values;
    wire [31:0] fetch_raw_address, fetch_index_address, fetch_payload_address, fetch_payload_words;
    wire fetch_table_valid;
    wire [7:0] fetch_table_address;
    wire [31:0] fetch_table_data;
    wire read_data_valid, read_data_last;
    wire [63:0] read_data;

    job_fetch u_fetch (
        .clk(clk),
        .rst(clear_q),
        .go(fetch_go),
        .address(fetch_address),
        .cmd_valid(fetch_cmd_valid),
        .cmd_ready(fetch_cmd_ready),
        .cmd_address(fetch_cmd_address),
        .cmd_words(fetch_cmd_words),
        .s_valid(fetch_valid),
        .s_data(read_data),
        .s_error(fetch_read_error),
        .done(fetch_done),
        .error(fetch_error),
        .unreadable(fetch_unreadable),
        .job_config(fetch_config),
        .job_next(fetch_next),
        .job_values(fetch_values),
        .job_block_values(fetch_block_values),
        .job_raw_address(fetch_raw_address),
        .job_index_address(fetch_index_address),
        .job_payload_address(fetch_payload_address),
        .job_payload_words(fetch_payload_words),
        .table_valid(fetch_table_valid),
        .table_address(fetch_table_address),
        .table_data(fetch_table_data)
    );

    wire table_load, table_done, table_error, index_go, index_ready, next_go, next_ready;
    wire [4:0] next_job, end_job;
    wire [3:0] next_codec;
    wire next_decompress, next_stream, next_signed;
    wire [7:0] next_zero;
    wire [28:0] next_values;
    wire [14:0] next_block_values;
    wire [31:0] next_raw_address, next_index_address, next_payload_address, next_payload_words;
    wire [31:0] end_descriptor;
    wire end_queued, end_last, end_writes, end_interrupt, intake_error, intake_nowhere;
    wire [7:0] intake_code;

    job_intake #(
        .BLOCK_BYTES(BLOCK_BYTES),
        .ENCODE_CODECS(ENCODERS),
        .DECODE_CODECS(DECODERS)
    ) u_intake (
        .clk(clk),
        .rst(clear_q),
        .start(start),
        .start_queue(start_queue),
        .queue_address(queue_address),
        .s_codec(s_codec),
        .s_decompress(s_decompress),
        .s_stream(s_stream),
        .s_signed(s_signed),
        .s_zero(s_zero),
        .s_values(s_values),
        .s_block_values(s_block_values),
        .s_raw_address(s_raw_address),
        .s_index_address(s_index_address),
        .s_payload_address(s_payload_address),
        .s_payload_words(s_payload_words),
        .fetch_go(fetch_go),
        .fetch_address(fetch_address),
        .fetch_done(fetch_done),
        .fetch_error(fetch_error),
        .fetch_unreadable(fetch_unreadable),
        .fetch_config(fetch_config),
        .fetch_next(fetch_next),
        .fetch_values(fetch_values),
        .fetch_block_values(fetch_block_values),
        .fetch_raw_address(fetch_raw_address),
        .fetch_index_address(fetch_index_address),
        .fetch_payload_address(fetch_payload_address),
        .fetch_payload_words(fetch_payload_words),
        .table_load(table_load),
        .table_done(table_done),
        .table_error(table_error),
        .job(next_job),
        .job_codec(next_codec),
        .job_decompress(next_decompress),
        .job_stream(next_stream),
        .job_signed(next_signed),
        .job_zero(next_zero),
        .job_values(next_values),
        .job_block_values(next_block_values),
        .job_raw_address(next_raw_address),
        .job_index_address(next_index_address),
        .job_payload_address(next_payload_address),
        .job_payload_words(next_payload_words),
        .index_go(index_go),
        .index_ready(index_ready),
        .fill_go(next_go),
        .fill_ready(next_ready),
        .end_job(end_job),
        .end_descriptor(end_descriptor),
        .end_queued(end_queued),
        .end_last(end_last),
        .end_writes(end_writes),
        .end_interrupt(end_interrupt),
        .error(intake_error),
        .error_code(intake_code),
        .error_nowhere(intake_nowhere)
    );

    // the table goes the same way, whether the CPU wrote it or a job brought it
    wire keeper_valid;
    wire [7:0] keeper_address;
    wire [31:0] keeper_data;

    codec_tables #(
        .W(8),
        .CODECS(ENCODERS | DECODERS)
    ) u_tables (
        .clk(clk),
        .rst(rst_q),
        .table_valid(csr_table_valid || fetch_table_valid),
        .table_address(fetch_table_valid ? fetch_table_address : csr_table_address),
        .table_data(fetch_table_valid ? fetch_table_data : csr_table_data),
        .load(table_load),
        .codec(next_codec),
        .load_done(table_done),
        .load_error(table_error),
        .lane_table_valid(keeper_valid),
        .lane_table_address(keeper_address),
        .lane_table_data(keeper_data)
    );

    wire [ALL_LANES-1:0] table_want;
    wire [5*ALL_LANES-1:0] table_want_number;
    wire table_valid;
    wire [4:0] table_number;
    wire [3:0] table_row;
    wire [31:0] table_data;

    generate
        if (HAS_APACK != 0) begin : g_table_store
            codec_table_store #(
                .LANES(ALL_LANES)
            ) u_table_store (
                .clk(clk),
                .rst(clear_q),
                .write_valid(keeper_valid),
                .write_number(next_job),
                .write_row(keeper_address[3:0]),
                .write_data(keeper_data),
                .want(table_want),
                .want_number(table_want_number),
                .bus_valid(table_valid),
                .bus_number(table_number),
                .bus_row(table_row),
                .bus_data(table_data)
            );
            wire unused_keeper = &{1'b0, keeper_address[7:4]};
        end else begin : g_no_table_store
            assign table_valid  = 1'b0;
            assign table_number = 5'd0;
            assign table_row    = 4'd0;
            assign table_data   = 32'd0;
            wire unused_keeper  = &{1'b0, keeper_address, keeper_data, table_want, table_want_number};
        end
    endgenerate

    // ------------------------------------------------------------------------------------------------------------------
    // The jobs at the stages: one is filled, up to 16 wait to be drained, one is drained

    localparam JOB_WIDTH = 5 + 2 + 29 + 15 + 128;

    wire fill_done, fill_error, drain_done, drain_error, read_error, write_error, underrun, overrun;
    wire [7:0] fill_code, drain_code;
    wire [31:0] fill_block, drain_block, fill_payload_words, drain_payload_words, drain_raw_blocks, arrived_blocks, reader_blocks;
    wire [4:0] arrived_job;
    wire read_idle, second_idle, write_idle, stop_drain, stop_fill, reader_over;
    wire [1:0] write_mark;
    wire status_valid, status_ready;
    wire [31:0] status_address;
    wire [63:0] status_data;

    reg fill_active_q, fill_go_q, drain_active_q, drain_go_q;
    reg [4:0] fill_job_q, drain_job_q;
    reg [3:0] fill_codec_q;
    reg fill_decompress_q, fill_stream_q, fill_signed_q, drain_decompress_q, drain_stream_q;
    reg [7:0] fill_zero_q;
    reg [28:0] fill_values_q, drain_values_q;
    reg [14:0] fill_block_values_q, drain_block_values_q;
    reg [31:0] fill_raw_address_q, fill_payload_address_q, fill_payload_words_q;
    reg [31:0] drain_raw_address_q, drain_index_address_q, drain_payload_address_q, drain_payload_words_q;

    wire waiting_place, waiting_valid, drain_start;
    wire [JOB_WIDTH-1:0] waiting;
    wire [4:0] waiting_level, waiting_peak;
    wire fill_over = fill_active_q && !fill_go_q && fill_done;
    wire drain_over = drain_active_q && !drain_go_q && drain_done;

    assign next_ready  = !fill_active_q && waiting_place;
    assign drain_start = waiting_valid && !drain_active_q;

    fifo #(
        .WIDTH(JOB_WIDTH),
        .DEPTH(16)
    ) u_waiting (
        .clk(clk),
        .rst(clear_q),
        .s_valid(next_go),
        .s_ready(waiting_place),
        .s_data({
            next_job, next_decompress, next_stream, next_values, next_block_values, next_raw_address, next_index_address, next_payload_address,
            next_payload_words
        }),
        .m_valid(waiting_valid),
        .m_ready(!drain_active_q),
        .m_data(waiting),
        .level(waiting_level),
        .peak(waiting_peak)
    );

    always @(posedge clk) begin
        if (clear_q) begin
            fill_active_q  <= 1'b0;
            fill_go_q      <= 1'b0;
            fill_job_q     <= 5'd0;
            drain_active_q <= 1'b0;
            drain_go_q     <= 1'b0;
            drain_job_q    <= 5'd0;
        end else begin
            fill_active_q  <= next_go || (fill_active_q && !fill_over);
            fill_go_q      <= next_go;
            drain_active_q <= drain_start || (drain_active_q && !drain_over);
            drain_go_q     <= drain_start;
            if (next_go) fill_job_q <= next_job;
            if (drain_start) drain_job_q <= waiting[JOB_WIDTH-1-:5];
        end
    end

    always @(posedge clk) begin
        if (next_go) begin
            fill_codec_q           <= next_codec;
            fill_decompress_q      <= next_decompress;
            fill_stream_q          <= next_stream;
            fill_signed_q          <= next_signed;
            fill_zero_q            <= next_zero;
            fill_values_q          <= next_values;
            fill_block_values_q    <= next_block_values;
            fill_raw_address_q     <= next_raw_address;
            fill_payload_address_q <= next_payload_address;
            fill_payload_words_q   <= next_payload_words;
        end
        if (drain_start)
            {drain_decompress_q, drain_stream_q, drain_values_q, drain_block_values_q, drain_raw_address_q, drain_index_address_q,
             drain_payload_address_q, drain_payload_words_q} <= waiting[JOB_WIDTH-6:0];
    end

    // what the decompressing jobs read, from their fill to their end
    wire filled_valid, filled_place, drained_valid, drained_place, drained_ready, drained_stream, drained_decompress;
    wire [31:0] filled_words, drained_blocks, drained_words, drained_raw_blocks;
    wire [5:0] filled_level, filled_peak, drained_level, drained_peak;

    fifo #(
        .WIDTH(32),
        .DEPTH(32)
    ) u_filled (
        .clk(clk),
        .rst(clear_q),
        .s_valid(fill_over),
        .s_ready(filled_place),
        .s_data(fill_payload_words),
        .m_valid(filled_valid),
        .m_ready(drained_ready),
        .m_data(filled_words),
        .level(filled_level),
        .peak(filled_peak)
    );

    fifo #(
        .WIDTH(98),
        .DEPTH(32)
    ) u_drained (
        .clk(clk),
        .rst(clear_q),
        .s_valid(drain_over),
        .s_ready(drained_place),
        .s_data({drain_decompress_q, drain_decompress_q && drain_stream_q, drain_block, drain_payload_words, drain_raw_blocks}),
        .m_valid(drained_valid),
        .m_ready(drained_ready),
        .m_data({drained_decompress, drained_stream, drained_blocks, drained_words, drained_raw_blocks}),
        .level(drained_level),
        .peak(drained_peak)
    );

    reg [3:0] quiet_q;
    always @(posedge clk) quiet_q <= halt ? {quiet_q[2:0], read_idle && second_idle && write_idle} : 4'd0;

    wire read_index_error;
    wire [MEMORY_PORTS-1:0] block_error;  // by memory port
    wire [5*MEMORY_PORTS-1:0] block_error_job;
    wire [32*MEMORY_PORTS-1:0] block_error_block;
    wire [4:0] read_data_job, stream_job;
    reg [4:0] stream_job_q;
    wire [1:0] status_place;

    always @(posedge clk) stream_job_q <= stream_job;

    job_end #(
        .READ_PORTS(MEMORY_PORTS)
    ) u_end (
        .clk(clk),
        .rst(rst_q),
        .start(start || start_queue),
        .stop(abort),
        .busy(busy),
        .ended(ended),
        .job_interrupt(job_interrupt),
        .code(code),
        .code_block(code_block),
        .ended_jobs(ended_jobs),
        .ended_descriptor(ended_descriptor),
        .result_blocks(result_blocks),
        .result_payload_words(result_payload_words),
        .result_raw_blocks(result_raw_blocks),
        .cycles(count_cycles),
        .job(end_job),
        .descriptor(end_descriptor),
        .queued(end_queued),
        .last(end_last),
        .writes(end_writes),
        .interrupts(end_interrupt),
        .drained_valid(drained_valid),
        .drained_ready(drained_ready),
        .drained_stream(drained_stream),
        .drained_blocks(drained_blocks),
        .drained_payload_words(drained_decompress ? filled_words : drained_words),
        .drained_raw_blocks(drained_raw_blocks),
        .drain_job(drain_job_q),
        .drain_blocks(drain_active_q && reader_over ? 32'd0 : reader_blocks),  // else they are those of the job before
        .drain_payload_words(drain_decompress_q ? fill_payload_words : drain_payload_words),
        .drain_raw_blocks(drain_raw_blocks),
        .arrived_job(arrived_job),
        .arrived_blocks(arrived_blocks),
        .mark_memory(write_mark[0]),
        .mark_stream(m_axis_raw_tvalid && m_axis_raw_tready && m_axis_raw_tlast),
        .mark_status(write_mark[1]),
        .status_valid(status_valid),
        .status_ready(status_ready),
        .status_address(status_address),
        .status_place(status_place),
        .status_data(status_data),
        .clear(clear),
        .halt(halt),
        .quiet(&quiet_q),
        .stop_drain(stop_drain),
        .stop_fill(stop_fill),
        .read_error(block_error),
        .read_error_job(block_error_job),
        .read_error_block(block_error_block),
        .index_error(read_index_error),
        .index_error_job(read_data_job),
        .write_error(write_error),
        .underrun(underrun),
        .overrun(overrun),
        .stream_job(stream_job_q),
        .fill_error(fill_error),
        .fill_job(fill_job_q),
        .fill_code(fill_code),
        .fill_block(fill_block),
        .drain_error(drain_error),
        .drain_code(drain_code),
        .drain_block(drain_block),
        .intake_error(intake_error),
        .intake_job(next_job),
        .intake_code(intake_code),
        .intake_nowhere(intake_nowhere)
    );

    // ------------------------------------------------------------------------------------------------------------------
    // Filling the lanes

    wire entry_valid, entry_ready, index_cmd_valid, index_cmd_ready, index_valid;
    wire [63:0] entry_data;
    wire [31:0] index_cmd_address, block_cmd_address;
    wire [15:0] index_cmd_words, block_cmd_words;
    wire [ALL_LANES-1:0] task_valid, task_ready;
    wire [VALUES_WIDTH-1:0] task_values;
    wire [WORDS_WIDTH-1:0] task_a_words, task_words;
    wire task_raw, block_read_valid, block_read_ready, stream_cmd_valid, stream_cmd_ready, cmd_last;
    wire [3:0] cmd_lane;
    wire [2:0] cmd_tail;

    index_fetch u_index_fetch (
        .clk(clk),
        .rst(clear_q),
        .go(index_go && next_decompress),
        .ready(index_ready),
        .job_values(next_values),
        .job_block_values(next_block_values),
        .job_index_address(next_index_address),
        .cmd_valid(index_cmd_valid),
        .cmd_ready(index_cmd_ready),
        .cmd_address(index_cmd_address),
        .cmd_words(index_cmd_words),
        .s_valid(index_valid),
        .s_data(read_data),
        .entry_valid(entry_valid),
        .entry_ready(entry_ready),
        .entry_data(entry_data)
    );

    fill_sequencer #(
        .LANES(ALL_LANES),
        .ENCODE_LANES(ENCODE_LANES),
        .DECODE_LANES(DECODE_LANES),
        .BLOCK_BYTES(BLOCK_BYTES)
    ) u_fill (
        .clk(clk),
        .rst(clear_q),
        .halt(halt || stop_fill),
        .go(fill_go_q),
        .job_codec(fill_codec_q),
        .job_decompress(fill_decompress_q),
        .job_stream(fill_stream_q),
        .job_values(fill_values_q),
        .job_block_values(fill_block_values_q),
        .job_raw_address(fill_raw_address_q),
        .job_payload_address(fill_payload_address_q),
        .job_payload_words(fill_payload_words_q),
        .entry_valid(entry_valid),
        .entry_ready(entry_ready),
        .entry_data(entry_data),
        .task_valid(task_valid),
        .task_ready(task_ready),
        .task_values(task_values),
        .task_a_words(task_a_words),
        .task_words(task_words),
        .task_raw(task_raw),
        .read_valid(block_read_valid),
        .read_ready(block_read_ready),
        .stream_valid(stream_cmd_valid),
        .stream_ready(stream_cmd_ready),
        .cmd_address(block_cmd_address),
        .cmd_words(block_cmd_words),
        .cmd_lane(cmd_lane),
        .cmd_tail(cmd_tail),
        .cmd_last(cmd_last),
        .done(fill_done),
        .payload_words(fill_payload_words),
        .error(fill_error),
        .error_code(fill_code),
        .error_block(fill_block)
    );

    // Words of blocks come from memory or from the stream, one at a time: the other waits until what was asked for has come.
    reg [5:0] reads_open_q, streams_open_q;  // blocks
    reg reads_closed_q, streams_closed_q;
    reg read_asked_q, stream_asked_q, read_came_q, second_came_q, stream_came_q;  // counted a cycle later
    wire block_arrived, second_arrived, stream_arrived;

    always @(posedge clk) begin
        if (clear_q) begin
            read_asked_q   <= 1'b0;
            stream_asked_q <= 1'b0;
            read_came_q    <= 1'b0;
            second_came_q  <= 1'b0;
            stream_came_q  <= 1'b0;
            reads_open_q   <= 6'd0;
            streams_open_q <= 6'd0;
        end else begin
            read_asked_q   <= block_read_valid && block_read_ready;
            stream_asked_q <= stream_cmd_valid && stream_cmd_ready;
            read_came_q    <= block_arrived;
            second_came_q  <= second_arrived;
            stream_came_q  <= stream_arrived;
            reads_open_q   <= reads_open_q + {5'd0, read_asked_q} - {5'd0, read_came_q} - {5'd0, second_came_q};
            streams_open_q <= streams_open_q + {5'd0, stream_asked_q} - {5'd0, stream_came_q};
        end
        reads_closed_q   <= reads_open_q == 6'd0 && !read_asked_q && !block_read_valid;
        streams_closed_q <= streams_open_q == 6'd0 && !stream_asked_q && !stream_cmd_valid;
    end

    // With two ports the blocks of odd lanes are read through the second one, and words carry the number of their block: there is no common order.
    localparam BLOCK_WIDTH = 21;  // at most 2^28 values in blocks of at least 128
    localparam TAG_WIDTH = MEMORY_PORTS == 2 ? 12 + BLOCK_WIDTH : 12;  // of a word: {block, job[4:0], tail[2:0], lane[3:0]}

    wire read_beat, second_taken;
    wire [TAG_WIDTH+1:0] read_data_tag;
    wire [7:0] reads, writes;
    wire of_second = MEMORY_PORTS == 2 && cmd_lane[0];

    // the next job before the index before blocks, but a command once shown stays; the chosen one goes on out of a register, every other cycle
    reg read_cmd_valid_q;
    reg [31:0] read_cmd_address_q;
    reg [15:0] read_cmd_words_q;
    reg [TAG_WIDTH+1:0] read_cmd_tag_q;
    wire read_queue_ready;
    wire read_cmd_ready = !read_cmd_valid_q;
    wire block_wanted = block_read_valid && streams_closed_q && !of_second;
    reg block_shown_q, index_shown_q;
    wire pick_block = block_wanted && (block_shown_q || (!index_shown_q && !index_cmd_valid && !fetch_cmd_valid));
    wire pick_index = !pick_block && index_cmd_valid && (index_shown_q || !fetch_cmd_valid);

    always @(posedge clk) begin
        block_shown_q <= !clear_q && pick_block && !read_cmd_ready;
        index_shown_q <= !clear_q && pick_index && !read_cmd_ready;
    end

    assign block_read_ready = (pick_block && read_cmd_ready) || second_taken;
    assign index_cmd_ready  = pick_index && read_cmd_ready;
    assign fetch_cmd_ready  = !pick_block && !pick_index && read_cmd_ready;

    localparam [1:0] OF_BLOCK = 2'd0, OF_INDEX = 2'd1, OF_JOB = 2'd2;
    wire [BLOCK_WIDTH+11:0] block_tag = {fill_block[BLOCK_WIDTH-1:0], fill_job_q, cmd_tail, cmd_lane};
    wire [BLOCK_WIDTH+11:0] index_tag = {{BLOCK_WIDTH{1'b0}}, index_job_q, 7'd0};
    wire [TAG_WIDTH+1:0] read_cmd_tag = {
        pick_block ? block_tag[TAG_WIDTH-1:0] : index_tag[TAG_WIDTH-1:0], pick_block ? OF_BLOCK : pick_index ? OF_INDEX : OF_JOB
    };
    reg [4:0] index_job_q;

    always @(posedge clk) if (index_go) index_job_q <= next_job;

    always @(posedge clk) begin
        if (read_cmd_ready) begin
            read_cmd_valid_q   <= fetch_cmd_valid || index_cmd_valid || block_wanted;
            read_cmd_address_q <= pick_block ? block_cmd_address : pick_index ? index_cmd_address : fetch_cmd_address;
            read_cmd_words_q   <= pick_block ? block_cmd_words : pick_index ? index_cmd_words : fetch_cmd_words;
            read_cmd_tag_q     <= read_cmd_tag;
        end else if (read_queue_ready) begin
            read_cmd_valid_q <= 1'b0;
        end
        if (clear_q) read_cmd_valid_q <= 1'b0;
    end

    // an error comes with its word
    wire of_block = read_data_tag[1:0] == OF_BLOCK;
    wire of_index = read_data_tag[1:0] == OF_INDEX;

    assign read_data_job    = read_data_tag[13:9];
    assign index_valid      = read_data_valid && of_index;
    assign fetch_valid      = read_data_valid && !of_block && !of_index;
    assign read_index_error = read_error && of_index;
    assign fetch_read_error = read_error && !of_block && !of_index;
    assign block_arrived    = read_data_valid && read_data_last && of_block;

    wire [1:0] read_error_response, write_error_response;

    read_master #(
        .ADDRESS_WIDTH(32),
        .TAG_WIDTH(TAG_WIDTH + 2),
        .OUTSTANDING(READ_OUTSTANDING)
    ) u_read_master (
        .clk(clk),
        .rst(clear_q),
        .halt(halt),
        .idle(read_idle),
        .s_cmd_valid(read_cmd_valid_q),
        .s_cmd_ready(read_queue_ready),
        .s_cmd_address(read_cmd_address_q),
        .s_cmd_words(read_cmd_words_q),
        .s_cmd_tag(read_cmd_tag_q),
        .m_data_valid(read_data_valid),
        .m_data(read_data),
        .m_data_tag(read_data_tag),
        .m_data_last(read_data_last),
        .error(read_error),
        .error_response(read_error_response),
        .beats_valid(read_beat),
        .outstanding(reads),
        .m_axi_arid(m_axi_arid),
        .m_axi_araddr(m_axi_araddr),
        .m_axi_arlen(m_axi_arlen),
        .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst),
        .m_axi_arlock(m_axi_arlock),
        .m_axi_arcache(m_axi_arcache),
        .m_axi_arprot(m_axi_arprot),
        .m_axi_arvalid(m_axi_arvalid),
        .m_axi_arready(m_axi_arready),
        .m_axi_rid(m_axi_rid),
        .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp),
        .m_axi_rlast(m_axi_rlast),
        .m_axi_rvalid(m_axi_rvalid),
        .m_axi_rready(m_axi_rready)
    );

    wire stream_valid, stream_last, stream_place;

    assign stream_cmd_ready = stream_place && reads_closed_q;
    wire [63:0] stream_data;
    wire [TAG_WIDTH-1:0] stream_tag;

    assign stream_job     = stream_tag[11:7];
    assign stream_arrived = stream_valid && stream_last;

    stream_source #(
        .TAG_WIDTH(TAG_WIDTH)
    ) u_stream_source (
        .clk(clk),
        .rst(clear_q),
        .halt(halt),
        .cmd_valid(stream_cmd_valid && reads_closed_q),
        .cmd_ready(stream_place),
        .cmd_words(block_cmd_words),
        .cmd_tag(block_tag[TAG_WIDTH-1:0]),
        .cmd_last(cmd_last),
        .s_axis_tdata(s_axis_raw_tdata),
        .s_axis_tvalid(s_axis_raw_tvalid),
        .s_axis_tready(s_axis_raw_tready),
        .s_axis_tlast(s_axis_raw_tlast),
        .m_data_valid(stream_valid),
        .m_data(stream_data),
        .m_data_tag(stream_tag),
        .m_data_last(stream_last),
        .underrun(underrun),
        .overrun(overrun)
    );

    // one router for each memory port; words of the stream pass through both, and each lane listens to one
    wire [ALL_LANES-1:0] even_fill_valid, odd_fill_valid;  // of lanes with an even and with an odd number
    wire [63:0] even_fill_data, odd_fill_data;
    wire [4:0] router_job;
    wire [31:0] router_blocks;
    wire [1:0] read_beats;
    wire [7:0] all_reads;
    wire second_wait;

    fill_router #(
        .LANES(ALL_LANES)
    ) u_router (
        .clk(clk),
        .rst(clear_q),
        .read_valid(read_data_valid && of_block),
        .read_data(read_data),
        .read_tag(read_data_tag[13:2]),
        .read_last(read_data_last),
        .stream_valid(stream_valid),
        .stream_data(stream_data),
        .stream_tag(stream_tag[11:0]),
        .stream_last(stream_last),
        .fill_valid(even_fill_valid),
        .fill_data(even_fill_data),
        .job(router_job),
        .blocks(router_blocks)
    );

    generate
        if (MEMORY_PORTS == 2) begin : g_second_port
            wire cmd_valid = block_read_valid && streams_closed_q && of_second;
            wire cmd_ready, data_valid, data_last, data_error, beat;
            wire [63:0] data;
            wire [TAG_WIDTH-1:0] data_tag;
            wire [1:0] unused_response;
            wire [7:0] bursts;
            wire [4:0] unused_job;
            wire [31:0] unused_blocks;

            read_master #(
                .ADDRESS_WIDTH(32),
                .TAG_WIDTH(TAG_WIDTH),
                .OUTSTANDING(READ_OUTSTANDING)
            ) u_read_master (
                .clk(clk),
                .rst(clear_q),
                .halt(halt),
                .idle(second_idle),
                .s_cmd_valid(cmd_valid),
                .s_cmd_ready(cmd_ready),
                .s_cmd_address(block_cmd_address),
                .s_cmd_words(block_cmd_words),
                .s_cmd_tag(block_tag[TAG_WIDTH-1:0]),
                .m_data_valid(data_valid),
                .m_data(data),
                .m_data_tag(data_tag),
                .m_data_last(data_last),
                .error(data_error),
                .error_response(unused_response),
                .beats_valid(beat),
                .outstanding(bursts),
                .m_axi_arid(m1_axi_arid),
                .m_axi_araddr(m1_axi_araddr),
                .m_axi_arlen(m1_axi_arlen),
                .m_axi_arsize(m1_axi_arsize),
                .m_axi_arburst(m1_axi_arburst),
                .m_axi_arlock(m1_axi_arlock),
                .m_axi_arcache(m1_axi_arcache),
                .m_axi_arprot(m1_axi_arprot),
                .m_axi_arvalid(m1_axi_arvalid),
                .m_axi_arready(m1_axi_arready),
                .m_axi_rid(m1_axi_rid),
                .m_axi_rdata(m1_axi_rdata),
                .m_axi_rresp(m1_axi_rresp),
                .m_axi_rlast(m1_axi_rlast),
                .m_axi_rvalid(m1_axi_rvalid),
                .m_axi_rready(m1_axi_rready)
            );

            fill_router #(
                .LANES(ALL_LANES)
            ) u_router (
                .clk(clk),
                .rst(clear_q),
                .read_valid(data_valid),
                .read_data(data),
                .read_tag(data_tag[11:0]),
                .read_last(data_last),
                .stream_valid(stream_valid),
                .stream_data(stream_data),
                .stream_tag(stream_tag[11:0]),
                .stream_last(stream_last),
                .fill_valid(odd_fill_valid),
                .fill_data(odd_fill_data),
                .job(unused_job),
                .blocks(unused_blocks)
            );

            // where the words are: the block of the last one, or the next when it is whole
            wire first_valid = (read_data_valid && of_block) || stream_valid;
            wire [4:0] first_job = stream_valid ? stream_job : read_data_job;
            wire [BLOCK_WIDTH-1:0] first_block = stream_valid ? stream_tag[TAG_WIDTH-1:12] : read_data_tag[TAG_WIDTH+1:14];
            wire first_last = stream_valid ? stream_last : read_data_last;
            reg [4:0] arrived_job_q;
            reg [BLOCK_WIDTH-1:0] arrived_blocks_q;
            reg [7:0] all_reads_q;

            always @(posedge clk) all_reads_q <= reads + bursts;

            always @(posedge clk)
                if (clear_q) begin
                    arrived_job_q    <= 5'd0;
                    arrived_blocks_q <= {BLOCK_WIDTH{1'b0}};
                end else if (first_valid) begin
                    arrived_job_q    <= first_job;
                    arrived_blocks_q <= first_block + {{BLOCK_WIDTH - 1{1'b0}}, first_last};
                end else if (data_valid) begin
                    arrived_job_q    <= data_tag[11:7];
                    arrived_blocks_q <= data_tag[TAG_WIDTH-1:12] + {{BLOCK_WIDTH - 1{1'b0}}, data_last};
                end

            assign second_taken      = cmd_valid && cmd_ready;
            assign second_arrived    = data_valid && data_last;
            assign second_wait       = m1_axi_arvalid && !m1_axi_arready;
            assign arrived_job       = arrived_job_q;
            assign arrived_blocks    = {{32 - BLOCK_WIDTH{1'b0}}, arrived_blocks_q};
            assign block_error       = {data_error, read_error && of_block};
            assign block_error_job   = {data_tag[11:7], read_data_job};
            assign block_error_block = {{32 - BLOCK_WIDTH{1'b0}}, data_tag[TAG_WIDTH-1:12], {32 - BLOCK_WIDTH{1'b0}}, read_data_tag[TAG_WIDTH+1:14]};
            assign read_beats        = {1'b0, read_beat} + {1'b0, beat};
            assign all_reads         = all_reads_q;

            wire unused_second = &{1'b0, unused_response, unused_job, unused_blocks, router_job, router_blocks};
        end else begin : g_one_port
            assign m1_axi_arid    = 1'b0;
            assign m1_axi_araddr  = 32'd0;
            assign m1_axi_arlen   = 8'd0;
            assign m1_axi_arsize  = 3'd0;
            assign m1_axi_arburst = 2'd0;
            assign m1_axi_arlock  = 1'b0;
            assign m1_axi_arcache = 4'd0;
            assign m1_axi_arprot  = 3'd0;
            assign m1_axi_arvalid = 1'b0;
            assign m1_axi_rready  = 1'b0;

            assign odd_fill_valid    = even_fill_valid;
            assign odd_fill_data     = even_fill_data;
            assign second_idle       = 1'b1;
            assign second_taken      = 1'b0;
            assign second_arrived    = 1'b0;
            assign second_wait       = 1'b0;
            assign arrived_job       = router_job;
            assign arrived_blocks    = router_blocks;
            assign block_error       = read_error && of_block;
            assign block_error_job   = read_data_job;
            assign block_error_block = router_job == read_data_job ? router_blocks : 32'd0;
            assign read_beats        = {1'b0, read_beat};
            assign all_reads         = reads;

            wire unused_second = &{
                1'b0, m1_axi_arready, m1_axi_rid, m1_axi_rdata, m1_axi_rresp, m1_axi_rlast, m1_axi_rvalid, block_tag[BLOCK_WIDTH+11:12],
                index_tag[BLOCK_WIDTH+11:12]
            };
        end
    endgenerate

    // ------------------------------------------------------------------------------------------------------------------
    // The lanes

    wire [ALL_LANES-1:0] done_valid, done_ready, done_raw, done_corrupt, drain_enable;
    wire [ALL_LANES-1:0] lane_busy, lane_starved, lane_blocked, lane_idle;
    wire [ALL_LANES*WORDS_WIDTH-1:0] done_a_words, done_words;
    wire [64*DRAIN_WORDS*ALL_LANES-1:0] drain_data;
    wire [ADDRESS_WIDTH-1:0] drain_address;
    wire drain_last;

    genvar i;
    generate
        for (i = 0; i < ALL_LANES; i = i + 1) begin : g_lane
            lane #(
                .BLOCK_BYTES(BLOCK_BYTES),
                .ENCODE_CODECS(i < ENCODE_LANES ? ENCODERS : 0),
                .DECODE_CODECS(i < DECODE_LANES ? DECODERS : 0),
                .APACK_CODERS(APACK_CODERS),
                .APACK_TREE(APACK_TREE),
                .DRAIN_WORDS(DRAIN_WORDS),
                .RAW_WORDS(RAW_WORDS)
            ) u_lane (
                .clk(clk),
                .rst(clear_q),
                .job_codec(fill_codec_q),
                .job_decompress(fill_decompress_q),
                .job_signed(fill_signed_q),
                .job_zero(fill_zero_q),
                .job_table(fill_job_q),
                .table_want(table_want[i]),
                .table_want_number(table_want_number[5*i+:5]),
                .table_forget(keeper_valid),
                .table_forget_number(next_job),
                .table_number(table_number),
                .table_valid(table_valid),
                .table_address({4'd0, table_row}),
                .table_data(table_data),
                .task_valid(task_valid[i]),
                .task_ready(task_ready[i]),
                .task_values(task_values),
                .task_a_words(task_a_words),
                .task_words(task_words),
                .task_raw(task_raw),
                .fill_valid(i % 2 == 0 ? even_fill_valid[i] : odd_fill_valid[i]),
                .fill_data(i % 2 == 0 ? even_fill_data : odd_fill_data),
                .done_valid(done_valid[i]),
                .done_ready(done_ready[i]),
                .done_a_words(done_a_words[WORDS_WIDTH*i+:WORDS_WIDTH]),
                .done_words(done_words[WORDS_WIDTH*i+:WORDS_WIDTH]),
                .done_raw(done_raw[i]),
                .done_corrupt(done_corrupt[i]),
                .drain_enable(drain_enable[i]),
                .drain_last(drain_last),
                .drain_address(drain_address),
                .drain_data(drain_data[64*DRAIN_WORDS*i+:64*DRAIN_WORDS]),
                .is_busy(lane_busy[i]),
                .is_starved(lane_starved[i]),
                .is_blocked(lane_blocked[i]),
                .is_idle(lane_idle[i])
            );
        end
    endgenerate

    // ------------------------------------------------------------------------------------------------------------------
    // Draining the lanes

    wire write_cmd_valid, write_cmd_ready, reader_cmd_valid, reader_cmd_ready, reader_cmd_index, reader_cmd_last, reader_cmd_pairs, reader_cmd_stream;
    wire [1:0] write_cmd_mark;
    wire [31:0] write_cmd_address;
    wire [15:0] write_cmd_words;
    wire [7:0] write_cmd_last_strobe;
    wire [3:0] reader_cmd_lane;
    wire [WORDS_WIDTH-1:0] reader_cmd_up_words, reader_cmd_words;
    wire [5:0] reader_cmd_index_address, index_address;
    wire [2:0] reader_cmd_tail;
    wire [63:0] index_data;

    drain_sequencer #(
        .LANES(ALL_LANES),
        .ENCODE_LANES(ENCODE_LANES),
        .DECODE_LANES(DECODE_LANES),
        .BLOCK_BYTES(BLOCK_BYTES),
        .RAW_PAIRS(RAW_WORDS == 2 ? 1 : 0)
    ) u_drain (
        .clk(clk),
        .rst(clear_q),
        .halt(halt),
        .stop(stop_drain),
        .go(drain_go_q),
        .job_decompress(drain_decompress_q),
        .job_stream(drain_stream_q),
        .job_values(drain_values_q),
        .job_block_values(drain_block_values_q),
        .job_raw_address(drain_raw_address_q),
        .job_index_address(drain_index_address_q),
        .job_payload_address(drain_payload_address_q),
        .job_payload_words(drain_payload_words_q),
        .done_valid(done_valid),
        .done_ready(done_ready),
        .done_a_words(done_a_words),
        .done_words(done_words),
        .done_raw(done_raw),
        .done_corrupt(done_corrupt),
        .write_valid(write_cmd_valid),
        .write_ready(write_cmd_ready),
        .write_address(write_cmd_address),
        .write_words(write_cmd_words),
        .write_last_strobe(write_cmd_last_strobe),
        .write_mark(write_cmd_mark),
        .read_valid(reader_cmd_valid),
        .read_ready(reader_cmd_ready),
        .read_index(reader_cmd_index),
        .read_lane(reader_cmd_lane),
        .read_up_words(reader_cmd_up_words),
        .read_words(reader_cmd_words),
        .read_index_address(reader_cmd_index_address),
        .read_tail(reader_cmd_tail),
        .read_last(reader_cmd_last),
        .read_pairs(reader_cmd_pairs),
        .read_stream(reader_cmd_stream),
        .status_valid(status_valid),
        .status_ready(status_ready),
        .status_address(status_address),
        .index_address(index_address[4:0]),
        .index_data(index_data),
        .done(drain_done),
        .payload_words(drain_payload_words),
        .raw_blocks(drain_raw_blocks),
        .error(drain_error),
        .error_code(drain_code),
        .error_block(drain_block)
    );

    assign status_place = index_address[1:0];

    wire word_valid, word_ready, word_last, word_stream, reader_idle;
    wire [64*DRAIN_WORDS-1:0] word_data;
    wire word_both;
    wire [2:0] word_tail;

    drain_reader #(
        .LANES(ALL_LANES),
        .ADDRESS_WIDTH(ADDRESS_WIDTH),
        .WORDS(DRAIN_WORDS)
    ) u_drain_reader (
        .clk(clk),
        .rst(clear_q),
        .cmd_valid(reader_cmd_valid),
        .cmd_ready(reader_cmd_ready),
        .cmd_index(reader_cmd_index),
        .cmd_lane(reader_cmd_lane),
        .cmd_up_words(reader_cmd_up_words),
        .cmd_words(reader_cmd_words),
        .cmd_index_address(reader_cmd_index_address),
        .cmd_tail(reader_cmd_tail),
        .cmd_last(reader_cmd_last),
        .cmd_pairs(reader_cmd_pairs),
        .cmd_stream(reader_cmd_stream),
        .drain_enable(drain_enable),
        .drain_last(drain_last),
        .drain_address(drain_address),
        .drain_data(drain_data),
        .index_address(index_address),
        .index_data(index_address[5] ? status_data : index_data),
        .m_valid(word_valid),
        .m_ready(word_ready),
        .m_data(word_data),
        .m_both(word_both),
        .m_tail(word_tail),
        .m_last(word_last),
        .m_stream(word_stream),
        .idle(reader_idle),
        .blocks(reader_blocks),
        .over(reader_over)
    );

    wire write_data_ready, stream_out_ready, write_beat;
    // while everything halts, words for the stream are dropped, so that a partner that waits does not hold up the words of issued bursts
    assign word_ready = word_stream ? stream_out_ready || halt : write_data_ready && (!word_both || second);

    // the write master takes two words one after the other
    wire [63:0] write_data;
    wire second;

    generate
        if (DRAIN_WORDS == 2) begin : g_pairs
            reg second_q;

            always @(posedge clk)
                if (clear_q) second_q <= 1'b0;
                else if (word_valid && !word_stream && write_data_ready) second_q <= word_both && !second_q;

            assign second     = second_q;
            assign write_data = second_q ? word_data[127:64] : word_data[63:0];
        end else begin : g_words
            assign second     = 1'b0;
            assign write_data = word_data;
        end
    endgenerate

    write_master #(
        .ADDRESS_WIDTH(32),
        .OUTSTANDING(WRITE_OUTSTANDING)
    ) u_write_master (
        .clk(clk),
        .rst(clear_q),
        .halt(halt),
        .idle(write_idle),
        .s_cmd_valid(write_cmd_valid),
        .s_cmd_ready(write_cmd_ready),
        .s_cmd_address(write_cmd_address),
        .s_cmd_words(write_cmd_words),
        .s_cmd_last_strobe(write_cmd_last_strobe),
        .s_cmd_mark(write_cmd_mark),
        .s_data_valid(word_valid && !word_stream),
        .s_data_ready(write_data_ready),
        .s_data(write_data),
        .error(write_error),
        .error_response(write_error_response),
        .mark(write_mark),
        .beat(write_beat),
        .outstanding(writes),
        .m_axi_awid(m_axi_awid),
        .m_axi_awaddr(m_axi_awaddr),
        .m_axi_awlen(m_axi_awlen),
        .m_axi_awsize(m_axi_awsize),
        .m_axi_awburst(m_axi_awburst),
        .m_axi_awlock(m_axi_awlock),
        .m_axi_awcache(m_axi_awcache),
        .m_axi_awprot(m_axi_awprot),
        .m_axi_awvalid(m_axi_awvalid),
        .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata),
        .m_axi_wstrb(m_axi_wstrb),
        .m_axi_wlast(m_axi_wlast),
        .m_axi_wvalid(m_axi_wvalid),
        .m_axi_wready(m_axi_wready),
        .m_axi_bid(m_axi_bid),
        .m_axi_bresp(m_axi_bresp),
        .m_axi_bvalid(m_axi_bvalid),
        .m_axi_bready(m_axi_bready)
    );

    // not cleared at the end of a job: a beat once shown stays
    stream_sink #(
        .BYTES(STREAM_BYTES)
    ) u_stream_sink (
        .clk(clk),
        .rst(rst_q),
        .drop(clear_q),
        .s_valid(word_valid && word_stream && !halt),
        .s_ready(stream_out_ready),
        .s_data(word_data),
        .s_both(word_both),
        .s_last(word_last),
        .s_tail(word_tail),
        .m_axis_tdata(m_axis_raw_tdata),
        .m_axis_tkeep(m_axis_raw_tkeep),
        .m_axis_tvalid(m_axis_raw_tvalid),
        .m_axis_tready(m_axis_raw_tready),
        .m_axis_tlast(m_axis_raw_tlast)
    );

    // ------------------------------------------------------------------------------------------------------------------
    // Counters

    job_counters #(
        .LANES(ALL_LANES)
    ) u_counters (
        .clk(clk),
        .start((start || start_queue) && !busy),
        .busy(busy),
        .lane_busy(lane_busy),
        .lane_starved(lane_starved),
        .lane_blocked(lane_blocked),
        .read_beats(read_beats),
        .read_wait((m_axi_arvalid && !m_axi_arready) || second_wait),
        .write_beat(write_beat),
        .write_wait((m_axi_awvalid && !m_axi_awready) || (m_axi_wvalid && !m_axi_wready)),
        .stream_wait((s_axis_raw_tready && !s_axis_raw_tvalid) || (m_axis_raw_tvalid && !m_axis_raw_tready)),
        .reads(all_reads),
        .writes(writes),
        .count_cycles(count_cycles),
        .count_lane_busy(count_lane_busy),
        .count_lane_starved(count_lane_starved),
        .count_lane_blocked(count_lane_blocked),
        .count_lane_idle(count_lane_idle),
        .count_read_beats(count_read_beats),
        .count_read_wait(count_read_wait),
        .count_write_beats(count_write_beats),
        .count_write_wait(count_write_wait),
        .count_stream_wait(count_stream_wait),
        .peak_reads(peak_reads),
        .peak_writes(peak_writes)
    );

    reg error_q;

    always @(posedge clk)
        if (rst_q || start || start_queue) error_q <= 1'b0;
        else if (ended) error_q <= code != 8'd0;

    assign status_busy  = busy;
    assign status_error = error_q;

    wire unused = &{
        1'b0, s_axis_raw_tkeep, lane_idle, read_error_response, write_error_response, waiting_level, waiting_peak, filled_valid, filled_place,
        filled_level, filled_peak, drained_place, drained_level, drained_peak, reader_idle, table_row
    };

endmodule

`resetall
