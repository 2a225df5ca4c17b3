// SPDX-License-Identifier: Apache-2.0
//
// The DDR3 model of cores/verilated/ddr3.h behind a C interface of its own: test_ddr3.py puts patterns of bursts through it, with no engine.

#include <deque>

#include "ddr3.h"

using tensorpress::Ddr3;

extern "C" {

Ddr3 *probe_create() { return new Ddr3; }

void probe_destroy(Ddr3 *model) { delete model; }

int probe_set(Ddr3 *model, const char *name, double value) {
    double *setting = model->setting(name);
    if (setting) *setting = value;
    return setting != nullptr;
}

void probe_start(Ddr3 *model) { model->start(); }

int64_t probe_count(const Ddr3 *model, const char *name) { return model->count(name); }

// One burst after the other, each when the one before has ended: fills the ticks that each took.
void probe_one_by_one(Ddr3 *model, const uint64_t *addresses, const uint8_t *is_write, uint32_t count, uint32_t bytes, uint64_t *ticks) {
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t ticket = is_write[i] ? model->write(addresses[i], bytes) : model->read(addresses[i], bytes);
        ticks[i] = 0;
        while (!model->arrived(ticket, addresses[i], bytes) && ticks[i] < 100000) {
            model->tick();
            ++ticks[i];
        }
        model->retire(ticket);
    }
}

// As many bursts at once as are allowed, reads and writes each in their own order; returns the ticks that all took.
uint64_t probe_at_once(Ddr3 *model, const uint64_t *addresses, const uint8_t *is_write, uint32_t count, uint32_t bytes, uint32_t outstanding) {
    struct Burst { uint64_t address; uint32_t ticket; };
    std::deque<Burst> open[2];
    uint32_t next[2] = {0, 0}, left = count;
    uint64_t ticks = 0;
    while (left && ticks < 100000000) {
        for (uint32_t kind = 0; kind < 2; ++kind)
            for (; open[kind].size() < outstanding && next[kind] < count; ++next[kind])
                if ((is_write[next[kind]] != 0) == (kind == 1)) {
                    const uint64_t address = addresses[next[kind]];
                    open[kind].push_back({address, kind ? model->write(address, bytes) : model->read(address, bytes)});
                }
        model->tick();
        ++ticks;
        for (auto &bursts : open)
            while (!bursts.empty() && model->arrived(bursts.front().ticket, bursts.front().address, bytes)) {
                model->retire(bursts.front().ticket);
                bursts.pop_front();
                --left;
            }
    }
    return left ? 0 : ticks;
}

}  // extern "C"
