// SPDX-License-Identifier: Apache-2.0
//
// tensorpress_engine: the compressing DMA. L lanes of codecs between one AXI memory port, a pair of AXI-Stream ports for the
// accelerator and an AXI4-Lite register port. See docs/ARCHITECTURE.md for the way of the data, rtl/csr/REGISTERS.md for the registers,
// docs/FORMAT.md for the bytes.
//
// One clock. Throughput: one word a cycle each way at the memory port; one value a cycle and lane for codecs of that rate.
// The memory port is legal AXI3 (<= 16 beats, one ID) and AXI4; it never crosses 4 KiB and never writes outside the job's regions.
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
    parameter STREAM_BYTES      = 8,     // bytes of a beat of m_axis_raw
    parameter READ_OUTSTANDING  = 8,     // read bursts on the way, 2..16
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
    // AXI4-Stream: raw values from the accelerator
    input  wire [63:0] s_axis_raw_tdata,
    input  wire [ 7:0] s_axis_raw_tkeep,
    input  wire        s_axis_raw_tvalid,
    output wire        s_axis_raw_tready,
    input  wire        s_axis_raw_tlast,
    // AXI4-Stream: raw values to the accelerator
    output wire [63:0] m_axis_raw_tdata,
    output wire [ 7:0] m_axis_raw_tkeep,
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
        if (STREAM_BYTES != 8) begin : g_bad_stream_bytes
            error_STREAM_BYTES_must_be_8 u_error ();
        end
    endgenerate

    wire clk = aclk;
    reg rst_q;

    always @(posedge aclk) rst_q <= !aresetn;

    // ------------------------------------------------------------------------------------------------------------------
    // Registers and job control

    wire start, abort, busy, ended, clear, go, halt, quiet;
    wire [7:0] code;
    wire [31:0] code_block;

    wire [3:0] s_codec, job_codec;
    wire s_decompress, s_stream, s_signed, job_decompress, job_stream, job_signed;
    wire [7:0] s_zero, job_zero;
    wire [31:0] s_values, s_raw_address, s_index_address, s_payload_address, s_payload_words;
    wire [31:0] job_raw_address, job_index_address, job_payload_address, job_payload_words;
    wire [28:0] job_values;
    wire [15:0] s_block_values;
    wire [14:0] job_block_values;

    wire csr_table_valid, table_load, table_done, table_error, table_valid;
    wire [7:0] csr_table_address, table_address;
    wire [31:0] csr_table_data, table_data;

    wire [31:0] count_cycles, count_lane_busy, count_lane_starved, count_lane_blocked, count_lane_idle;
    wire [31:0] count_read_beats, count_read_wait, count_write_beats, count_write_wait, count_stream_wait, peak_reads, peak_writes;

    wire [31:0] fill_payload_words, drain_payload_words, drained_blocks, drained_raw_blocks, arrived_blocks;
    reg [31:0] result_blocks_q, result_payload_words_q, result_raw_blocks_q;

    // live while the job runs, then held
    always @(posedge clk)
        if (busy) begin
            result_blocks_q        <= drained_blocks;
            result_payload_words_q <= job_decompress ? fill_payload_words : drain_payload_words;
            result_raw_blocks_q    <= drained_raw_blocks;
        end

    csr #(
        .ENCODE_LANES(ENCODE_LANES),
        .DECODE_LANES(DECODE_LANES),
        .BLOCK_BYTES(BLOCK_BYTES),
        .ENCODE_CODECS(ENCODERS),
        .DECODE_CODECS(DECODERS),
        .STREAM_BYTES(STREAM_BYTES),
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
        .table_valid(csr_table_valid),
        .table_address(csr_table_address),
        .table_data(csr_table_data),
        .status_busy(busy),
        .status_done(ended),
        .status_error_code(code),
        .status_error_block(code_block),
        .result_blocks(result_blocks_q),
        .result_payload_words(result_payload_words_q),
        .result_raw_blocks(result_raw_blocks_q),
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

    codec_tables #(
        .W(8),
        .CODECS(ENCODERS | DECODERS)
    ) u_tables (
        .clk(clk),
        .rst(rst_q),
        .table_valid(csr_table_valid),
        .table_address(csr_table_address),
        .table_data(csr_table_data),
        .load(table_load),
        .codec(job_codec),
        .load_done(table_done),
        .load_error(table_error),
        .lane_table_valid(table_valid),
        .lane_table_address(table_address),
        .lane_table_data(table_data)
    );

    wire fill_done, fill_error, drain_done, drain_error, read_error, write_error, underrun, overrun;
    wire [7:0] fill_code, drain_code;
    wire [31:0] fill_block, drain_block;
    wire read_idle, write_idle, reader_idle;

    // nothing is left: seen four cycles in a row, which covers what is between two modules
    reg [3:0] finished_q;
    wire finished = fill_done && drain_done && read_idle && write_idle && reader_idle && !m_axis_raw_tvalid;

    always @(posedge clk) finished_q <= rst_q || clear ? 4'd0 : {finished_q[2:0], finished};

    reg [3:0] quiet_q;
    always @(posedge clk) quiet_q <= halt ? {quiet_q[2:0], read_idle && write_idle} : 4'd0;
    assign quiet = &quiet_q;

    job_control #(
        .BLOCK_BYTES(BLOCK_BYTES),
        .ENCODE_CODECS(ENCODERS),
        .DECODE_CODECS(DECODERS)
    ) u_control (
        .clk(clk),
        .rst(rst_q),
        .start(start),
        .stop(abort),
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
        .busy(busy),
        .ended(ended),
        .code(code),
        .code_block(code_block),
        .job_codec(job_codec),
        .job_decompress(job_decompress),
        .job_stream(job_stream),
        .job_signed(job_signed),
        .job_zero(job_zero),
        .job_values(job_values),
        .job_block_values(job_block_values),
        .job_raw_address(job_raw_address),
        .job_index_address(job_index_address),
        .job_payload_address(job_payload_address),
        .job_payload_words(job_payload_words),
        .table_load(table_load),
        .table_done(table_done),
        .table_error(table_error),
        .clear(clear),
        .go(go),
        .halt(halt),
        .finished(&finished_q),
        .quiet(quiet),
        .read_error(read_error),
        .write_error(write_error),
        .fill_error(fill_error),
        .fill_code(fill_code),
        .fill_block(fill_block),
        .drain_error(drain_error),
        .drain_code(drain_code),
        .drain_block(drain_block),
        .underrun(underrun),
        .overrun(overrun),
        .arrived_blocks(arrived_blocks)
    );

    // ------------------------------------------------------------------------------------------------------------------
    // Filling the lanes

    reg clear_q;  // reset of everything that a job uses
    always @(posedge clk) clear_q <= rst_q || clear;

    wire entry_valid, entry_ready, index_cmd_valid, index_cmd_ready, index_valid;
    wire [63:0] entry_data, fill_data;
    wire [31:0] index_cmd_address, block_cmd_address;
    wire [15:0] index_cmd_words, block_cmd_words;
    wire [ALL_LANES-1:0] task_valid, task_ready, fill_valid;
    wire [VALUES_WIDTH-1:0] task_values;
    wire [WORDS_WIDTH-1:0] task_a_words, task_words;
    wire task_raw, block_read_valid, block_read_ready, stream_cmd_valid, stream_cmd_ready, cmd_last;
    wire [3:0] cmd_lane;
    wire [2:0] cmd_tail;

    index_fetch u_index_fetch (
        .clk(clk),
        .rst(clear_q),
        .go(go && job_decompress),
        .job_values(job_values),
        .job_block_values(job_block_values),
        .job_index_address(job_index_address),
        .cmd_valid(index_cmd_valid),
        .cmd_ready(index_cmd_ready),
        .cmd_address(index_cmd_address),
        .cmd_words(index_cmd_words),
        .s_valid(index_valid),
        .s_data(fill_data),
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
        .halt(halt),
        .go(go),
        .job_codec(job_codec),
        .job_decompress(job_decompress),
        .job_stream(job_stream),
        .job_values(job_values),
        .job_block_values(job_block_values),
        .job_raw_address(job_raw_address),
        .job_payload_address(job_payload_address),
        .job_payload_words(job_payload_words),
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

    // index before blocks, but a command once shown stays
    wire read_cmd_ready, read_data_valid, read_data_last, read_beat;
    wire [63:0] read_data;
    wire [7:0] read_data_tag, reads, writes;
    reg block_shown_q;
    wire pick_block = block_read_valid && (block_shown_q || !index_cmd_valid);

    always @(posedge clk) block_shown_q <= !clear_q && pick_block && !read_cmd_ready;

    assign block_read_ready = pick_block && read_cmd_ready;
    assign index_cmd_ready  = !pick_block && read_cmd_ready;

    wire [1:0] read_error_response, write_error_response;

    read_master #(
        .ADDRESS_WIDTH(32),
        .TAG_WIDTH(8),
        .OUTSTANDING(READ_OUTSTANDING)
    ) u_read_master (
        .clk(clk),
        .rst(clear_q),
        .halt(halt),
        .idle(read_idle),
        .s_cmd_valid(index_cmd_valid || block_read_valid),
        .s_cmd_ready(read_cmd_ready),
        .s_cmd_address(pick_block ? block_cmd_address : index_cmd_address),
        .s_cmd_words(pick_block ? block_cmd_words : index_cmd_words),
        .s_cmd_tag(pick_block ? {1'b0, cmd_tail, cmd_lane} : 8'h80),
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

    wire stream_valid, stream_last;
    wire [63:0] stream_data;
    wire [7:0] stream_tag;

    stream_source #(
        .TAG_WIDTH(8)
    ) u_stream_source (
        .clk(clk),
        .rst(clear_q),
        .halt(halt),
        .cmd_valid(stream_cmd_valid),
        .cmd_ready(stream_cmd_ready),
        .cmd_words(block_cmd_words),
        .cmd_tag({1'b0, cmd_tail, cmd_lane}),
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

    fill_router #(
        .LANES(ALL_LANES)
    ) u_router (
        .clk(clk),
        .rst(clear_q),
        .read_valid(read_data_valid),
        .read_data(read_data),
        .read_tag(read_data_tag),
        .read_last(read_data_last),
        .stream_valid(stream_valid),
        .stream_data(stream_data),
        .stream_tag(stream_tag),
        .stream_last(stream_last),
        .fill_valid(fill_valid),
        .fill_data(fill_data),
        .index_valid(index_valid),
        .blocks(arrived_blocks)
    );

    // ------------------------------------------------------------------------------------------------------------------
    // The lanes

    wire [ALL_LANES-1:0] done_valid, done_ready, done_raw, done_corrupt, drain_enable;
    wire [ALL_LANES-1:0] lane_busy, lane_starved, lane_blocked, lane_idle;
    wire [ALL_LANES*WORDS_WIDTH-1:0] done_a_words, done_words;
    wire [64*ALL_LANES-1:0] drain_data;
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
                .APACK_TREE(APACK_TREE)
            ) u_lane (
                .clk(clk),
                .rst(clear_q),
                .job_codec(job_codec),
                .job_decompress(job_decompress),
                .job_signed(job_signed),
                .job_zero(job_zero),
                .table_valid(table_valid),
                .table_address(table_address),
                .table_data(table_data),
                .task_valid(task_valid[i]),
                .task_ready(task_ready[i]),
                .task_values(task_values),
                .task_a_words(task_a_words),
                .task_words(task_words),
                .task_raw(task_raw),
                .fill_valid(fill_valid[i]),
                .fill_data(fill_data),
                .done_valid(done_valid[i]),
                .done_ready(done_ready[i]),
                .done_a_words(done_a_words[WORDS_WIDTH*i+:WORDS_WIDTH]),
                .done_words(done_words[WORDS_WIDTH*i+:WORDS_WIDTH]),
                .done_raw(done_raw[i]),
                .done_corrupt(done_corrupt[i]),
                .drain_enable(drain_enable[i]),
                .drain_last(drain_last),
                .drain_address(drain_address),
                .drain_data(drain_data[64*i+:64]),
                .is_busy(lane_busy[i]),
                .is_starved(lane_starved[i]),
                .is_blocked(lane_blocked[i]),
                .is_idle(lane_idle[i])
            );
        end
    endgenerate

    // ------------------------------------------------------------------------------------------------------------------
    // Draining the lanes

    wire write_cmd_valid, write_cmd_ready, reader_cmd_valid, reader_cmd_ready, reader_cmd_index, reader_cmd_last;
    wire [31:0] write_cmd_address;
    wire [15:0] write_cmd_words;
    wire [7:0] write_cmd_last_strobe;
    wire [3:0] reader_cmd_lane;
    wire [WORDS_WIDTH-1:0] reader_cmd_up_words, reader_cmd_words;
    wire [4:0] reader_cmd_index_address, index_address;
    wire [2:0] reader_cmd_tail;
    wire [63:0] index_data;

    drain_sequencer #(
        .LANES(ALL_LANES),
        .ENCODE_LANES(ENCODE_LANES),
        .DECODE_LANES(DECODE_LANES),
        .BLOCK_BYTES(BLOCK_BYTES)
    ) u_drain (
        .clk(clk),
        .rst(clear_q),
        .halt(halt),
        .go(go),
        .job_decompress(job_decompress),
        .job_stream(job_stream),
        .job_values(job_values),
        .job_block_values(job_block_values),
        .job_raw_address(job_raw_address),
        .job_index_address(job_index_address),
        .job_payload_address(job_payload_address),
        .job_payload_words(job_payload_words),
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
        .read_valid(reader_cmd_valid),
        .read_ready(reader_cmd_ready),
        .read_index(reader_cmd_index),
        .read_lane(reader_cmd_lane),
        .read_up_words(reader_cmd_up_words),
        .read_words(reader_cmd_words),
        .read_index_address(reader_cmd_index_address),
        .read_tail(reader_cmd_tail),
        .read_last(reader_cmd_last),
        .index_address(index_address),
        .index_data(index_data),
        .done(drain_done),
        .payload_words(drain_payload_words),
        .raw_blocks(drained_raw_blocks),
        .error(drain_error),
        .error_code(drain_code),
        .error_block(drain_block)
    );

    wire word_valid, word_ready, word_last;
    wire [63:0] word_data;
    wire [2:0] word_tail;

    drain_reader #(
        .LANES(ALL_LANES),
        .ADDRESS_WIDTH(ADDRESS_WIDTH)
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
        .drain_enable(drain_enable),
        .drain_last(drain_last),
        .drain_address(drain_address),
        .drain_data(drain_data),
        .index_address(index_address),
        .index_data(index_data),
        .m_valid(word_valid),
        .m_ready(word_ready),
        .m_data(word_data),
        .m_tail(word_tail),
        .m_last(word_last),
        .idle(reader_idle),
        .blocks(drained_blocks)
    );

    wire to_stream = job_decompress && job_stream;
    wire write_data_ready, stream_out_ready, write_beat;
    assign word_ready = to_stream ? stream_out_ready : write_data_ready;

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
        .s_data_valid(word_valid && !to_stream),
        .s_data_ready(write_data_ready),
        .s_data(word_data),
        .error(write_error),
        .error_response(write_error_response),
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

    wire [7:0] word_keep = word_last && word_tail != 3'd0 ? ~(8'hFF << word_tail) : 8'hFF;

    // not cleared at the end of a job: a beat once shown stays
    skid_buffer #(
        .WIDTH(73)
    ) u_stream_out (
        .clk(clk),
        .rst(rst_q),
        .s_valid(word_valid && to_stream),
        .s_ready(stream_out_ready),
        .s_data({word_last, word_keep, word_data}),
        .m_valid(m_axis_raw_tvalid),
        .m_ready(m_axis_raw_tready),
        .m_data({m_axis_raw_tlast, m_axis_raw_tkeep, m_axis_raw_tdata})
    );

    // ------------------------------------------------------------------------------------------------------------------
    // Counters

    job_counters #(
        .LANES(ALL_LANES)
    ) u_counters (
        .clk(clk),
        .start(start && !busy),
        .busy(busy),
        .lane_busy(lane_busy),
        .lane_starved(lane_starved),
        .lane_blocked(lane_blocked),
        .read_beat(read_beat),
        .read_wait(m_axi_arvalid && !m_axi_arready),
        .write_beat(write_beat),
        .write_wait((m_axi_awvalid && !m_axi_awready) || (m_axi_wvalid && !m_axi_wready)),
        .stream_wait((s_axis_raw_tready && !s_axis_raw_tvalid) || (m_axis_raw_tvalid && !m_axis_raw_tready)),
        .reads(reads),
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
        if (rst_q || start) error_q <= 1'b0;
        else if (ended) error_q <= code != 8'd0;

    assign status_busy  = busy;
    assign status_error = error_q;

    wire unused = &{1'b0, s_axis_raw_tkeep, lane_idle, read_error_response, write_error_response};

endmodule

`resetall
