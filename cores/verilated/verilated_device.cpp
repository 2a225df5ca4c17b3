// SPDX-License-Identifier: Apache-2.0
//
// A PC as the board: a Verilated top with a memory, a CPU port, two stream partners and a bus checker around it, behind a flat C interface
// that Python loads with ctypes (host/tensorpress/device/verilated.py). The top is
//
//   tensorpress_engine   the engine with its AMBA ports, or
//   verilated_pynq       the PL of a PYNQ board behind the ports of its processing system: AXI3 on both sides, no streams
//
// The ports that a top has decide what is played and checked (kAxi3, kStreams).
//
//   CPU port       one access at a time, played cycle by cycle; address and data phases drift apart when stalls are asked for.
//                  AXI4-Lite, or single beats of AXI3 with changing IDs, which must come back
//   memory         AXI slave over the caller's bytes: outstanding limits, random stalls, error responses, silence; its time is either
//                  ideal (constant latency and rates, those of reads for each port) or that of one DDR3 behind a controller (ddr3.h).
//                  A second port, m1_axi, only reads
//   streams        bytes to s_axis_raw, bytes from m_axis_raw, with random pauses; ports of 8 or 16 bytes
//   checker        always on; the first broken rule is kept as text and ends the run
//
// One call of tick() is one clock cycle. Inputs are chosen after the rising edge from what was sampled before it, so every signal that
// this file drives behaves like a register, and a valid once raised stays until it is taken.

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "ddr3.h"
#include "verilated.h"
#ifdef TP_TRACE_FST
#include "verilated_fst_c.h"
using TraceFile = VerilatedFstC;
#define TP_TRACE
#elif defined(TP_TRACE_VCD)
#include "verilated_vcd_c.h"
using TraceFile = VerilatedVcdC;
#define TP_TRACE
#endif

namespace {

constexpr uint32_t kMaxBeats = 16;     // AXI3 and AXI4 at once
constexpr uint32_t kWordBytes = 8;
constexpr uint64_t kPage = 4096;
constexpr int64_t kOne = 1 << 16;      // fixed point of the bandwidth tokens

enum Channel { AR, R, AW, W, B, STREAM_IN, STREAM_OUT, LITE, AR1, R1, CHANNELS };
const char *const kChannelNames[CHANNELS] = {"ar", "r", "aw", "w", "b", "stream_in", "stream_out", "lite", "ar1", "r1"};

// xoshiro-like generators would do as well; splitmix64 is short and good enough for stalls.
struct Random {
    uint64_t state = 1;
    uint32_t next() {
        uint64_t z = (state += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return static_cast<uint32_t>((z ^ (z >> 31)) >> 16);
    }
};

// A stall begins with `probability` in a free cycle and lasts 1..`longest` cycles.
struct Stall {
    uint32_t probability = 0;  // of 65536
    uint32_t longest = 1;
    uint32_t left = 0;
    bool blocked(Random &random) {
        if (left) { --left; return true; }
        if (!probability) return false;
        const uint32_t r = random.next();
        if ((r & 0xFFFF) >= probability) return false;
        left = (r >> 16) % longest;
        return true;
    }
};

struct Range { uint64_t start, end; };

struct Windows {
    std::vector<Range> ranges;
    size_t last = 0;
    bool holds(uint64_t start, uint64_t end) {
        if (last < ranges.size() && start >= ranges[last].start && end <= ranges[last].end) return true;
        for (size_t i = 0; i < ranges.size(); ++i)
            if (start >= ranges[i].start && end <= ranges[i].end) { last = i; return true; }
        return false;
    }
};

struct ReadBurst { uint64_t address, due; uint32_t beats, sent, id, ticket; };
struct WriteBurst { uint64_t address, due; uint32_t beats, taken, id, response, ticket; };

// A beat of a stream port. Verilator keeps wide ports as words, the lowest first: on a little-endian machine their bytes are the stream's.
template <class Top>
constexpr uint32_t stream_in_bytes() {
    if constexpr (requires(Top &t) { t.s_axis_raw_tdata; }) return sizeof(Top::s_axis_raw_tdata);
    else return kWordBytes;
}
template <class Top>
constexpr uint32_t stream_out_bytes() {
    if constexpr (requires(Top &t) { t.m_axis_raw_tdata; }) return sizeof(Top::m_axis_raw_tdata);
    else return kWordBytes;
}
constexpr uint32_t kStreamInBytes = stream_in_bytes<Vtop>();
constexpr uint32_t kStreamOutBytes = stream_out_bytes<Vtop>();
constexpr uint32_t kMostStreamBytes = 16;
static_assert(kStreamInBytes <= kMostStreamBytes && kStreamOutBytes <= kMostStreamBytes, "stream ports have at most 16 bytes");
struct StreamBeat { std::array<uint8_t, kMostStreamBytes> data; uint32_t keep; bool last; };

// Error responses: `first` counts beats (reads) or bursts (writes) from the moment of arming; `count` of them in a row fail.
struct Fault { uint64_t first = 0, count = 0, seen = 0; uint32_t response = 2; };

// What the design must hold stable on one of its valid/ready outputs.
struct Hold {
    bool waiting = false;
    uint64_t a = 0, b = 0, c = 0;
};

// The memory's side of a port that reads.
struct ReadPort {
    const char *ar_name;
    Channel ar_channel, r_channel;
    std::deque<ReadBurst> bursts;
    int64_t tokens = 0;
    Fault fault;
    Hold hold;
    uint64_t read_bursts = 0, read_beats = 0;

    ReadPort(const char *name, Channel ar, Channel r) : ar_name(name), ar_channel(ar), r_channel(r) {}
    void forget() {
        bursts.clear();
        hold = Hold();
    }
};

// Its pins, by the names of a top's port `p`.
#define READ_PINS(t, p) \
    ReadPins { \
        t.p##_arvalid, t.p##_rready, t.p##_araddr, t.p##_arlen, t.p##_arsize, t.p##_arburst, t.p##_arid, t.p##_arlock, t.p##_arready, \
            t.p##_rvalid, t.p##_rlast, t.p##_rresp, t.p##_rid, t.p##_rdata \
    }
struct ReadPins {
    const CData &arvalid, &rready;
    const IData &araddr;
    const CData &arlen, &arsize, &arburst, &arid, &arlock;
    CData &arready, &rvalid, &rlast, &rresp, &rid;
    QData &rdata;
};

// What was sampled of it before the edge.
struct ReadSample {
    bool ar, r;
    uint64_t address;
    uint32_t beats, id;
};

template <class Top>
struct Harness {
    static constexpr bool kSecondPort = requires(Top &t) { t.m1_axi_arvalid; };
    static constexpr bool kAxi3 = requires(Top &t) { t.m_axi_wid; };
    static constexpr bool kStreams = requires(Top &t) { t.s_axis_raw_tvalid; };

    std::unique_ptr<VerilatedContext> context;
    std::unique_ptr<Top> top;
#ifdef TP_TRACE
    std::unique_ptr<TraceFile> trace;
#endif
    uint8_t *memory;
    uint64_t base, size;
    uint64_t cycle = 0;
    Random random;
    Stall stall[CHANNELS];
    std::string violation;
    bool in_reset = false;
    uint32_t reset_age = 0;

    // memory settings
    uint32_t read_latency = 40, write_latency = 20, read_limit = 4, write_limit = 4;
    int64_t read_rate = kOne, write_rate = kOne, shared_rate = 0;  // beats a cycle, fixed point; shared 0 = unlimited
    int64_t write_tokens = 0, shared_tokens = 0;
    bool dead = false, address_waits_for_data = false, check_windows = true, half_width[2] = {false, false};
    bool is_ddr3 = false;
    tensorpress::Ddr3 ddr3;
    Fault write_fault;
    Windows read_windows, write_windows;

    // memory state
    ReadPort port[2] = {{"AR", AR, R}, {"second port AR", AR1, R1}};
    bool second_first = false;           // whose turn it is to take from what both ports share
    std::deque<WriteBurst> writes;   // from AW until B is taken
    size_t writes_filled = 0;        // of those: bursts whose last beat has come

    // statistics
    uint64_t write_bursts = 0, write_beats = 0, peak_reads = 0, peak_writes = 0;
    uint64_t stream_in_beats = 0, stream_out_beats = 0;

    // streams
    std::deque<StreamBeat> stream_in;
    std::vector<uint8_t> stream_out;
    std::vector<uint64_t> stream_out_lasts;  // byte positions after which TLAST was seen
    uint64_t stream_out_base = 0;            // bytes already handed to the caller

    // AXI4-Lite master
    bool lite_aw = false, lite_w = false, lite_b = false, lite_ar = false, lite_r = false;
    uint32_t lite_address = 0, lite_data = 0, lite_response = 0, lite_id = 0;

    Hold hold_aw, hold_w, hold_m, hold_lite_b, hold_lite_r;

    void fail(const char *format, ...) __attribute__((format(printf, 2, 3))) {
        if (!violation.empty()) return;
        char text[400];
        int n = snprintf(text, sizeof text, "cycle %llu: ", static_cast<unsigned long long>(cycle));
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text + n, sizeof text - n, format, arguments);
        va_end(arguments);
        violation = text;
    }

    Harness(uint8_t *memory_bytes, uint64_t memory_base, uint64_t memory_size, uint64_t seed, const char *trace_path)
        : context(new VerilatedContext), memory(memory_bytes), base(memory_base), size(memory_size) {
        random.state = seed * 2 + 1;
        context->randReset(2);  // registers without a reset start with anything
        context->randSeed(static_cast<int>(seed % 0x7FFFFFFF) + 1);
#ifdef TP_TRACE
        context->traceEverOn(true);
#endif
        top.reset(new Top(context.get(), "TOP"));
#ifdef TP_TRACE
        if (trace_path && *trace_path) {
            trace.reset(new TraceFile);
            top->trace(trace.get(), 99);
            trace->open(trace_path);
        }
#else
        (void)trace_path;
#endif
        idle_inputs();
    }

    ~Harness() {
        top->final();
#ifdef TP_TRACE
        if (trace) trace->close();
#endif
    }

    void idle_inputs() {
        auto set_optional = [](auto *t) {
            if constexpr (requires { t->s_axi_awprot; }) t->s_axi_awprot = 0;
            if constexpr (requires { t->s_axi_arprot; }) t->s_axi_arprot = 0;
        };
        set_optional(top.get());
        top->aclk = 0;
        top->aresetn = 1;
        top->s_axi_awvalid = top->s_axi_wvalid = top->s_axi_bready = top->s_axi_arvalid = top->s_axi_rready = 0;
        top->s_axi_wstrb = 0xF;
        read_pins(0).arready = read_pins(0).rvalid = 0;
        if constexpr (kSecondPort) read_pins(1).arready = read_pins(1).rvalid = 0;
        top->m_axi_awready = top->m_axi_wready = top->m_axi_bvalid = 0;
        if constexpr (kStreams) top->s_axis_raw_tvalid = top->m_axis_raw_tready = 0;
    }

    void clear_bus_state() {
        ddr3.forget();
        for (auto &p : port) p.forget();
        writes.clear();
        writes_filled = 0;
        lite_aw = lite_w = lite_b = lite_ar = lite_r = false;
        hold_aw = hold_w = hold_m = hold_lite_b = hold_lite_r = Hold();
        for (auto &s : stall) s.left = 0;
    }

    void reset(uint32_t cycles) {
        clear_bus_state();
        idle_inputs();
        top->aresetn = 0;
        in_reset = true;
        reset_age = 0;
        for (uint32_t i = 0; i < cycles; ++i) { tick(); ++reset_age; }
        clear_bus_state();
        idle_inputs();
        in_reset = false;
        for (uint32_t i = 0; i < 8; ++i) tick();  // a reset that is synchronised lasts a little longer
    }

    void check_hold(Hold &hold, const char *channel, bool valid, bool ready, uint64_t a, uint64_t b, uint64_t address, uint64_t c = 0) {
        if (hold.waiting) {
            if (!valid) fail("%s: valid was taken back before ready came (address 0x%llx)", channel, (unsigned long long)address);
            else if (hold.a != a || hold.b != b || hold.c != c)
                fail("%s: payload changed while valid waited for ready (address 0x%llx)", channel, (unsigned long long)address);
        }
        hold.waiting = valid && !ready;
        hold.a = a;
        hold.b = b;
        hold.c = c;
    }

    // The two questions that the memory's model answers: may the next beat of a read, and the response of a write, be given?
    bool read_due(const ReadBurst &burst) const {
        return is_ddr3 ? ddr3.arrived(burst.ticket, burst.address, (burst.sent + 1) * kWordBytes) : burst.due <= cycle;
    }
    bool write_due(const WriteBurst &burst) const {
        return is_ddr3 ? ddr3.arrived(burst.ticket, burst.address, burst.beats * kWordBytes) : burst.due <= cycle;
    }

    void check_burst(int number, const char *channel, uint64_t address, uint32_t beats, uint32_t size_code, uint32_t burst) {
        if (half_width[number]) fail("%s: burst at 0x%llx while the port is set to 32 bits", channel, (unsigned long long)address);
        if (beats > kMaxBeats) fail("%s: burst of %u beats at 0x%llx, at most %u", channel, beats, (unsigned long long)address, kMaxBeats);
        if (burst != 1) fail("%s: burst type %u at 0x%llx, not INCR", channel, burst, (unsigned long long)address);
        if (size_code != 3) fail("%s: size %u at 0x%llx, not 8 bytes", channel, size_code, (unsigned long long)address);
        if (address % kWordBytes) fail("%s: address 0x%llx is not a multiple of 8", channel, (unsigned long long)address);
        if (address / kPage != (address + uint64_t(beats) * kWordBytes - 1) / kPage)
            fail("%s: %u beats at 0x%llx cross a 4 KiB boundary", channel, beats, (unsigned long long)address);
    }

    ReadPins read_pins(int number) {
        if constexpr (kSecondPort)
            if (number) return READ_PINS((*top), m1_axi);
        return READ_PINS((*top), m_axi);
    }

    ReadSample sample_reads(int number) {
        const ReadPins pins = read_pins(number);
        return {pins.arvalid && pins.arready, pins.rvalid && pins.rready, pins.araddr, uint32_t(pins.arlen) + 1, pins.arid};
    }

    void check_reads(int number, const ReadSample &s) {
        const ReadPins pins = read_pins(number);
        ReadPort &p = port[number];
        check_hold(p.hold, p.ar_name, pins.arvalid, pins.arready, s.address, s.beats | s.id << 16 | pins.arburst << 20, s.address);
        if constexpr (kAxi3)
            if (s.ar && pins.arlock) fail("%s: locked access at 0x%llx", p.ar_name, (unsigned long long)s.address);
        if (!s.ar) return;
        check_burst(number, p.ar_name, s.address, s.beats, pins.arsize, pins.arburst);
        if (check_windows && !read_windows.holds(s.address, s.address + uint64_t(s.beats) * kWordBytes))
            fail("%s: read of %u words at 0x%llx outside the buffers of the job", p.ar_name, s.beats, (unsigned long long)s.address);
        p.bursts.push_back({s.address, cycle + read_latency, s.beats, 0, s.id, is_ddr3 ? ddr3.read(s.address, s.beats * kWordBytes) : 0});
        ++p.read_bursts;
        peak_reads = std::max<uint64_t>(peak_reads, port[0].bursts.size() + port[1].bursts.size());
    }

    void finish_beat(int number) {
        ReadPort &p = port[number];
        ReadBurst &burst = p.bursts.front();
        ++p.read_beats;
        ++p.fault.seen;
        if (++burst.sent == burst.beats) {
            if (is_ddr3) ddr3.retire(burst.ticket);
            p.bursts.pop_front();
        }
    }

    void take_addresses(int number) {
        read_pins(number).arready = !dead && port[number].bursts.size() < read_limit && !stall[port[number].ar_channel].blocked(random);
    }

    void give_beat(int number, bool taken) {
        const ReadPins pins = read_pins(number);
        ReadPort &p = port[number];
        if (pins.rvalid && !taken) return;
        const bool ready = !dead && !p.bursts.empty() && read_due(p.bursts.front()) && p.tokens >= kOne && shared_tokens >= kOne;
        pins.rvalid = ready && !stall[p.r_channel].blocked(random);
        if (!pins.rvalid) return;
        const ReadBurst &burst = p.bursts.front();
        const uint64_t address = burst.address + uint64_t(burst.sent) * kWordBytes;
        uint64_t data = 0xDEADBEEFDEADBEEFull;
        uint32_t response = 0;
        if (p.fault.count && p.fault.seen >= p.fault.first && p.fault.seen < p.fault.first + p.fault.count) response = p.fault.response;
        else if (in_memory(address)) memcpy(&data, memory + (address - base), kWordBytes);
        else response = 3;
        pins.rdata = data;
        pins.rresp = response;
        pins.rid = burst.id;
        pins.rlast = burst.sent + 1 == burst.beats;
        p.tokens -= kOne;
        shared_tokens -= kOne;
    }

    bool in_memory(uint64_t address) const { return address >= base && address + kWordBytes <= base + size; }

    void tick() {
        Top &t = *top;
        t.aclk = 0;
        t.eval();
#ifdef TP_TRACE
        if (trace) trace->dump(cycle * 10 + 5);
#endif

        if (in_reset) {
            bool high = t.m_axi_arvalid || t.m_axi_awvalid || t.m_axi_wvalid || t.s_axi_bvalid || t.s_axi_rvalid;
            if constexpr (kStreams) high = high || t.m_axis_raw_tvalid;
            if constexpr (kSecondPort) high = high || t.m1_axi_arvalid;
            if (high && reset_age > 4) fail("reset: a valid output is high");
            t.aclk = 1;
            t.eval();
#ifdef TP_TRACE
            if (trace) trace->dump(cycle * 10 + 10);
#endif
            ++cycle;
            return;
        }

        // ---- sample, before the edge
        const ReadSample read0 = sample_reads(0), read1 = kSecondPort ? sample_reads(1) : ReadSample();
        const bool aw = t.m_axi_awvalid && t.m_axi_awready;
        const bool w = t.m_axi_wvalid && t.m_axi_wready;
        const bool b = t.m_axi_bvalid && t.m_axi_bready;
        const bool w_waits = t.m_axi_wvalid;
        const uint64_t aw_address = t.m_axi_awaddr, w_data = t.m_axi_wdata;
        const uint32_t aw_beats = uint32_t(t.m_axi_awlen) + 1, w_strobe = t.m_axi_wstrb;
        const uint32_t aw_id = t.m_axi_awid;
        const bool w_last = t.m_axi_wlast;
        bool in = false, out = false, out_last = false;
        std::array<uint8_t, kMostStreamBytes> out_data{};
        uint32_t out_keep = 0;
        if constexpr (kStreams) {
            in = t.s_axis_raw_tvalid && t.s_axis_raw_tready;
            out = t.m_axis_raw_tvalid && t.m_axis_raw_tready;
            memcpy(out_data.data(), &t.m_axis_raw_tdata, kStreamOutBytes);
            out_keep = t.m_axis_raw_tkeep;
            out_last = t.m_axis_raw_tlast;
        }
        uint64_t out_words[2];
        memcpy(out_words, out_data.data(), sizeof out_words);
        const bool lite_aw_taken = t.s_axi_awvalid && t.s_axi_awready, lite_w_taken = t.s_axi_wvalid && t.s_axi_wready;
        const bool lite_b_taken = t.s_axi_bvalid && t.s_axi_bready, lite_ar_taken = t.s_axi_arvalid && t.s_axi_arready;
        const bool lite_r_taken = t.s_axi_rvalid && t.s_axi_rready;
        const uint32_t lite_b_response = t.s_axi_bresp, lite_r_response = t.s_axi_rresp, lite_r_data = t.s_axi_rdata;

        // ---- check
        check_reads(0, read0);
        if constexpr (kSecondPort) check_reads(1, read1);
        check_hold(hold_aw, "AW", t.m_axi_awvalid, t.m_axi_awready, aw_address, aw_beats | aw_id << 16 | t.m_axi_awburst << 20, aw_address);
        check_hold(hold_w, "W", t.m_axi_wvalid, t.m_axi_wready, w_data, w_strobe | uint32_t(w_last) << 8,
                   writes_filled < writes.size() ? writes[writes_filled].address + writes[writes_filled].taken * kWordBytes : 0);
        if constexpr (kStreams)
            check_hold(hold_m, "m_axis_raw", t.m_axis_raw_tvalid, t.m_axis_raw_tready, out_words[0], out_words[1], stream_out.size(),
                   out_keep | uint32_t(out_last) << kMostStreamBytes);
        check_hold(hold_lite_b, "CPU port B", t.s_axi_bvalid, t.s_axi_bready, t.s_axi_bresp, 0, lite_address);
        check_hold(hold_lite_r, "CPU port R", t.s_axi_rvalid, t.s_axi_rready, t.s_axi_rdata, t.s_axi_rresp, lite_address);
        if (t.s_axi_bvalid && (!lite_b || lite_aw || lite_w)) fail("CPU port B: a response before the write (address 0x%x)", lite_address);
        if (t.s_axi_rvalid && (!lite_r || lite_ar)) fail("CPU port R: a response before the read (address 0x%x)", lite_address);
        if constexpr (kAxi3) {
            if (t.s_axi_bvalid && t.s_axi_bid != lite_id) fail("CPU port B: ID 0x%x, asked with 0x%x", t.s_axi_bid, lite_id);
            if (t.s_axi_rvalid && t.s_axi_rid != lite_id) fail("CPU port R: ID 0x%x, asked with 0x%x", t.s_axi_rid, lite_id);
            if (t.s_axi_rvalid && !t.s_axi_rlast) fail("CPU port R: no RLAST with a single beat (address 0x%x)", lite_address);
            if (aw && t.m_axi_awlock) fail("AW: locked access at 0x%llx", (unsigned long long)aw_address);
        }

        if (aw) {
            check_burst(0, "AW", aw_address, aw_beats, t.m_axi_awsize, t.m_axi_awburst);
            writes.push_back({aw_address, 0, aw_beats, 0, aw_id, 0, 0});
            if (write_fault.count && write_fault.seen >= write_fault.first && write_fault.seen < write_fault.first + write_fault.count)
                writes.back().response = write_fault.response;
            ++write_fault.seen;
            ++write_bursts;
            peak_writes = std::max<uint64_t>(peak_writes, writes.size());
        }
        if (w) {
            // W is accepted only for a burst whose address has come, so there is one
            WriteBurst &burst = writes[writes_filled];
            if constexpr (kAxi3)
                if (t.m_axi_wid != burst.id) fail("W: WID %u, AWID %u, burst at 0x%llx", t.m_axi_wid, burst.id, (unsigned long long)burst.address);
            const uint64_t address = burst.address + uint64_t(burst.taken) * kWordBytes;
            const bool is_last = ++burst.taken == burst.beats;
            if (w_last != is_last)
                fail("W: WLAST is %d in beat %u of %u, burst at 0x%llx", w_last, burst.taken, burst.beats, (unsigned long long)burst.address);
            for (uint32_t i = 0; i < kWordBytes;) {  // runs of strobed bytes
                if (!(w_strobe >> i & 1)) { ++i; continue; }
                uint32_t end = i;
                while (end < kWordBytes && (w_strobe >> end & 1)) ++end;
                if (check_windows && !write_windows.holds(address + i, address + end))
                    fail("W: write of bytes 0x%llx..0x%llx outside the destination of the job", (unsigned long long)(address + i),
                         (unsigned long long)(address + end - 1));
                else if (in_memory(address)) memcpy(memory + (address - base) + i, reinterpret_cast<const uint8_t *>(&w_data) + i, end - i);
                else burst.response = 3;
                i = end;
            }
            ++write_beats;
            write_tokens -= kOne;
            shared_tokens -= kOne;
            if (is_last) {
                burst.due = cycle + write_latency;
                if (is_ddr3) burst.ticket = ddr3.write(burst.address, burst.beats * kWordBytes);
                ++writes_filled;
            }
        }
        if (read0.r) finish_beat(0);
        if (read1.r) finish_beat(1);
        if (b) {
            if (is_ddr3) ddr3.retire(writes.front().ticket);
            writes.pop_front();
            --writes_filled;
        }
        if (in) { stream_in.pop_front(); ++stream_in_beats; }
        if (out) {
            uint32_t bytes = 0;
            while (bytes < kStreamOutBytes && (out_keep >> bytes & 1)) ++bytes;
            if (out_keep != (1u << bytes) - 1 || bytes == 0 || (bytes < kStreamOutBytes && !out_last))
                fail("m_axis_raw: TKEEP 0x%02x with TLAST %d at byte %zu", out_keep, out_last, stream_out.size());
            stream_out.insert(stream_out.end(), out_data.begin(), out_data.begin() + bytes);
            if (out_last) stream_out_lasts.push_back(stream_out_base + stream_out.size());
            ++stream_out_beats;
        }
        if (lite_aw_taken) lite_aw = false;
        if (lite_w_taken) lite_w = false;
        if (lite_b_taken) { lite_b = false; lite_response = lite_b_response; }
        if (lite_ar_taken) lite_ar = false;
        if (lite_r_taken) { lite_r = false; lite_response = lite_r_response; lite_data = lite_r_data; }

        // ---- the edge
        t.aclk = 1;
        t.eval();
#ifdef TP_TRACE
        if (trace) trace->dump(cycle * 10 + 10);
#endif
        ++cycle;
        if (is_ddr3) ddr3.tick();

        // ---- choose the inputs of the next cycle
        for (auto &p : port) p.tokens = std::min(p.tokens + read_rate, 2 * kOne);
        write_tokens = std::min(write_tokens + write_rate, 2 * kOne);
        if (shared_rate) shared_tokens = std::min(shared_tokens + shared_rate, 2 * kOne);
        else shared_tokens = 2 * kOne;

        take_addresses(0);
        if constexpr (kSecondPort) take_addresses(1);
        t.m_axi_awready = !dead && writes.size() < write_limit && (!address_waits_for_data || w_waits) && !stall[AW].blocked(random);
        t.m_axi_wready = !dead && writes_filled < writes.size() && write_tokens >= kOne && shared_tokens >= kOne && !stall[W].blocked(random);

        if constexpr (kSecondPort) {
            give_beat(second_first, second_first ? read1.r : read0.r);
            give_beat(!second_first, second_first ? read0.r : read1.r);
            second_first = !second_first;
        } else give_beat(0, read0.r);
        if (!t.m_axi_bvalid || b) {
            t.m_axi_bvalid = !dead && writes_filled > 0 && write_due(writes.front()) && !stall[B].blocked(random);
            if (t.m_axi_bvalid) {
                t.m_axi_bid = writes.front().id;
                t.m_axi_bresp = writes.front().response;
            }
        }
        if constexpr (kStreams) {
            if (!t.s_axis_raw_tvalid || in) {
                t.s_axis_raw_tvalid = !stream_in.empty() && !stall[STREAM_IN].blocked(random);
                if (t.s_axis_raw_tvalid) {
                    const StreamBeat &beat = stream_in.front();
                    memcpy(&t.s_axis_raw_tdata, beat.data.data(), kStreamInBytes);
                    t.s_axis_raw_tkeep = beat.keep;
                    t.s_axis_raw_tlast = beat.last;
                }
            }
            t.m_axis_raw_tready = !stall[STREAM_OUT].blocked(random);
        }

        if (!t.s_axi_awvalid || lite_aw_taken) t.s_axi_awvalid = lite_aw && !stall[LITE].blocked(random);
        if (!t.s_axi_wvalid || lite_w_taken) t.s_axi_wvalid = lite_w && !stall[LITE].blocked(random);
        if (!t.s_axi_arvalid || lite_ar_taken) t.s_axi_arvalid = lite_ar && !stall[LITE].blocked(random);
        t.s_axi_bready = lite_b && !stall[LITE].blocked(random);
        t.s_axi_rready = lite_r && !stall[LITE].blocked(random);
    }

    void forget_stream_in() {
        stream_in.clear();
        if constexpr (kStreams) top->s_axis_raw_tvalid = 0;
    }

    bool lite_write(uint32_t address, uint32_t data, uint64_t limit) {
        lite_address = address;
        lite_aw = lite_w = lite_b = true;
        top->s_axi_awaddr = address;
        top->s_axi_wdata = data;
        if constexpr (kAxi3) {
            top->s_axi_awid = lite_id = random.next() & 0xFFF;
            top->s_axi_awlen = 0;
            top->s_axi_wlast = 1;
        }
        for (uint64_t i = 0; i < limit && lite_b && violation.empty(); ++i) tick();
        return !lite_b;
    }

    bool lite_read(uint32_t address, uint64_t limit) {
        lite_address = address;
        lite_ar = lite_r = true;
        top->s_axi_araddr = address;
        if constexpr (kAxi3) {
            top->s_axi_arid = lite_id = random.next() & 0xFFF;
            top->s_axi_arlen = 0;
        }
        for (uint64_t i = 0; i < limit && lite_r && violation.empty(); ++i) tick();
        return !lite_r;
    }
};

using Device = Harness<Vtop>;

enum Answer { kDone = 0, kCycles = 1, kViolation = 2, kSilent = 3, kBadResponse = 4 };

}  // namespace

extern "C" {

Device *tp_create(uint8_t *memory, uint64_t base, uint64_t size, uint64_t seed, const char *trace) {
    return new Device(memory, base, size, seed, trace);
}

void tp_destroy(Device *d) { delete d; }

void tp_reset(Device *d, uint32_t cycles) { d->reset(cycles); }

// Settings by name; -1 when there is no such setting. Rates are beats a cycle, stalls a probability.
int tp_configure(Device *d, const char *name, double value) {
    const std::string key(name);
    const auto u = static_cast<uint32_t>(value);
    if (key == "read_latency") d->read_latency = u;
    else if (key == "write_latency") d->write_latency = u;
    else if (key == "read_outstanding") d->read_limit = u;
    else if (key == "write_outstanding") d->write_limit = u;
    else if (key == "read_rate") d->read_rate = static_cast<int64_t>(value * kOne);
    else if (key == "write_rate") d->write_rate = static_cast<int64_t>(value * kOne);
    else if (key == "shared_rate") d->shared_rate = static_cast<int64_t>(value * kOne);
    else if (key == "ddr3") {  // takes the settings ddr3_* over; 0 is the ideal memory
        d->is_ddr3 = value != 0;
        if (d->is_ddr3) d->ddr3.start();
    } else if (key.rfind("ddr3_", 0) == 0) {
        double *setting = d->ddr3.setting(key.substr(5));
        if (!setting) return -1;
        *setting = value;
    } else if (key == "dead") d->dead = value != 0;
    else if (key == "address_waits_for_data") d->address_waits_for_data = value != 0;
    else if (key == "check_windows") d->check_windows = value != 0;
    else if (key == "half_width") d->half_width[0] = value != 0;
    else if (key == "half_width_1") d->half_width[1] = value != 0;
    else {
        for (int c = 0; c < CHANNELS; ++c) {
            if (key == std::string("stall_") + kChannelNames[c]) { d->stall[c].probability = static_cast<uint32_t>(value * 65536); return 0; }
            if (key == std::string("stall_longest_") + kChannelNames[c]) { d->stall[c].longest = u ? u : 1; return 0; }
        }
        return -1;
    }
    return 0;
}

// From now on, `count` read beats (what = 0; 2: of the second port) or write bursts (1) beginning with number `first` get `response`
// (2 SLVERR, 3 DECERR). count 0 disarms.
void tp_fault(Device *d, int what, uint64_t first, uint64_t count, uint32_t response) {
    Fault &fault = what == 1 ? d->write_fault : d->port[what / 2].fault;
    fault.first = first;
    fault.count = count;
    fault.seen = 0;
    fault.response = response;
}

// ranges: start, end of `reads` read windows, then of `writes` write windows.
void tp_windows(Device *d, const uint64_t *ranges, uint32_t reads, uint32_t writes) {
    d->read_windows = Windows();
    d->write_windows = Windows();
    for (uint32_t i = 0; i < reads; ++i) d->read_windows.ranges.push_back({ranges[2 * i], ranges[2 * i + 1]});
    for (uint32_t i = reads; i < reads + writes; ++i) d->write_windows.ranges.push_back({ranges[2 * i], ranges[2 * i + 1]});
}

int tp_write(Device *d, uint32_t address, const uint32_t *data, uint32_t count, uint64_t limit) {
    for (uint32_t i = 0; i < count; ++i) {
        const bool answered = d->lite_write(address + 4 * i, data[i], limit);
        if (!d->violation.empty()) return kViolation;
        if (!answered) return kSilent;
        if (d->lite_response) return kBadResponse;
    }
    return kDone;
}

int tp_read(Device *d, uint32_t address, uint32_t *data, uint64_t limit) {
    const bool answered = d->lite_read(address, limit);
    *data = d->lite_data;
    if (!d->violation.empty()) return kViolation;
    if (!answered) return kSilent;
    return d->lite_response ? kBadResponse : kDone;
}

// Runs until the interrupt (if asked for) is high, at most `cycles`.
int tp_run(Device *d, uint64_t cycles, int until_interrupt) {
    for (uint64_t i = 0; i < cycles; ++i) {
        if (!d->violation.empty()) return kViolation;
        if (until_interrupt && d->top->irq) return kDone;
        d->tick();
    }
    if (!d->violation.empty()) return kViolation;
    return until_interrupt && d->top->irq ? kDone : kCycles;
}

void tp_stream_send(Device *d, const uint8_t *bytes, uint64_t count, int last) {
    for (uint64_t i = 0; i < count; i += kStreamInBytes) {
        const uint32_t n = static_cast<uint32_t>(std::min<uint64_t>(kStreamInBytes, count - i));
        StreamBeat beat = {{}, (1u << n) - 1, last && i + n == count};
        beat.data.fill(0xA5);  // bytes without TKEEP
        memcpy(beat.data.data(), bytes + i, n);
        d->stream_in.push_back(beat);
    }
}

// Copies up to `count` bytes out of what m_axis_raw has given; returns how many.
uint64_t tp_stream_receive(Device *d, uint8_t *bytes, uint64_t count) {
    const uint64_t n = std::min<uint64_t>(count, d->stream_out.size());
    if (n) memcpy(bytes, d->stream_out.data(), n);
    d->stream_out.erase(d->stream_out.begin(), d->stream_out.begin() + static_cast<std::ptrdiff_t>(n));
    d->stream_out_base += n;
    return n;
}

// The next packet end, as a count of bytes from the first byte not yet received; -1 when none is known. pop forgets it.
int64_t tp_stream_last(Device *d, int pop) {
    if (d->stream_out_lasts.empty()) return -1;
    const auto at = static_cast<int64_t>(d->stream_out_lasts.front()) - static_cast<int64_t>(d->stream_out_base);
    if (pop) d->stream_out_lasts.erase(d->stream_out_lasts.begin());
    return at;
}

// Forgets what was not sent and what was not received. A beat that is already offered on s_axis_raw is withdrawn: the partner is reset.
void tp_stream_clear(Device *d) {
    d->forget_stream_in();
    d->stream_out_base += d->stream_out.size();
    d->stream_out.clear();
    d->stream_out_lasts.clear();
}

const char *tp_violation(Device *d) { return d->violation.c_str(); }

void tp_clear_violation(Device *d) { d->violation.clear(); }

int64_t tp_statistic(Device *d, const char *name) {
    const std::string key(name);
    uint64_t value;
    if (key == "cycle") value = d->cycle;
    else if (key == "interrupt") value = d->top->irq;
    else if (key == "read_bursts") value = d->port[0].read_bursts + d->port[1].read_bursts;
    else if (key == "read_beats") value = d->port[0].read_beats + d->port[1].read_beats;
    else if (key == "second_port_beats") value = d->port[1].read_beats;
    else if (key == "write_bursts") value = d->write_bursts;
    else if (key == "write_beats") value = d->write_beats;
    else if (key == "peak_reads") value = d->peak_reads;
    else if (key == "peak_writes") value = d->peak_writes;
    else if (key == "reads_open") value = d->port[0].bursts.size() + d->port[1].bursts.size();
    else if (key == "writes_open") value = d->writes.size();
    else if (key == "stream_in_beats") value = d->stream_in_beats;
    else if (key == "stream_out_beats") value = d->stream_out_beats;
    else if (key == "stream_in_left") value = d->stream_in.size();
    else if (key == "stream_out_left") value = d->stream_out.size();
    else if (key == "stream_in_bytes") value = kStreamInBytes;
    else if (key == "stream_out_bytes") value = kStreamOutBytes;
    else if (key.rfind("ddr3_", 0) == 0) return d->ddr3.count(key.substr(5));
    else return -1;
    return static_cast<int64_t>(value);
}

}  // extern "C"
