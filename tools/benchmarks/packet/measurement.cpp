// SPDX-License-Identifier: Apache-2.0
#include "packet/measurement.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace phalanx::bench {
namespace {

constexpr const char* kYardstick = "trivial XDP_TX";
constexpr const char* kForeign = "packet.foreign";
constexpr const char* kForeignWrapped = "packet.foreign, wrapped (check)";

// Any outer destination will do for a stand-in, at the price of asking.
constexpr std::uint32_t kAnyBackend = 0xffffffff;

// What the flow table does with nearly all packets of a case.
enum class FlowTable { kUntouched, kHits, kRemembers };

struct Case {
  std::string key;
  Service service;
  std::uint8_t tcp_flags;
  std::uint32_t flows;
  FlowTable flow_table;
};

constexpr std::uint32_t kThousand = 1u << 10;
constexpr std::uint32_t kMillion = 1u << 20;
constexpr Service kTracked{PHX_FAMILY_IPV4, kTcp, kTrackedPort};
const Case kCases[] = {
    {"packet.tcp4.ipip.1", {}, kAck, 1, FlowTable::kUntouched},
    {"packet.tcp6.ipip.1", {PHX_FAMILY_IPV6, kTcp, kPort}, kAck, 1, FlowTable::kUntouched},
    {"packet.tcp4.gue.1", {PHX_FAMILY_IPV4, kTcp, kGuePort}, kAck, 1, FlowTable::kUntouched},
    {"packet.tcp4.gue.hops", {PHX_FAMILY_IPV4, kTcp, kHopsPort}, kAck, 1, FlowTable::kUntouched},
    {"packet.tcp4.nat.1", {PHX_FAMILY_IPV4, kTcp, kNatPort}, kAck, 1, FlowTable::kUntouched},
    {"packet.udp4.ipip.1", {PHX_FAMILY_IPV4, kUdp, kPort}, 0, 1, FlowTable::kUntouched},
    {"packet.tcp4.ipip.1k", {}, kAck, kThousand, FlowTable::kUntouched},
    {"packet.tcp4.ipip.1M", {}, kAck, kMillion, FlowTable::kUntouched},
    {"packet.syn4.1M", {}, kSyn, kMillion, FlowTable::kUntouched},
    {"packet.tcp4.tracked.1k", kTracked, kAck, kThousand, FlowTable::kHits},
    {"packet.tcp4.tracked.1M", kTracked, kAck, kMillion, FlowTable::kRemembers},
    {"packet.syn4.1M.tracked", kTracked, kSyn, kMillion, FlowTable::kRemembers},
};

// Below these shares a case would not measure what its name says.
constexpr double kSlotsTouched = 0.6;
constexpr double kNearlyAll = 0.9;

// What wrapping costs, for packets of one shape: the call, the questions, the undoing.
class WrappingCost {
 public:
  WrappingCost(const Frame& frame, const Expectation& expectation)
      : once_(frame, of_stand_in(expectation)), twice_(frame, of_stand_in(expectation)) {
    once_.wrap(StandIn::kPushOnce);
    twice_.wrap(StandIn::kPushTwice);
  }

  // A stand-in that lengthens the head in two steps instead of one tells what a step costs, so that
  // wrapped(one step) - yardstick - step is the wrapper's own cost, the undoing included.
  double measure(double yardstick_ns, std::uint32_t repeats) {
    const double once = once_.run(repeats).ns;
    const double twice = twice_.run(repeats).ns;
    return once - yardstick_ns - (twice - once);
  }

 private:
  static Expectation of_stand_in(Expectation expectation) {
    expectation.verdict = XDP_TX;
    expectation.first_backend = 0;
    expectation.backends = kAnyBackend;
    return expectation;
  }

  Wrapper once_;
  Wrapper twice_;
};

// Cases of the same shape share what wrapping them costs.
std::string shape_of(const Expectation& expectation) {
  return "wrapping, " + std::to_string(expectation.pushed) + " bytes undone" +
         (expectation.translated ? ", translation undone" : "") +
         (expectation.flows > 1 ? ", flow varied" : "");
}

class Bench {
 public:
  Bench(const BalancerSetup& balancer, std::uint32_t repeats)
      : balancer_(balancer),
        repeats_(repeats),
        foreign_(frame_to_stranger({})),
        yardstick_(frame_to_vip({}), {.verdict = XDP_TX}),
        wrapped_foreign_(foreign_, {.verdict = XDP_PASS}),
        cost_unchanged_(foreign_, {}) {
    wrapped_foreign_.wrap(balancer.program_fd());
    for (const Case& each : kCases) {
      const Frame frame = frame_to_vip(each.service, each.tcp_flags);
      Expectation expectation = BalancerSetup::expectation(each.service);
      expectation.flows = each.flows;
      shapes_.push_back(shape_of(expectation));
      costs_.try_emplace(shapes_.back(), frame, expectation);
      wrappers_.emplace_back(frame, expectation).wrap(balancer.program_fd());
      if (each.flows == kMillion) check_slots(each, frame);
    }
  }

  void round() {
    const double tx = run_repeated(yardstick_.fd_of(StandIn::kTrivialTx), frame_to_vip({}), repeats_).ns;
    ns_[kYardstick].push_back(tx);
    for (auto& [shape, cost] : costs_) ns_[shape].push_back(cost.measure(tx, repeats_));
    for (std::size_t i = 0; i < std::size(kCases); i++) {
      const Case& each = kCases[i];
      record(each.key, served(each, wrappers_[i]) - ns_[shapes_[i]].back(), tx);
    }
    foreign(tx);
  }

  [[nodiscard]] Measurement result() const {
    Measurement result;
    for (const auto& [key, samples] : ratios_) result.ratios.push_back(figure_of(key, "x XDP_TX", samples));
    for (const auto& [key, samples] : ns_) result.costs.push_back(figure_of(key, "ns", samples));
    return result;
  }

 private:
  void record(const std::string& key, double ns, double tx) {
    ns_[key].push_back(ns);
    ratios_[key].push_back(ns / tx);
  }

  void check_slots(const Case& each, const Frame& frame) const {
    const double share = BalancerSetup::slots_touched(each.service, frame, std::min(each.flows, repeats_));
    if (share < kSlotsTouched) {
      throw BenchError("measure " + each.key + ": its flows touch " + std::to_string(share) +
                       " of the slots only; ask for more repeats");
    }
  }

  double served(const Case& each, Wrapper& wrapper) {
    const std::uint64_t before = balancer_.packets(each.service);
    const std::uint64_t hits = balancer_.counter(PHX_COUNTER_BY_FLOW);
    const std::uint64_t remembered = balancer_.counter(PHX_COUNTER_REMEMBERED);
    const RunReport report = wrapper.run(repeats_);
    const std::uint64_t counted = balancer_.packets(each.service) - before;
    if (counted != report.runs) {
      throw BenchError("measure " + each.key + ": the service counted " + std::to_string(counted) +
                       " packets of " + std::to_string(report.runs));
    }
    check_flow_table(each, balancer_.counter(PHX_COUNTER_BY_FLOW) - hits,
                     balancer_.counter(PHX_COUNTER_REMEMBERED) - remembered, report.runs);
    return report.ns;
  }

  static void check_flow_table(const Case& each, std::uint64_t hits, std::uint64_t remembered,
                               std::uint64_t runs) {
    const double nearly_all = kNearlyAll * static_cast<double>(runs);
    const bool as_named = each.flow_table == FlowTable::kUntouched ? hits + remembered == 0
                          : each.flow_table == FlowTable::kHits
                              ? static_cast<double>(hits) > nearly_all
                              : static_cast<double>(remembered) > nearly_all;
    if (as_named) return;
    throw BenchError("measure " + each.key + ": of " + std::to_string(runs) + " packets " +
                     std::to_string(hits) + " hit the flow table and " + std::to_string(remembered) +
                     " were remembered, which is another case");
  }

  // A foreign packet stays as it is, so that it can be measured without the wrapper, and the wrapper by it.
  void foreign(double tx) {
    const std::uint64_t before = balancer_.all_packets();
    const RunReport direct = run_repeated(balancer_.program_fd(), foreign_, repeats_);
    const double wrapped = wrapped_foreign_.run(repeats_).ns;
    if (direct.verdict != XDP_PASS || direct.frame != foreign_ || balancer_.all_packets() != before) {
      throw BenchError("measure packet.foreign: the packet was not passed unchanged and uncounted");
    }
    record(kForeign, direct.ns, tx);
    ns_[kForeignWrapped].push_back(wrapped - cost_unchanged_.measure(tx, repeats_));
  }

  const BalancerSetup& balancer_;
  std::uint32_t repeats_;
  Frame foreign_;
  Wrapper yardstick_;
  Wrapper wrapped_foreign_;
  WrappingCost cost_unchanged_;
  std::map<std::string, WrappingCost> costs_;  // by shape
  std::vector<std::string> shapes_;            // of each case
  std::deque<Wrapper> wrappers_;
  std::map<std::string, std::vector<double>> ns_;
  std::map<std::string, std::vector<double>> ratios_;
};

}  // namespace

Measurement measure(const BalancerSetup& balancer, const Settings& settings) {
  Bench bench(balancer, settings.repeats);
  for (std::uint32_t i = 0; i < settings.rounds; i++) bench.round();
  return bench.result();
}

}  // namespace phalanx::bench
