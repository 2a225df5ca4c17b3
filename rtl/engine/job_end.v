// SPDX-License-Identifier: Apache-2.0
//
// Ends the jobs, in their order: the first job that has not ended is `job`. A job ends well when it was drained and the memory (or the
// stream's partner) has taken its last word; then its status goes to its descriptor, and the next job is `job`.
//
// Errors may be found in a later job while this one still runs, since jobs overlap. Each is kept here with the number of its job and has
// stopped its stage; it comes to effect when that job is `job`, so that all jobs before it end well. Then everything halts: the masters
// finish their issued bursts, the rest is cleared, the status is written and the queue ends. So the next start finds a clean engine.
// An abort and a write error take effect at once.
// Latency: 4 cycles from the last write response of a job to its end, and for a queued job the time of its status write more.

`resetall
`timescale 1ns / 1ps
`default_nettype none

`include "tensorpress_registers.vh"

module job_end #(
    parameter READ_PORTS = 1  // memory ports that read blocks: 1, 2
) (
    input  wire         clk,
    input  wire         rst,
    // registers
    input  wire         start,                // pulse: of a job or of a queue
    input  wire         stop,                 // abort
    output wire         busy,
    output reg          ended,                // pulse: the job, or the queue
    output reg          job_interrupt,        // pulse: a job that asked for it
    output reg  [  7:0] code,                 // of the job that ended last, 0 = well
    output reg  [ 31:0] code_block,
    output reg  [ 31:0] ended_jobs,
    output reg  [ 31:0] ended_descriptor,     // of that job
    output reg  [ 31:0] result_blocks,        // live while a job runs
    output reg  [ 31:0] result_payload_words,
    output reg  [ 31:0] result_raw_blocks,
    input  wire [ 31:0] cycles,               // since the start
    // job_intake
    output reg  [  4:0] job,
    input  wire [ 31:0] descriptor,
    input  wire         queued,
    input  wire         last,
    input  wire         writes,               // it writes to memory: all but decompression to the stream
    input  wire         interrupts,           // its end raises the interrupt
    // jobs that were drained, in order
    input  wire         drained_valid,
    output wire         drained_ready,
    input  wire         drained_stream,       // it went to the stream, not to memory
    input  wire [ 31:0] drained_blocks,
    input  wire [ 31:0] drained_payload_words,
    input  wire [ 31:0] drained_raw_blocks,
    // the stages now
    input  wire [  4:0] drain_job,
    input  wire [ 31:0] drain_blocks,
    input  wire [ 31:0] drain_payload_words,
    input  wire [ 31:0] drain_raw_blocks,
    input  wire [  4:0] arrived_job,
    input  wire [ 31:0] arrived_blocks,
    // last words that were taken
    input  wire         mark_memory,          // pulse
    input  wire         mark_stream,          // pulse
    input  wire         mark_status,          // pulse
    // status of a descriptor
    output wire         status_valid,
    input  wire         status_ready,
    output wire [ 31:0] status_address,
    input  wire [  1:0] status_place,
    output reg  [ 63:0] status_data,          // word status_place of three
    // everything else
    output reg          clear,
    output reg          halt,
    input  wire         quiet,                // nothing issued is unfinished
    output wire         stop_drain,           // the job being drained has a bad word
    output wire         stop_fill,            // the job being filled has a bad index word
    // errors: pulses, each with the number of its job
    input  wire [   READ_PORTS-1:0] read_error,       // of a block; each port's come in the order of the jobs
    input  wire [ 5*READ_PORTS-1:0] read_error_job,
    input  wire [32*READ_PORTS-1:0] read_error_block,
    input  wire         index_error,
    input  wire [  4:0] index_error_job,
    input  wire         write_error,
    input  wire         underrun,
    input  wire         overrun,
    input  wire [  4:0] stream_job,
    input  wire         fill_error,
    input  wire [  4:0] fill_job,
    input  wire [  7:0] fill_code,
    input  wire [ 31:0] fill_block,
    input  wire         drain_error,
    input  wire [  7:0] drain_code,
    input  wire [ 31:0] drain_block,
    input  wire         intake_error,         // level
    input  wire [  4:0] intake_job,
    input  wire [  7:0] intake_code,
    input  wire         intake_nowhere        // its descriptor cannot be written
);

    localparam [3:0] IDLE = 4'd0, SETTLE = 4'd1, RUN = 4'd2, FINISH = 4'd3, STATUS = 4'd4, WRITTEN = 4'd5, NEXT = 4'd6, HALT = 4'd7, CLEAR = 4'd8,
                     LATE_STATUS = 4'd9, LATE_WRITTEN = 4'd10, END = 4'd11;
    localparam [31:0] STATUS_OFFSET = 32'd40;

    reg [3:0] state_q, state_d;
    reg [2:0] wait_q;     // cycles in SETTLE or CLEAR
    reg [31:0] descriptor_q;
    reg queued_q, last_q, writes_q, interrupt_q;
    reg unwritten_q;      // the status is still to be written when everything is cleared
    reg [7:0] status_code_q;
    reg [31:0] status_block_q, status_cycles_q;

    // ------------------------------------------------------------------------------------------------------------------
    // Errors, each kept from its pulse on

    reg [READ_PORTS-1:0] read_q;
    reg index_q, stream_q, fill_q, drain_q, write_q, abort_q;
    reg [5*READ_PORTS-1:0] read_job_q;
    reg [32*READ_PORTS-1:0] read_block_q;
    reg [4:0] index_job_q, stream_job_q, write_job_q;  // of a write error: the job that was being drained
    reg [31:0] stream_block_q, write_block_q;
    reg [7:0] stream_code_q;

    wire clear_errors = rst || state_q == IDLE;

    always @(posedge clk) begin
        index_q  <= !clear_errors && (index_q || index_error);
        stream_q <= !clear_errors && (stream_q || underrun || overrun);
        fill_q   <= !clear_errors && (fill_q || fill_error);
        drain_q  <= !clear_errors && (drain_q || drain_error);
        write_q  <= !clear_errors && (write_q || write_error);
        abort_q  <= !rst && busy && (abort_q || stop);
        if (!index_q) index_job_q <= index_error_job;
        if (!stream_q) begin
            stream_job_q   <= stream_job;
            stream_block_q <= arrived_job == stream_job ? arrived_blocks : 32'd0;
            stream_code_q  <= underrun ? `ERROR_STREAM_UNDERRUN : `ERROR_STREAM_OVERRUN;
        end
        if (!write_q) begin
            write_job_q   <= drain_job;
            write_block_q <= drain_block;
        end
    end

    // a port's first error may be of a later job than the other port's: so each has its own place
    wire [READ_PORTS-1:0] read_of_drain, read_here;
    reg [READ_PORTS-1:0] read_here_q;
    wire [31:0] read_block;  // with read_here_q

    genvar p;
    generate
        for (p = 0; p < READ_PORTS; p = p + 1) begin : g_read
            always @(posedge clk) begin
                read_q[p] <= !clear_errors && (read_q[p] || read_error[p]);
                if (!read_q[p]) begin
                    read_job_q[5*p+:5]     <= read_error_job[5*p+:5];
                    read_block_q[32*p+:32] <= read_error_block[32*p+:32];
                end
                read_here_q[p] <= read_here[p];
            end

            assign read_of_drain[p] = read_q[p] && read_job_q[5*p+:5] == drain_job;
            assign read_here[p]     = read_q[p] && read_job_q[5*p+:5] == job;
        end
        if (READ_PORTS == 2) begin : g_first_block
            reg second_q;

            always @(posedge clk) second_q <= read_here[1] && !(read_here[0] && read_block_q[31:0] < read_block_q[63:32]);

            assign read_block = second_q ? read_block_q[63:32] : read_block_q[31:0];
        end else begin : g_block
            assign read_block = read_block_q;
        end
    endgenerate

    assign stop_drain = |read_of_drain;
    assign stop_fill  = index_q && index_job_q == fill_job;

    // which of them is this job's
    reg index_here_q, stream_here_q, fill_here_q, drain_here_q, intake_here_q, arrived_here_q;

    always @(posedge clk) begin
        index_here_q   <= index_q && index_job_q == job;
        stream_here_q  <= stream_q && stream_job_q == job;
        fill_here_q    <= fill_q && fill_job == job;
        drain_here_q   <= drain_q && drain_job == job;
        intake_here_q  <= intake_error && intake_job == job;
        arrived_here_q <= arrived_job == job;
    end

    // Last words that were taken, and not yet accounted for. A write error behind such a mark is that of a later job.
    reg [5:0] memory_marks_q, stream_marks_q, marks_before_error_q;
    reg memory_there_q, stream_there_q;
    reg memory_next_q, stream_next_q;  // a job that went there has ended: accounted for a cycle later, long before RUN looks
    wire next = state_q == NEXT;

    always @(posedge clk) begin
        memory_next_q <= next && !drained_stream;
        stream_next_q <= next && drained_stream;
        if (rst || clear) begin
            memory_marks_q <= 6'd0;
            stream_marks_q <= 6'd0;
        end else begin
            memory_marks_q <= memory_marks_q + {5'd0, mark_memory} - {5'd0, memory_next_q};
            stream_marks_q <= stream_marks_q + {5'd0, mark_stream} - {5'd0, stream_next_q};
        end
        if (!write_q) marks_before_error_q <= memory_marks_q - {5'd0, memory_next_q};
        else if (memory_next_q) marks_before_error_q <= marks_before_error_q - 1'b1;
        memory_there_q <= memory_marks_q != 6'd0;
        stream_there_q <= stream_marks_q != 6'd0;
    end

    reg write_here_q, write_drain_q;  // write_drain_q: it was this job that was being drained; else all of it was
    always @(posedge clk) begin
        write_here_q  <= write_q && writes_q && marks_before_error_q == 6'd0;
        write_drain_q <= write_job_q == job;
    end

    wire fault = |read_here_q || index_here_q || stream_here_q || fill_here_q || drain_here_q || intake_here_q || write_here_q || abort_q;
    wire taken = drained_valid && (drained_stream ? stream_there_q : memory_there_q);

    // ------------------------------------------------------------------------------------------------------------------

    wire settled = wait_q == 3'd5;

    always @* begin
        state_d = state_q;
        case (state_q)
            IDLE:    if (start) state_d = SETTLE;
            SETTLE:  if (settled) state_d = RUN;  // what is looked up for this job has come
            RUN:
            if (fault) state_d = HALT;
            else if (taken) state_d = FINISH;
            FINISH:  state_d = queued_q ? STATUS : NEXT;
            STATUS:
            if (status_ready) state_d = WRITTEN;
            else if (abort_q) state_d = HALT;
            WRITTEN: if (mark_status) state_d = write_error ? HALT : NEXT;
            NEXT:    state_d = last_q ? CLEAR : SETTLE;
            HALT:    if (quiet) state_d = CLEAR;
            CLEAR:   if (settled) state_d = unwritten_q ? LATE_STATUS : END;
            LATE_STATUS: if (status_ready) state_d = LATE_WRITTEN;
            LATE_WRITTEN: if (mark_status) state_d = END;
            END:     state_d = IDLE;
            default: state_d = HALT;
        endcase
    end

    assign busy           = state_q != IDLE;
    assign drained_ready  = next;
    assign status_valid   = state_q == STATUS || state_q == LATE_STATUS;
    assign status_address = descriptor_q + STATUS_OFFSET;

    always @(posedge clk) begin
        if (rst) begin
            state_q       <= IDLE;
            wait_q        <= 3'd0;
            ended         <= 1'b0;
            job_interrupt <= 1'b0;
            clear         <= 1'b1;
            halt          <= 1'b0;
            job           <= 5'd0;
        end else begin
            state_q       <= state_d;
            wait_q        <= state_q == SETTLE || state_q == CLEAR ? wait_q + {2'd0, !settled} : 3'd0;
            ended         <= state_q == END;
            job_interrupt <= (next || state_q == END) && interrupt_q && queued_q;
            clear         <= state_d == CLEAR;
            halt          <= state_d == HALT;
            if (next) job <= job + 1'b1;
            else if (state_q == END) job <= 5'd0;
        end
    end

    wire drain_here = drain_job == job;
    wire live = state_q == RUN || state_q == HALT;
    reg live_late_q, drain_here_late_q;

    always @(posedge clk) begin
        live_late_q       <= live;
        drain_here_late_q <= drain_here;

        if (start && !busy) begin
            ended_jobs           <= 32'd0;
            result_blocks        <= 32'd0;
            result_payload_words <= 32'd0;
            result_raw_blocks    <= 32'd0;
        end else if (state_q == FINISH || (live_late_q && !drain_here_late_q && drained_valid)) begin
            result_blocks        <= drained_blocks;
            result_payload_words <= drained_payload_words;
            result_raw_blocks    <= drained_raw_blocks;
        end else if (live_late_q && drain_here_late_q && !(unwritten_q && status_code_q == `ERROR_NONE)) begin
            result_blocks        <= drain_blocks;
            result_payload_words <= drain_payload_words;
            result_raw_blocks    <= drain_raw_blocks;
        end else if (live_late_q && !drain_here_late_q) begin  // it has not come so far
            result_blocks        <= 32'd0;
            result_payload_words <= 32'd0;
            result_raw_blocks    <= 32'd0;
        end
        if (next) ended_jobs <= ended_jobs + 1'b1;

        if (state_q == SETTLE || state_q == RUN) begin
            descriptor_q     <= descriptor;
            ended_descriptor <= descriptor;
            queued_q         <= queued;
            last_q           <= last;
            writes_q         <= writes;
            interrupt_q      <= interrupts;
        end

        case (state_q)
            IDLE: begin
                code       <= `ERROR_NONE;
                code_block <= 32'd0;
            end
            SETTLE: unwritten_q <= 1'b0;
            RUN: begin
                unwritten_q     <= fault && queued_q && !(intake_here_q && intake_nowhere);
                status_cycles_q <= cycles;
                status_block_q  <= arrived_here_q ? arrived_blocks : 32'd0;
                if (|read_here_q) begin
                    status_code_q  <= `ERROR_READ_RESPONSE;
                    status_block_q <= read_block;
                end else if (index_here_q) status_code_q <= `ERROR_READ_RESPONSE;
                else if (write_here_q) begin
                    status_code_q  <= `ERROR_WRITE_RESPONSE;
                    status_block_q <= write_drain_q ? write_block_q : drained_blocks;
                end else if (fill_here_q) begin
                    status_code_q  <= fill_code;
                    status_block_q <= fill_block;
                end else if (drain_here_q) begin
                    status_code_q  <= drain_code;
                    status_block_q <= drain_block;
                end else if (stream_here_q) begin
                    status_code_q  <= stream_code_q;
                    status_block_q <= stream_block_q;
                end else if (intake_here_q) begin
                    status_code_q  <= intake_code;
                    status_block_q <= 32'd0;
                end else if (abort_q) status_code_q <= `ERROR_ABORTED;
                else begin
                    status_code_q  <= `ERROR_NONE;
                    status_block_q <= 32'd0;
                end
            end
            STATUS: unwritten_q <= 1'b1;  // in case of an abort
            WRITTEN: begin
                unwritten_q <= 1'b0;
                code        <= `ERROR_WRITE_RESPONSE;  // of the status itself, in case
            end
            NEXT: code <= `ERROR_NONE;
            HALT:
            if (unwritten_q && status_code_q == `ERROR_NONE) code <= `ERROR_ABORTED;
            else if (status_code_q != `ERROR_NONE) begin
                code       <= status_code_q;
                code_block <= status_block_q;
            end
            default: ;
        endcase
    end

    always @* begin
        case (status_place)
            2'd0:    status_data = {status_block_q, 8'd0, status_code_q, 7'd0, status_code_q != `ERROR_NONE, 7'd0, 1'b1};
            2'd1:    status_data = {result_payload_words, result_blocks};
            default: status_data = {status_cycles_q, result_raw_blocks};
        endcase
    end

endmodule

`resetall
