// SPDX-License-Identifier: Apache-2.0
//
// csr: the AXI4-Lite slave with the registers of REGISTERS.md (source: registers.toml).
//
// Does: holds the job registers, starts and aborts jobs, latches their end, raises the interrupt, passes on table words.
// Latency: B comes 3 cycles after AW (2 after W if that is later), and the write has taken effect; R comes 3 cycles after AR.
// Throughput: one write in 4 cycles and one read in 4 cycles, side by side; one of each outstanding.
// Answers: OKAY; SLVERR for an address without register (reads 0, writes nothing). Address bits 1:0 are ignored; WSTRB is honoured;
//   a TABLE word is passed on when it is written whole, else ignored. Reads have no side effects.
// Assumes: status_done is a pulse at the end of each started job, with status_error_code and status_error_block valid in that cycle;
//   status_busy is low from the cycle after it. result_*, count_* and peak_* are held by the engine until the next start.
// Does not: check a job (job_intake does), or copy the job registers: the engine copies them at job_start.

`resetall
`timescale 1ns / 1ps
`default_nettype none

`include "tensorpress_registers.vh"

module csr #(
    parameter ENCODE_LANES  = 8,     // lanes that compress: 0..16
    parameter DECODE_LANES  = 8,     // lanes that decompress: 0..16
    parameter BLOCK_BYTES   = 4096,  // largest raw block in bytes: a power of two, 512..16384
    parameter ENCODE_CODECS = 15,    // mask of the codecs built to compress: bit 0 raw, 1 zvc, 2 ebpc, 3 apack
    parameter DECODE_CODECS = 15,    // the same to decompress
    parameter STREAM_BYTES  = 8,     // bytes of a beat of m_axis_raw: 8, 16
    parameter MEMORY_PORTS  = 1,     // memory ports that read: 1, 2
    parameter APACK_CODERS  = 8      // S, interleaved coders of an apack block: 1..16
) (
    input  wire        clk,
    input  wire        rst,

    // AXI4-Lite
    input  wire [11:0] s_axi_awaddr,
    input  wire [2:0]  s_axi_awprot,   // not used
    input  wire        s_axi_awvalid,
    output wire        s_axi_awready,
    input  wire [31:0] s_axi_wdata,
    input  wire [3:0]  s_axi_wstrb,
    input  wire        s_axi_wvalid,
    output wire        s_axi_wready,
    output wire [1:0]  s_axi_bresp,
    output wire        s_axi_bvalid,
    input  wire        s_axi_bready,
    input  wire [11:0] s_axi_araddr,
    input  wire [2:0]  s_axi_arprot,   // not used
    input  wire        s_axi_arvalid,
    output wire        s_axi_arready,
    output wire [31:0] s_axi_rdata,
    output wire [1:0]  s_axi_rresp,
    output wire        s_axi_rvalid,
    input  wire        s_axi_rready,

    // Job: one-cycle pulses, and the plain register values
    output wire        job_start,
    output wire        job_start_queue,
    output wire        job_abort,
    output wire [3:0]  job_codec,
    output wire        job_decompress,
    output wire        job_stream,
    output wire        job_signed,
    output wire [7:0]  job_zero,
    output wire [31:0] job_values,
    output wire [15:0] job_block_values,
    output wire [31:0] job_raw_address,
    output wire [31:0] job_index_address,
    output wire [31:0] job_payload_address,
    output wire [31:0] job_payload_words,
    output wire [31:0] queue_address,

    // Words written into the TABLE window: a one-cycle pulse each
    output wire        table_valid,
    output wire [7:0]  table_address,
    output wire [31:0] table_data,

    // State, results and counters of the engine
    input  wire        status_busy,
    input  wire        status_done,        // pulse
    input  wire [7:0]  status_error_code,  // valid with status_done; 0 = no error
    input  wire [31:0] status_error_block,
    input  wire        status_job,         // pulse: a job of a queue that asks for the interrupt has ended
    input  wire [31:0] queue_jobs,
    input  wire [31:0] queue_descriptor,
    input  wire [31:0] result_blocks,
    input  wire [31:0] result_payload_words,
    input  wire [31:0] result_raw_blocks,
    input  wire [31:0] count_cycles,
    input  wire [31:0] count_lane_busy,
    input  wire [31:0] count_lane_starved,
    input  wire [31:0] count_lane_blocked,
    input  wire [31:0] count_lane_idle,
    input  wire [31:0] count_read_beats,
    input  wire [31:0] count_read_wait,
    input  wire [31:0] count_write_beats,
    input  wire [31:0] count_write_wait,
    input  wire [31:0] count_stream_wait,
    input  wire [31:0] peak_reads,
    input  wire [31:0] peak_writes,

    // "Symbol matches C++ common word: 'interrupt'": harmless, Verilator renames it; the name is the one that integration tools look for
    // verilator lint_off SYMRSVDWORD
    output wire        interrupt           // level
    // verilator lint_on SYMRSVDWORD
);

    localparam VALUE_WIDTH       = 8;
    localparam LANES             = ENCODE_LANES > DECODE_LANES ? ENCODE_LANES : DECODE_LANES;
    localparam CODECS            = ENCODE_CODECS | DECODE_CODECS;
    localparam STREAM_BYTES_LOG2 = $clog2(STREAM_BYTES);
    localparam BLOCK_BYTES_LOG2  = $clog2(BLOCK_BYTES);
    localparam CODERS            = ((CODECS >> 3) & 1) != 0 ? APACK_CODERS : 0;

    generate
        if (ENCODE_LANES < 0 || DECODE_LANES < 0 || LANES < 1 || LANES > 16) begin : g_check_lanes
            csr_ENCODE_LANES_and_DECODE_LANES_must_be_in_0_to_16_and_not_both_0 u_error ();
        end
        if (STREAM_BYTES != 8 && STREAM_BYTES != 16) begin : g_check_stream_bytes
            csr_STREAM_BYTES_must_be_8_or_16 u_error ();
        end
        if (MEMORY_PORTS != 1 && MEMORY_PORTS != 2) begin : g_check_memory_ports
            csr_MEMORY_PORTS_must_be_1_or_2 u_error ();
        end
        if (BLOCK_BYTES < 512 || BLOCK_BYTES > 16384 || (BLOCK_BYTES & (BLOCK_BYTES - 1)) != 0) begin : g_check_block_bytes
            csr_BLOCK_BYTES_must_be_a_power_of_two_in_512_to_16384 u_error ();
        end
        if (ENCODE_CODECS < 0 || ENCODE_CODECS > 15 || DECODE_CODECS < 0 || DECODE_CODECS > 15) begin : g_check_codecs
            csr_ENCODE_CODECS_and_DECODE_CODECS_must_be_in_0_to_15 u_error ();
        end
        if (APACK_CODERS < 1 || APACK_CODERS > 16) begin : g_check_apack_coders
            csr_APACK_CODERS_must_be_in_1_to_16 u_error ();
        end
    endgenerate

    localparam [1:0] OKAY   = 2'b00;
    localparam [1:0] SLVERR = 2'b10;

    // ---------------------------------------------------------------------------------------------------------------
    // Write channels: AW and W are caught in any order, the address is decoded; then the word is written, and B goes out
    // ---------------------------------------------------------------------------------------------------------------
    reg         aw_held_q;
    reg         decoded_q;     // the decode below belongs to the held address
    reg         w_held_q;
    reg         bvalid_q;
    reg         bad_write_q;
    reg  [11:0] waddr_q;
    reg  [31:0] wdata_q;
    reg  [3:0]  wstrb_q;

    reg         at_mapped_q;   // where the held address is
    reg         at_table_q;
    reg         at_scratch_q;
    reg         at_control_q;
    reg         at_irq_enable_q;
    reg         at_irq_status_q;
    reg         at_config_q;
    reg         at_values_q;
    reg         at_block_values_q;
    reg         at_raw_address_q;
    reg         at_index_address_q;
    reg         at_payload_address_q;
    reg         at_payload_words_q;
    reg         at_queue_address_q;

    wire        write = decoded_q && w_held_q && !bvalid_q;

    assign s_axi_awready = !aw_held_q;
    assign s_axi_wready  = !w_held_q;
    assign s_axi_bvalid  = bvalid_q;
    assign s_axi_bresp   = bad_write_q ? SLVERR : OKAY;

    always @(posedge clk) begin
        if (!aw_held_q) waddr_q <= {s_axi_awaddr[11:2], 2'b00};
        if (!w_held_q) begin
            wdata_q <= s_axi_wdata;
            wstrb_q <= s_axi_wstrb;
        end

        if (!aw_held_q) aw_held_q <= s_axi_awvalid;
        else if (write) aw_held_q <= 1'b0;
        decoded_q <= aw_held_q && !write;
        if (!w_held_q) w_held_q <= s_axi_wvalid;
        else if (write) w_held_q <= 1'b0;

        if (write) begin
            bvalid_q    <= 1'b1;
            bad_write_q <= !at_mapped_q;
        end else if (s_axi_bready) begin
            bvalid_q <= 1'b0;
        end

        if (rst) begin
            aw_held_q <= 1'b0;
            decoded_q <= 1'b0;
            w_held_q  <= 1'b0;
            bvalid_q  <= 1'b0;
        end
    end

    always @(posedge clk) begin
        at_mapped_q          <= `REG_IS_MAPPED(waddr_q);
        at_table_q           <= `REG_IS_TABLE(waddr_q);
        at_scratch_q         <= waddr_q == `REG_SCRATCH;
        at_control_q         <= waddr_q == `REG_CONTROL;
        at_irq_enable_q      <= waddr_q == `REG_IRQ_ENABLE;
        at_irq_status_q      <= waddr_q == `REG_IRQ_STATUS;
        at_config_q          <= waddr_q == `REG_JOB_CONFIG;
        at_values_q          <= waddr_q == `REG_JOB_VALUES;
        at_block_values_q    <= waddr_q == `REG_JOB_BLOCK_VALUES;
        at_raw_address_q     <= waddr_q == `REG_JOB_RAW_ADDRESS;
        at_index_address_q   <= waddr_q == `REG_JOB_INDEX_ADDRESS;
        at_payload_address_q <= waddr_q == `REG_JOB_PAYLOAD_ADDRESS;
        at_payload_words_q   <= waddr_q == `REG_JOB_PAYLOAD_WORDS;
        at_queue_address_q   <= waddr_q == `REG_QUEUE_ADDRESS;
    end

    // ---------------------------------------------------------------------------------------------------------------
    // Plain registers
    // ---------------------------------------------------------------------------------------------------------------
    reg [31:0] scratch_q;
    reg [31:0] config_q;
    reg [31:0] values_q;
    reg [31:0] block_values_q;
    reg [31:0] raw_address_q;
    reg [31:0] index_address_q;
    reg [31:0] payload_address_q;
    reg [31:0] payload_words_q;
    reg [31:0] queue_address_q;

    genvar k;
    generate
        for (k = 0; k < 4; k = k + 1) begin : g_byte
            always @(posedge clk) begin
                if (write && wstrb_q[k]) begin
                    if (at_scratch_q) scratch_q[8*k+:8] <= wdata_q[8*k+:8];
                    if (at_config_q) config_q[8*k+:8] <= wdata_q[8*k+:8];
                    if (at_values_q) values_q[8*k+:8] <= wdata_q[8*k+:8];
                    if (at_block_values_q) block_values_q[8*k+:8] <= wdata_q[8*k+:8];
                    if (at_raw_address_q) raw_address_q[8*k+:8] <= wdata_q[8*k+:8];
                    if (at_index_address_q) index_address_q[8*k+:8] <= wdata_q[8*k+:8];
                    if (at_payload_address_q) payload_address_q[8*k+:8] <= wdata_q[8*k+:8];
                    if (at_payload_words_q) payload_words_q[8*k+:8] <= wdata_q[8*k+:8];
                    if (at_queue_address_q) queue_address_q[8*k+:8] <= wdata_q[8*k+:8];
                end
                if (rst) begin
                    scratch_q[8*k+:8]         <= 8'd0;
                    config_q[8*k+:8]          <= 8'd0;
                    values_q[8*k+:8]          <= 8'd0;
                    block_values_q[8*k+:8]    <= 8'd0;
                    raw_address_q[8*k+:8]     <= 8'd0;
                    index_address_q[8*k+:8]   <= 8'd0;
                    payload_address_q[8*k+:8] <= 8'd0;
                    payload_words_q[8*k+:8]   <= 8'd0;
                    queue_address_q[8*k+:8]   <= 8'd0;
                end
            end
        end
    endgenerate

    assign job_codec           = config_q[`REG_JOB_CONFIG_CODEC_BITS];
    assign job_decompress      = config_q[`REG_JOB_CONFIG_DECOMPRESS_SHIFT];
    assign job_stream          = config_q[`REG_JOB_CONFIG_STREAM_SHIFT];
    assign job_signed          = config_q[`REG_JOB_CONFIG_SIGNED_SHIFT];
    assign job_zero            = config_q[`REG_JOB_CONFIG_ZERO_BITS];
    assign job_values          = values_q;
    assign job_block_values    = block_values_q[`REG_JOB_BLOCK_VALUES_VALUES_BITS];
    assign job_raw_address     = raw_address_q;
    assign job_index_address   = index_address_q;
    assign job_payload_address = payload_address_q;
    assign job_payload_words   = payload_words_q;
    assign queue_address       = queue_address_q;

    // ---------------------------------------------------------------------------------------------------------------
    // Commands and state of the job
    // ---------------------------------------------------------------------------------------------------------------
    reg         start_q;
    reg         start_queue_q;
    reg         abort_q;
    reg         busy_q;      // from the START that was taken to status_done
    reg         done_q;
    reg  [7:0]  error_code_q;
    reg  [31:0] error_block_q;
    reg  [1:0]  irq_enable_q;  // job, done
    reg         irq_done_q;
    reg         irq_job_q;
    reg         interrupt_q;

    wire        busy        = busy_q || status_busy;
    wire        command     = write && at_control_q && wstrb_q[0];
    wire        take_job    = command && wdata_q[`REG_CONTROL_START_SHIFT] && !busy;
    wire        take_queue  = command && wdata_q[`REG_CONTROL_START_QUEUE_SHIFT] && !wdata_q[`REG_CONTROL_START_SHIFT] && !busy;
    wire        take_start  = take_job || take_queue;
    wire        take_abort  = command && wdata_q[`REG_CONTROL_ABORT_SHIFT] && busy;
    wire        irq_write   = write && wstrb_q[0] && at_irq_status_q;
    wire        irq_enable  = write && wstrb_q[0] && at_irq_enable_q;

    always @(posedge clk) begin
        start_q       <= take_job;
        start_queue_q <= take_queue;
        abort_q       <= take_abort;
        interrupt_q   <= |(irq_enable_q & {irq_job_q, irq_done_q});

        if (take_start) begin
            busy_q        <= 1'b1;
            done_q        <= 1'b0;
            error_code_q  <= 8'd0;
            error_block_q <= 32'd0;
        end else if (status_done) begin
            busy_q        <= 1'b0;
            done_q        <= 1'b1;
            error_code_q  <= status_error_code;
            error_block_q <= status_error_block;
        end

        if (irq_enable) irq_enable_q <= {wdata_q[`REG_IRQ_ENABLE_JOB_SHIFT], wdata_q[`REG_IRQ_ENABLE_DONE_SHIFT]};
        if (status_done) irq_done_q <= 1'b1;
        else if (irq_write && wdata_q[`REG_IRQ_STATUS_DONE_SHIFT]) irq_done_q <= 1'b0;
        if (status_job) irq_job_q <= 1'b1;
        else if (irq_write && wdata_q[`REG_IRQ_STATUS_JOB_SHIFT]) irq_job_q <= 1'b0;

        if (rst) begin
            start_q       <= 1'b0;
            start_queue_q <= 1'b0;
            abort_q       <= 1'b0;
            busy_q        <= 1'b0;
            done_q        <= 1'b0;
            error_code_q  <= 8'd0;
            error_block_q <= 32'd0;
            irq_enable_q  <= 2'b00;
            irq_done_q    <= 1'b0;
            irq_job_q     <= 1'b0;
            interrupt_q   <= 1'b0;
        end
    end

    assign job_start       = start_q;
    assign job_start_queue = start_queue_q;
    assign job_abort       = abort_q;
    assign interrupt       = interrupt_q;

    // ---------------------------------------------------------------------------------------------------------------
    // Table words
    // ---------------------------------------------------------------------------------------------------------------
    reg        table_valid_q;
    reg [7:0]  table_address_q;
    reg [31:0] table_data_q;

    always @(posedge clk) begin
        table_valid_q   <= write && wstrb_q == 4'b1111 && at_table_q && !rst;
        table_address_q <= waddr_q[9:2];
        table_data_q    <= wdata_q;
    end

    assign table_valid   = table_valid_q;
    assign table_address = table_address_q;
    assign table_data    = table_data_q;

    // ---------------------------------------------------------------------------------------------------------------
    // Read channels: the address is held, then looked up in two steps: the word in each group of 16, then the group
    // ---------------------------------------------------------------------------------------------------------------
    localparam GROUPS = 4;  // all registers are below 16 * GROUPS words

    reg                  ar_held_q;
    reg                  looked_q;    // group_q belongs to the held address
    reg                  rvalid_q;
    reg                  mapped_q;
    reg                  inside_q;    // the address is in a group
    reg                  bad_read_q;
    reg  [11:0]          raddr_q;
    reg  [31:0]          rdata_q;
    reg  [32*GROUPS-1:0] group_q;

    wire                 read = looked_q && !rvalid_q;

    assign s_axi_arready = !ar_held_q;
    assign s_axi_rvalid  = rvalid_q;
    assign s_axi_rdata   = rdata_q;
    assign s_axi_rresp   = bad_read_q ? SLVERR : OKAY;

    reg [31:0] capabilities, directions;
    reg [31:0] status;
    always @* begin
        capabilities = 32'd0;
        capabilities[`REG_CAPABILITIES_LANES_BITS]             = LANES[4:0];
        capabilities[`REG_CAPABILITIES_BLOCK_BYTES_LOG2_BITS]  = BLOCK_BYTES_LOG2[4:0];
        capabilities[`REG_CAPABILITIES_VALUE_WIDTH_BITS]       = VALUE_WIDTH[5:0];
        capabilities[`REG_CAPABILITIES_CODECS_BITS]            = CODECS[3:0];
        capabilities[`REG_CAPABILITIES_APACK_CODERS_BITS]      = CODERS[4:0];
        capabilities[`REG_CAPABILITIES_STREAM_BYTES_LOG2_BITS] = STREAM_BYTES_LOG2[3:0];
        capabilities[`REG_CAPABILITIES_SECOND_PORT_SHIFT]      = MEMORY_PORTS == 2;

        directions = 32'd0;
        directions[`REG_DIRECTIONS_ENCODE_LANES_BITS]  = ENCODE_LANES[4:0];
        directions[`REG_DIRECTIONS_DECODE_LANES_BITS]  = DECODE_LANES[4:0];
        directions[`REG_DIRECTIONS_ENCODE_CODECS_BITS] = ENCODE_CODECS[3:0];
        directions[`REG_DIRECTIONS_DECODE_CODECS_BITS] = DECODE_CODECS[3:0];

        status = 32'd0;
        status[`REG_STATUS_BUSY_SHIFT]      = busy;
        status[`REG_STATUS_DONE_SHIFT]      = done_q;
        status[`REG_STATUS_ERROR_SHIFT]     = |error_code_q;
        status[`REG_STATUS_ERROR_CODE_BITS] = error_code_q;
    end

    // Word k of the map is bank[32*k +: 32]; byte address * 8 = bit number. CONTROL reads 0.
    reg [512*GROUPS-1:0] bank;
    always @* begin
        bank = {(512 * GROUPS) {1'b0}};
        bank[`REG_ID * 8 +: 32]                   = `REG_ID_VALUE;
        bank[`REG_VERSION * 8 +: 32]              = `REG_VERSION_VALUE;
        bank[`REG_CAPABILITIES * 8 +: 32]         = capabilities;
        bank[`REG_DIRECTIONS * 8 +: 32]           = directions;
        bank[`REG_SCRATCH * 8 +: 32]              = scratch_q;
        bank[`REG_STATUS * 8 +: 32]               = status;
        bank[`REG_ERROR_BLOCK * 8 +: 32]          = error_block_q;
        bank[`REG_IRQ_ENABLE * 8 +: 32]           = {30'd0, irq_enable_q};
        bank[`REG_IRQ_STATUS * 8 +: 32]           = {30'd0, irq_job_q, irq_done_q};
        bank[`REG_JOB_CONFIG * 8 +: 32]           = {16'd0, config_q[15:8], 1'b0, config_q[6:0]};
        bank[`REG_JOB_VALUES * 8 +: 32]           = values_q;
        bank[`REG_JOB_BLOCK_VALUES * 8 +: 32]     = {16'd0, block_values_q[15:0]};
        bank[`REG_JOB_RAW_ADDRESS * 8 +: 32]      = raw_address_q;
        bank[`REG_JOB_INDEX_ADDRESS * 8 +: 32]    = index_address_q;
        bank[`REG_JOB_PAYLOAD_ADDRESS * 8 +: 32]  = payload_address_q;
        bank[`REG_JOB_PAYLOAD_WORDS * 8 +: 32]    = payload_words_q;
        bank[`REG_QUEUE_ADDRESS * 8 +: 32]        = queue_address_q;
        bank[`REG_QUEUE_JOBS * 8 +: 32]           = queue_jobs;
        bank[`REG_QUEUE_DESCRIPTOR * 8 +: 32]     = queue_descriptor;
        bank[`REG_RESULT_BLOCKS * 8 +: 32]        = result_blocks;
        bank[`REG_RESULT_PAYLOAD_WORDS * 8 +: 32] = result_payload_words;
        bank[`REG_RESULT_RAW_BLOCKS * 8 +: 32]    = result_raw_blocks;
        bank[`REG_COUNT_CYCLES * 8 +: 32]         = count_cycles;
        bank[`REG_COUNT_LANE_BUSY * 8 +: 32]      = count_lane_busy;
        bank[`REG_COUNT_LANE_STARVED * 8 +: 32]   = count_lane_starved;
        bank[`REG_COUNT_LANE_BLOCKED * 8 +: 32]   = count_lane_blocked;
        bank[`REG_COUNT_LANE_IDLE * 8 +: 32]      = count_lane_idle;
        bank[`REG_COUNT_READ_BEATS * 8 +: 32]     = count_read_beats;
        bank[`REG_COUNT_READ_WAIT * 8 +: 32]      = count_read_wait;
        bank[`REG_COUNT_WRITE_BEATS * 8 +: 32]    = count_write_beats;
        bank[`REG_COUNT_WRITE_WAIT * 8 +: 32]     = count_write_wait;
        bank[`REG_COUNT_STREAM_WAIT * 8 +: 32]    = count_stream_wait;
        bank[`REG_PEAK_READS * 8 +: 32]           = peak_reads;
        bank[`REG_PEAK_WRITES * 8 +: 32]          = peak_writes;
    end

    genvar g;
    generate
        for (g = 0; g < GROUPS; g = g + 1) begin : g_group
            wire [511:0] words = bank[512*g+:512];
            always @(posedge clk) group_q[32*g+:32] <= words[{raddr_q[5:2], 5'd0}+:32];
        end
    endgenerate

    always @(posedge clk) begin
        if (!ar_held_q) raddr_q <= {s_axi_araddr[11:2], 2'b00};
        mapped_q <= `REG_IS_MAPPED(raddr_q);
        inside_q <= raddr_q[11:8] == 4'd0;

        if (!ar_held_q) ar_held_q <= s_axi_arvalid;
        else if (read) ar_held_q <= 1'b0;
        looked_q <= ar_held_q && !read;

        if (read) begin
            rvalid_q   <= 1'b1;
            bad_read_q <= !mapped_q;
            if (!inside_q) rdata_q <= 32'd0;
            else rdata_q <= group_q[{raddr_q[7:6], 5'd0}+:32];
        end else if (s_axi_rready) begin
            rvalid_q <= 1'b0;
        end

        if (rst) begin
            ar_held_q <= 1'b0;
            looked_q  <= 1'b0;
            rvalid_q  <= 1'b0;
        end
    end

    wire unused_bits = &{1'b0, s_axi_awprot, s_axi_arprot, s_axi_awaddr[1:0], s_axi_araddr[1:0], config_q[31:16], config_q[7], block_values_q[31:16]};

endmodule

`resetall
