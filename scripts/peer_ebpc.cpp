// SPDX-License-Identifier: Apache-2.0
//
// Streams tensors through the encoder or, with -DDECODER, through the decoder of stream-ebpc, for peer_ebpc.py. What comes in is always valid,
// what goes out is always taken. Each tensor is one line of standard input and follows a reset; each answer is one line of standard output.
//
//   encoder: values                       ->  cycles zero_stream plane_stream
//   decoder: zero_stream plane_stream n   ->  cycles values
//
// Bytes in hexadecimal, "-" for none. Cycles run from the first value or word taken to the last word or value that comes out, both counted.

#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "Vpeer.h"

namespace {

constexpr uint64_t SILENCE = 256;  // cycles without a word in or out after which nothing more comes

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const std::string &text) {
    Bytes bytes;
    for (size_t at = 0; text != "-" && at + 1 < text.size(); at += 2) bytes.push_back(std::stoul(text.substr(at, 2), nullptr, 16));
    return bytes;
}

std::string text_of(const Bytes &bytes) {
    const char *digits = "0123456789abcdef";
    std::string text;
    for (const uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return bytes.empty() ? "-" : text;
}

// What goes into one port.
struct Source {
    Bytes bytes;
    size_t next = 0;

    bool valid() const { return next < bytes.size(); }
    bool last() const { return next + 1 == bytes.size(); }
    uint8_t data() const { return valid() ? bytes[next] : 0; }
};

struct Bench {
    Vpeer top;
    uint64_t cycle = 0, first = 0, latest_in = 0, latest_out = 0;
    bool began = false;

    // The level before the clock edge; then the edge.
    void settle() {
        top.clk_i = 0;
        top.eval();
    }

    void edge() {
        top.clk_i = 1;
        top.eval();
        ++cycle;
    }

    void reset() {
        top.rst_ni = 0;
        for (int i = 0; i < 4; ++i) {
            settle();
            edge();
        }
        top.rst_ni = 1;
        settle();
    }

    // What happens at the next edge.
    void take(Source &source, bool ready) {
        if (!source.valid() || !ready) return;
        ++source.next;
        if (!began) first = cycle;
        began = true;
        latest_in = cycle;
    }

    void put(Bytes &sink, bool valid, uint8_t data) {
        if (!valid) return;
        sink.push_back(data);
        latest_out = cycle;
    }

    bool silent() const { return cycle > (latest_in > latest_out ? latest_in : latest_out) + SILENCE; }

    uint64_t cycles() const { return latest_out < first ? 0 : latest_out - first + 1; }
};

#ifndef DECODER

bool answer_line() {
    std::string line;
    if (!(std::cin >> line)) return false;
    Bench bench;
    Vpeer &top = bench.top;
    Source values{bytes_of(line)};
    Bytes zeros, planes;
    top.vld_i = top.last_i = top.data_i = 0;
    top.znz_rdy_i = top.bpc_rdy_i = 1;
    bench.reset();
    while (!bench.silent()) {
        top.vld_i = values.valid();
        top.last_i = values.last();
        top.data_i = values.data();
        bench.settle();
        bench.take(values, top.rdy_o);
        bench.put(zeros, top.znz_vld_o, top.znz_data_o);
        bench.put(planes, top.bpc_vld_o, top.bpc_data_o);
        bench.edge();
    }
    std::cout << bench.cycles() << ' ' << text_of(zeros) << ' ' << text_of(planes) << std::endl;
    return true;
}

#else

bool answer_line() {
    std::string zero_stream, plane_stream;
    uint32_t count = 0;
    if (!(std::cin >> zero_stream >> plane_stream >> count)) return false;
    Bench bench;
    Vpeer &top = bench.top;
    Source zeros{bytes_of(zero_stream)}, planes{bytes_of(plane_stream)};
    Bytes values;
    bool told = false;
    top.num_words_i = count - 1;
    top.num_words_vld_i = top.znz_vld_i = top.bpc_vld_i = 0;
    top.rdy_i = 1;
    bench.reset();
    while (!bench.silent()) {
        top.num_words_vld_i = !told;
        top.znz_vld_i = zeros.valid();
        top.znz_last_i = zeros.last();
        top.znz_i = zeros.data();
        top.bpc_vld_i = planes.valid();
        top.bpc_last_i = planes.last();
        top.bpc_i = planes.data();
        bench.settle();
        told = told || top.num_words_rdy_o;
        bench.take(zeros, top.znz_rdy_o);
        bench.take(planes, top.bpc_rdy_o);
        bench.put(values, top.vld_o, top.data_o);
        bench.edge();
    }
    std::cout << bench.cycles() << ' ' << text_of(values) << std::endl;
    return true;
}

#endif

}  // namespace

int main() {
    while (answer_line()) {
    }
    return 0;
}
