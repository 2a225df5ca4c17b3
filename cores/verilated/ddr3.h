// SPDX-License-Identifier: Apache-2.0
//
// The time that a DDR3 behind a controller takes: one rank of one chip, its banks, rows, refresh and data bus, and a controller that keeps
// two queues (reads, writes) and serves what is ready first. It moves no bytes; it tells when bytes may move. README.md: the figures and
// where they come from.
//
//   port ── request_ns ──► queue (reads 32, writes 32) ── commands, one a memory clock ──► banks ── data bus ── response_ns ──► port
//
// A request of the port (an AXI burst) becomes accesses of one DRAM burst each (BL8 on 16 bits: 16 bytes). Each memory clock:
//   1. refresh, when it is due: all banks are precharged, then nothing else for tRFC;
//   2. one access enters each queue that has a place;
//   3. the queue being served is chosen: it is kept until it is empty, or the other one is critical (it holds accesses, and none of them
//      was served for `starve` clocks);
//   4. of that queue, the oldest access whose row is open gets its RD or WR; failing that, the oldest whose bank is closed its ACT; failing
//      that, the oldest whose bank has another row open its PRE, when no access waits for that row. When the oldest of all has waited
//      `patience` clocks, its bank is kept for it.
//
// Assumes: one tick() a cycle of the port, which runs slower than or as fast as the memory. Does not model: other masters (CPU, display),
// power-down, temperature, ECC, several ranks.

#ifndef TENSORPRESS_DDR3_H
#define TENSORPRESS_DDR3_H

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace tensorpress {

class Ddr3 {
  public:
    static constexpr uint64_t kNever = ~0ull;

    // ---- settings; times in ns are rounded up to memory clocks, as a controller's registers are. Python sets all of them: its defaults
    // (host/tensorpress/device/ddr3.py) are the ones that have sources.
    struct Settings {
        double port_mhz = 0, memory_mhz = 0;
        double bus_bytes = 0, burst = 0, banks = 0, row_bytes = 0;
        double cl = 0, cwl = 0, ccd = 0, rtw_gap = 0, t_rrd_clocks = 0, t_wtr_clocks = 0, t_rtp_clocks = 0;
        double t_rcd_ns = 0, t_rp_ns = 0, t_ras_ns = 0, t_rc_ns = 0, t_rrd_ns = 0, t_faw_ns = 0, t_wr_ns = 0, t_wtr_ns = 0, t_rtp_ns = 0;
        double t_rfc_ns = 0, t_refi_ns = 0;
        double read_queue = 0, write_queue = 0, starve = 0, patience = 0;
        double request_ns = 0, response_ns = 0;
    };

    // Name of a setting -> its place; nullptr when there is none.
    double *setting(const std::string &name) {
        struct Entry { const char *name; double Settings::*place; };
        static const Entry entries[] = {
            {"port_mhz", &Settings::port_mhz}, {"memory_mhz", &Settings::memory_mhz}, {"bus_bytes", &Settings::bus_bytes},
            {"burst", &Settings::burst}, {"banks", &Settings::banks}, {"row_bytes", &Settings::row_bytes}, {"cl", &Settings::cl},
            {"cwl", &Settings::cwl}, {"ccd", &Settings::ccd}, {"rtw_gap", &Settings::rtw_gap},
            {"t_rrd_clocks", &Settings::t_rrd_clocks}, {"t_wtr_clocks", &Settings::t_wtr_clocks}, {"t_rtp_clocks", &Settings::t_rtp_clocks},
            {"t_rcd_ns", &Settings::t_rcd_ns}, {"t_rp_ns", &Settings::t_rp_ns}, {"t_ras_ns", &Settings::t_ras_ns},
            {"t_rc_ns", &Settings::t_rc_ns}, {"t_rrd_ns", &Settings::t_rrd_ns}, {"t_faw_ns", &Settings::t_faw_ns},
            {"t_wr_ns", &Settings::t_wr_ns}, {"t_wtr_ns", &Settings::t_wtr_ns}, {"t_rtp_ns", &Settings::t_rtp_ns},
            {"t_rfc_ns", &Settings::t_rfc_ns}, {"t_refi_ns", &Settings::t_refi_ns}, {"read_queue", &Settings::read_queue},
            {"write_queue", &Settings::write_queue}, {"starve", &Settings::starve}, {"patience", &Settings::patience},
            {"request_ns", &Settings::request_ns}, {"response_ns", &Settings::response_ns},
        };
        for (const Entry &entry : entries)
            if (name == entry.name) return &(settings_.*entry.place);
        return nullptr;
    }

    // Take the settings over. Forgets what is under way, and begins with all banks closed.
    void start() {
        const Settings &s = settings_;
        clocks_per_tick_ = s.memory_mhz / s.port_mhz;
        access_bytes_ = static_cast<uint64_t>(s.bus_bytes * s.burst);
        row_bytes_ = static_cast<uint64_t>(s.row_bytes);
        half_ = clocks(s.burst / 2);
        cl_ = clocks(s.cl);
        cwl_ = clocks(s.cwl);
        ccd_ = std::max(clocks(s.ccd), half_);
        read_to_write_ = cl_ + half_ + clocks(s.rtw_gap) - cwl_;
        write_to_read_ = cwl_ + half_ + std::max(clocks(s.t_wtr_clocks), nanoseconds(s.t_wtr_ns));
        read_to_precharge_ = std::max(clocks(s.t_rtp_clocks), nanoseconds(s.t_rtp_ns));
        write_to_precharge_ = cwl_ + half_ + nanoseconds(s.t_wr_ns);
        rcd_ = nanoseconds(s.t_rcd_ns);
        rp_ = nanoseconds(s.t_rp_ns);
        ras_ = nanoseconds(s.t_ras_ns);
        rc_ = nanoseconds(s.t_rc_ns);
        rrd_ = std::max(clocks(s.t_rrd_clocks), nanoseconds(s.t_rrd_ns));
        faw_ = nanoseconds(s.t_faw_ns);
        rfc_ = nanoseconds(s.t_rfc_ns);
        refi_ = nanoseconds(s.t_refi_ns);
        request_ = nanoseconds(s.request_ns);
        response_ = nanoseconds(s.response_ns);
        now_ = 0;
        elapsed_ = 0;
        counts_ = Counts();
        next_refresh_ = refi_ ? refi_ : kNever;
        banks_.assign(static_cast<size_t>(s.banks), Bank());
        recent_.fill(0);
        activations_ = next_activate_ = next_read_ = next_write_ = busy_until_ = 0;
        forget();
    }

    // Forget every request that is under way (reset of the port).
    void forget() {
        for (Queue *queue : {&reads_, &writes_}) *queue = Queue();
        waiting_reads_.clear();
        waiting_writes_.clear();
        tickets_.clear();
        free_.clear();
        serving_writes_ = false;
    }

    // ---- the port

    // A read burst whose address has just been taken; `bytes` from `address` on. Returns a ticket.
    uint32_t read(uint64_t address, uint32_t bytes) { return request(waiting_reads_, address, bytes); }

    // A write burst whose last data has just been taken.
    uint32_t write(uint64_t address, uint32_t bytes) { return request(waiting_writes_, address, bytes); }

    // Whether the bytes up to `bytes` of a read have come back to the port; or a write is in the controller's queue, its response back.
    bool arrived(uint32_t ticket, uint64_t address, uint32_t bytes) const {
        const Ticket &t = tickets_[ticket];
        const uint64_t last = (address + bytes - 1) / access_bytes_ - t.first;
        for (; t.seen <= last; ++t.seen)
            if (t.at[t.seen] == kNever || t.at[t.seen] + response_ > now_) return false;
        return true;
    }

    // The ticket will not be asked for again.
    void retire(uint32_t ticket) { free_.push_back(ticket); }

    // One cycle of the port.
    void tick() {
        elapsed_ += clocks_per_tick_;
        for (const auto until = static_cast<uint64_t>(elapsed_); now_ < until;) {
            clock();
            ++now_;
        }
    }

    // ---- counts since start(); -1 when there is no such count
    int64_t count(const std::string &name) const {
        uint64_t value;
        if (name == "clocks") value = now_;
        else if (name == "reads") value = counts_.reads;
        else if (name == "writes") value = counts_.writes;
        else if (name == "activates") value = counts_.activates;
        else if (name == "conflicts") value = counts_.conflicts;
        else if (name == "refreshes") value = counts_.refreshes;
        else if (name == "turnarounds") value = counts_.turnarounds;
        else return -1;
        return static_cast<int64_t>(value);
    }

  private:
    struct Bank {
        bool open = false;
        uint64_t row = 0;
        uint64_t activate = 0, column = 0, precharge = 0;  // first clock at which ACT; RD or WR; PRE may come
    };

    struct Access {
        uint64_t row = 0, since = 0;
        uint32_t bank = 0, ticket = 0, number = 0;
    };

    struct Queue {
        std::vector<Access> entries;  // oldest first
        uint64_t served = 0;          // clock of the last RD or WR, or of the first access after a time without any
    };

    // One request of the port. at[i]: memory clock at which access i was done; a write is done when its access is queued.
    struct Ticket {
        uint64_t first = 0;
        mutable uint64_t seen = 0;
        std::vector<uint64_t> at;
    };

    struct Request {
        uint64_t address = 0, due = 0;
        uint32_t ticket = 0, number = 0, accesses = 0;
    };

    static uint64_t clocks(double value) { return static_cast<uint64_t>(value); }
    uint64_t nanoseconds(double value) const { return static_cast<uint64_t>(std::ceil(value * settings_.memory_mhz / 1000 - 1e-9)); }

    uint32_t request(std::deque<Request> &waiting, uint64_t address, uint32_t bytes) {
        uint32_t ticket;
        if (free_.empty()) {
            ticket = static_cast<uint32_t>(tickets_.size());
            tickets_.emplace_back();
        } else {
            ticket = free_.back();
            free_.pop_back();
        }
        const uint64_t first = address / access_bytes_, last = (address + bytes - 1) / access_bytes_;
        Ticket &t = tickets_[ticket];
        t.first = first;
        t.seen = 0;
        t.at.assign(last - first + 1, kNever);
        waiting.push_back({first * access_bytes_, now_ + request_, ticket, 0, static_cast<uint32_t>(last - first + 1)});
        return ticket;
    }

    // Rows lie one after the other over the banks: row | bank | column, as the controller's address map has it.
    void enter(std::deque<Request> &waiting, Queue &queue, double places, bool done) {
        if (waiting.empty() || waiting.front().due > now_ || queue.entries.size() >= static_cast<size_t>(places)) return;
        Request &r = waiting.front();
        const uint64_t page = r.address / row_bytes_;
        if (queue.entries.empty()) queue.served = now_;
        queue.entries.push_back({page / banks_.size(), now_, static_cast<uint32_t>(page % banks_.size()), r.ticket, r.number});
        if (done) tickets_[r.ticket].at[r.number] = now_;
        r.address += access_bytes_;
        if (++r.number == r.accesses) waiting.pop_front();
    }

    void clock() {
        enter(waiting_reads_, reads_, settings_.read_queue, false);
        enter(waiting_writes_, writes_, settings_.write_queue, true);
        if (now_ < busy_until_) return;
        if (now_ >= next_refresh_) {
            refresh();
            return;
        }
        if (reads_.entries.empty() && writes_.entries.empty()) return;
        choose();
        issue(serving_writes_ ? writes_ : reads_);
    }

    void refresh() {
        bool open = false;
        for (const Bank &bank : banks_) {
            open |= bank.open;
            if (bank.open && now_ < bank.precharge) return;
            if (!bank.open && now_ < bank.activate) return;  // still in tRP or tRC
        }
        if (open) {
            for (Bank &bank : banks_)
                if (bank.open) close(bank);
            return;
        }
        busy_until_ = now_ + rfc_;
        next_refresh_ += refi_;
        ++counts_.refreshes;
    }

    void close(Bank &bank) {
        bank.open = false;
        bank.activate = std::max(bank.activate, now_ + rp_);
    }

    void choose() {
        const Queue &mine = serving_writes_ ? writes_ : reads_, &other = serving_writes_ ? reads_ : writes_;
        if (other.entries.empty()) return;
        if (mine.entries.empty() || now_ - other.served >= clocks(settings_.starve)) {
            serving_writes_ = !serving_writes_;
            ++counts_.turnarounds;
        }
    }

    void issue(Queue &queue) {
        std::vector<Access> &entries = queue.entries;
        const bool writing = serving_writes_;
        const bool late = now_ - entries.front().since >= clocks(settings_.patience);
        const auto kept = [&](const Access &access) {  // a younger one on the bank of the oldest, which has waited too long
            return late && access.bank == entries.front().bank && &access != &entries.front();
        };
        if (now_ >= (writing ? next_write_ : next_read_)) {
            for (size_t i = 0; i < entries.size(); ++i) {
                Bank &bank = banks_[entries[i].bank];
                if (!bank.open || bank.row != entries[i].row || now_ < bank.column || kept(entries[i])) continue;
                if (writing) {
                    next_write_ = now_ + ccd_;
                    next_read_ = std::max(next_read_, now_ + write_to_read_);
                    bank.precharge = std::max(bank.precharge, now_ + write_to_precharge_);
                    ++counts_.writes;
                } else {
                    next_read_ = now_ + ccd_;
                    next_write_ = std::max(next_write_, now_ + read_to_write_);
                    bank.precharge = std::max(bank.precharge, now_ + read_to_precharge_);
                    tickets_[entries[i].ticket].at[entries[i].number] = now_ + cl_ + half_;
                    ++counts_.reads;
                }
                entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
                queue.served = now_;
                return;
            }
        }
        const bool may_activate = now_ >= next_activate_ && (activations_ < 4 || now_ >= recent_[activations_ % 4] + faw_);
        uint64_t looked = 0;  // banks whose oldest access has been seen
        const Access *conflict = nullptr;
        for (const Access &access : entries) {
            const uint64_t bit = 1ull << access.bank;
            Bank &bank = banks_[access.bank];
            if (kept(access)) continue;
            if (bank.open && bank.row == access.row) {
                looked |= bit;  // its row is in use: no PRE
                if (conflict && conflict->bank == access.bank) conflict = nullptr;
                continue;
            }
            if (looked & bit) continue;
            looked |= bit;
            if (!bank.open) {
                if (may_activate && now_ >= bank.activate) {
                    activate(bank, access.row);
                    return;
                }
            } else if (!conflict && now_ >= bank.precharge) conflict = &access;
        }
        if (conflict) {
            ++counts_.conflicts;
            close(banks_[conflict->bank]);
        }
    }

    void activate(Bank &bank, uint64_t row) {
        bank.open = true;
        bank.row = row;
        bank.column = now_ + rcd_;
        bank.precharge = now_ + ras_;
        bank.activate = now_ + rc_;
        next_activate_ = now_ + rrd_;
        recent_[activations_++ % 4] = now_;
        ++counts_.activates;
    }

    Settings settings_;
    double clocks_per_tick_ = 1, elapsed_ = 0;
    uint64_t access_bytes_ = 16, row_bytes_ = 2048;
    uint64_t half_ = 0, cl_ = 0, cwl_ = 0, ccd_ = 0, read_to_write_ = 0, write_to_read_ = 0, read_to_precharge_ = 0, write_to_precharge_ = 0;
    uint64_t rcd_ = 0, rp_ = 0, ras_ = 0, rc_ = 0, rrd_ = 0, faw_ = 0, rfc_ = 0, refi_ = 0, request_ = 0, response_ = 0;

    uint64_t now_ = 0, next_refresh_ = kNever, busy_until_ = 0, next_activate_ = 0, next_read_ = 0, next_write_ = 0, activations_ = 0;
    std::array<uint64_t, 4> recent_{};
    std::vector<Bank> banks_;
    Queue reads_, writes_;
    std::deque<Request> waiting_reads_, waiting_writes_;
    std::vector<Ticket> tickets_;
    std::vector<uint32_t> free_;
    bool serving_writes_ = false;

    struct Counts { uint64_t reads = 0, writes = 0, activates = 0, conflicts = 0, refreshes = 0, turnarounds = 0; } counts_;
};

}  // namespace tensorpress

#endif
