// SPDX-License-Identifier: Apache-2.0
// Tables change under the path's feet as fast as memory takes them, while packets run on the other core: no
// SYN goes to a backend that was admitted neither before nor after the change that was under way, none to a
// row that was freed, and none is lost.
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kDuration = std::chrono::seconds(3);
constexpr std::uint16_t kSetSize = 8;  // entries 0 to 7 are one set of backends, 8 to 15 the other
constexpr std::uint32_t kRegions = 4;  // of kSlots slots each; the service starts in the first
constexpr std::uint16_t kReborn = 32;  // what a row's next identity differs by from its last
constexpr std::size_t kHistory = 1u << 20;
constexpr std::size_t kAddressInFrame = 14 + 16;  // the outer destination

void pin_to_core(unsigned core) {
  if (sysconf(_SC_NPROCESSORS_ONLN) <= static_cast<long>(core)) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof(set), &set);
}

// An array map's rows in this process's memory, as the daemon writes them.
template <typename Row>
class Rows {
 public:
  Rows(int fd, std::size_t count) : bytes_(count * sizeof(Row)) {
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    require(memory != MAP_FAILED, "a map cannot be mapped");
    rows_ = static_cast<Row*>(memory);
  }
  ~Rows() { munmap(rows_, bytes_); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  Row& operator[](std::size_t at) { return rows_[at]; }

 private:
  std::size_t bytes_;
  Row* rows_;
};

void store(__u64& word, std::uint64_t value) {
  __atomic_store_n(&word, value, __ATOMIC_SEQ_CST);
}

// Who may get SYNs, as sets of identities, one for each change: the runner asks what was so around a packet.
class Admissions {
 public:
  void begin(std::uint64_t set) {
    const std::size_t next = under_way_.load() + 1;
    require(next < kHistory, "more changes than the test has room for");
    sets_[next] = set;
    under_way_.store(next);
  }
  void end() { completed_.store(under_way_.load()); }
  [[nodiscard]] std::size_t completed() const { return completed_.load(); }
  // Everybody admitted in any state from that one on to the one under way.
  [[nodiscard]] std::uint64_t since(std::size_t state) const {
    std::uint64_t all = 0;
    const std::size_t last = under_way_.load();
    for (std::size_t i = state; i <= last; i++) all |= sets_[i];
    return all;
  }

 private:
  std::vector<std::uint64_t> sets_ = std::vector<std::uint64_t>(kHistory);
  std::atomic<std::size_t> under_way_{0};
  std::atomic<std::size_t> completed_{0};
};

// A correct control plane, reduced to its stores.
class Writer {
 public:
  Writer(BalancerRun& balancer, Admissions& admissions, const std::atomic<std::uint64_t>& runs, unsigned seed)
      : slots_(balancer.map_fd("slots"), kRegions * kSlots),
        services_(balancer.map_fd("services"), 1),
        backends_(balancer.map_fd("backends"), 2 * kSetSize),
        admissions_(admissions),
        runs_(runs),
        random_(seed) {
    for (std::uint16_t entry = 0; entry < 2 * kSetSize; entry++) settle(entry, entry);
    services_[0].seed = seed;
    swing();
  }

  void change() {
    switch (random_() % 5) {
      case 0:
        return swing();
      case 1:
        return patch();
      case 2:
        return take_down_and_repair();
      case 3:
        return bring_up();
      default:
        return recycle();
    }
  }
  [[nodiscard]] const std::array<std::uint64_t, 5>& done() const { return done_; }

 private:
  static constexpr std::uint64_t kUp = PHX_STATE_UP | PHX_STATE_REACHABLE;

  // The row of an entry that nobody names: everything but the state, then the state.
  void settle(std::uint16_t entry, std::uint16_t identity) {
    const auto last = static_cast<std::uint8_t>(identity);
    phx_backend row{};
    const auto address = map_address("10.1.0." + std::to_string(identity));
    std::copy(address.begin(), address.end(), row.address);
    row.family = PHX_FAMILY_IPV4;
    row.next_hop[0].destination_mac[0] = 2;
    row.next_hop[0].destination_mac[5] = last;
    row.next_hop[0].tunnel_source[0] = 10;
    row.next_hop[0].interface = ingress_interface();
    backends_[entry] = row;
    identity_.at(entry) = identity;
    store(backends_[entry].state, kUp);
    up_ |= 1u << entry;
  }

  // The members in force, or those in force but one.
  [[nodiscard]] std::uint64_t identities(std::uint32_t members) const {
    std::uint64_t set = 0;
    for (std::uint16_t entry = 0; entry < 2 * kSetSize; entry++) {
      if (members & up_ & 1u << entry) set |= std::uint64_t{1} << identity_.at(entry);
    }
    return set;
  }
  [[nodiscard]] std::uint16_t any_of(std::uint32_t members) {
    std::uint16_t entry = 0;
    do {
      entry = static_cast<std::uint16_t>(random_() % (2 * kSetSize));
    } while ((members & 1u << entry) == 0);
    return entry;
  }
  [[nodiscard]] std::uint64_t any_slot(std::uint32_t members) {
    const std::uint16_t primary = any_of(members);
    const std::uint16_t backup = any_of(members & ~(1u << primary));
    const auto flags = static_cast<std::uint16_t>(random_() % 4 == 0 ? PHX_SLOT_TRACKED : 0);
    union {
      phx_slot row;
      std::uint64_t word;
    } slot{{primary, backup, any_of(0xffff), flags}};
    return slot.word;
  }
  __u64& slot_word(std::uint32_t at) { return reinterpret_cast<__u64&>(slots_[at]); }
  // All of one set, all of the other, or some of both; at least two of them up.
  [[nodiscard]] std::uint32_t any_members() {
    static constexpr std::uint32_t kSets[] = {0x00ff, 0xff00, 0x3c3c};
    return kSets[random_() % 3] & up_;
  }
  // Until no packet can be under way that began before: rows may then be reused.
  void rest() const {
    const std::uint64_t before = runs_.load();
    while (runs_.load() < before + 2 && !abandoned_) std::this_thread::yield();
  }

  void swing() {
    const std::uint32_t members = any_members();
    const std::uint32_t fresh = (region_ + 1) % kRegions;
    for (std::uint32_t i = 0; i < kSlots; i++) store(slot_word(fresh * kSlots + i), any_slot(members));
    admissions_.begin(identities(members));
    store(services_[0].region, phx_region(fresh * kSlots, kSlots));
    admissions_.end();
    region_ = fresh;
    members_ = members;
    done_[0]++;
    if (done_[0] > 1) rest();
  }

  void patch() {
    const std::uint32_t members = any_members();
    admissions_.begin(identities(members_ | members));
    for (std::uint32_t i = 0; i < kSlots; i++) store(slot_word(region_ * kSlots + i), any_slot(members));
    admissions_.begin(identities(members));
    admissions_.end();
    members_ = members;
    done_[1]++;
  }

  void take_down_and_repair() {
    if (__builtin_popcount(members_) < 4 || __builtin_popcount(up_) < 13) return;
    const std::uint16_t entry = any_of(members_);
    up_ &= ~(1u << entry);
    members_ &= up_;
    admissions_.begin(identities(members_));
    store(backends_[entry].state, PHX_STATE_REACHABLE);
    admissions_.end();
    for (std::uint32_t i = region_ * kSlots; i < (region_ + 1) * kSlots; i++) {
      if (slots_[i].primary == entry || slots_[i].backup == entry) store(slot_word(i), any_slot(members_));
    }
    done_[2]++;
  }

  void bring_up() {
    const std::uint32_t down = ~up_ & 0xffff;
    if (down == 0) return;
    const std::uint16_t entry = any_of(down);
    for (std::uint32_t i = 0; i < kSlots; i += 16) {
      const phx_slot old = slots_[region_ * kSlots + i];
      union {
        phx_slot row;
        std::uint64_t word;
      } slot{{entry, old.primary, old.primary, PHX_SLOT_TRACKED}};
      store(slot_word(region_ * kSlots + i), slot.word);
    }
    up_ |= 1u << entry;
    members_ |= 1u << entry;
    admissions_.begin(identities(members_));
    store(backends_[entry].state, kUp);
    admissions_.end();
    done_[3]++;
  }

  // A row that no slot names any more is freed, and becomes somebody else's.
  void recycle() {
    const std::uint32_t unnamed = up_ & ~members_;
    if (unnamed == 0) return;
    const std::uint16_t entry = any_of(unnamed);
    rest();
    store(backends_[entry].state, 0);
    backends_[entry].family = PHX_FAMILY_NONE;
    rest();
    settle(entry, identity_.at(entry) ^ kReborn);
    done_[4]++;
  }

 public:
  std::atomic<bool> abandoned_{false};  // no packets come any more

 private:
  Rows<phx_slot> slots_;
  Rows<phx_service> services_;
  Rows<phx_backend> backends_;
  Admissions& admissions_;
  const std::atomic<std::uint64_t>& runs_;
  std::mt19937 random_;
  std::uint32_t region_ = 0;
  std::uint32_t members_ = 0;  // entries that slots name as primary or backup
  std::uint32_t up_ = 0;
  std::array<std::uint16_t, 2 * kSetSize> identity_{};
  std::array<std::uint64_t, 5> done_{};
};

class BalancerUnderSwingingTables : public testing::Test {
 protected:
  BalancerUnderSwingingTables() {
    balancer.serve(kTcp, vip, Backend{}, Backend{});
    frame = tcp4({"203.0.113.7", 40000}, vip).flags(kSyn).payload(0).frame();
  }

  // One SYN of a flow of its own. Returns whether it went to somebody who was admitted around that time.
  bool send_syn(std::mt19937& random) {
    for (const std::size_t at : {26u, 27u, 28u, 29u, 34u, 35u})
      frame[at] = static_cast<std::uint8_t>(random());
    const std::size_t state = admissions.completed();
    const RunResult result = run_program(balancer.program_fd(), frame);
    runs++;
    const std::uint64_t admitted = admissions.since(state);
    EXPECT_EQ(result.verdict, 3u) << "a SYN was not sent";
    const Bytes address = part(result.frame, kAddressInFrame, 4);
    const std::uint8_t identity = address.at(3);
    EXPECT_EQ(hex(part(address, 0, 3)), "0a0100");
    EXPECT_EQ(result.frame.at(5), identity) << "the row was read half old, half new";
    EXPECT_TRUE(identity < 64 && admitted >> identity & 1) << "to " << +identity << " in state " << state;
    return !HasFailure();
  }

  const Endpoint vip{"198.51.100.10", 80};
  BalancerRun balancer;
  Admissions admissions;
  std::atomic<std::uint64_t> runs{0};
  Bytes frame;
};

TEST_F(BalancerUnderSwingingTables, sends_every_syn_to_somebody_admitted_before_or_after_the_change) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Writer writer(balancer, admissions, runs, seed);
  std::atomic<bool> stop{false};
  std::thread changes([&] {
    pin_to_core(1);
    while (!stop) writer.change();
  });
  std::thread packets([&] {
    pin_to_core(0);
    std::mt19937 random(seed + 1);
    const auto deadline = Clock::now() + kDuration;
    while (Clock::now() < deadline && send_syn(random)) {
    }
  });
  packets.join();
  stop = true;
  writer.abandoned_ = true;
  changes.join();
  EXPECT_GT(runs.load(), 1000u);
  for (const std::uint64_t done : writer.done()) EXPECT_GT(done, 10u);
  const auto& done = writer.done();
  std::printf("%lu SYNs; %lu swings, %lu patched tables, %lu down, %lu up, %lu rows reused\n", runs.load(),
              done[0], done[1], done[2], done[3], done[4]);
}

}  // namespace
}  // namespace phalanx::test
