// SPDX-License-Identifier: Apache-2.0
#include "packet/measurement.hpp"

#include <linux/bpf.h>

#include <deque>
#include <map>

namespace phalanx::bench {
namespace {

constexpr const char* kYardstick = "trivial XDP_TX";
constexpr const char* kForeign = "packet.foreign";
constexpr const char* kForeignWrapped = "packet.foreign, wrapped (check)";

// Any outer destination will do for a stand-in, at the price of asking.
constexpr std::uint32_t kAnyBackend = 0xffffffff;

struct Case {
  std::string key;
  phx_family family;
  std::uint8_t protocol;
};

// What wrapping costs, for packets of one shape: the call, the questions, the undoing.
class WrappingCost {
 public:
  WrappingCost(const Frame& frame, std::uint32_t pushed)
      : once_(frame, {XDP_TX, pushed, 0, kAnyBackend}), twice_(frame, {XDP_TX, pushed, 0, kAnyBackend}) {
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
  Wrapper once_;
  Wrapper twice_;
};

class Bench {
 public:
  Bench(const BalancerSetup& balancer, std::uint32_t repeats)
      : balancer_(balancer),
        repeats_(repeats),
        foreign_(frame_to_stranger(PHX_FAMILY_IPV4, kTcp)),
        yardstick_(frame_to_vip(PHX_FAMILY_IPV4, kTcp), {XDP_TX, 0, 0, 0}),
        wrapped_foreign_(foreign_, {XDP_PASS, 0, 0, 0}),
        cost_unchanged_(foreign_, 0),
        cost_4_(frame_to_vip(PHX_FAMILY_IPV4, kTcp), 20),
        cost_6_(frame_to_vip(PHX_FAMILY_IPV6, kTcp), 40) {
    wrapped_foreign_.wrap(balancer.program_fd());
    for (const Case& each : cases_) {
      wrappers_.emplace_back(frame_to_vip(each.family, each.protocol),
                             BalancerSetup::expectation(each.family));
      wrappers_.back().wrap(balancer.program_fd());
    }
  }

  void round() {
    const Frame frame = frame_to_vip(PHX_FAMILY_IPV4, kTcp);
    const double tx = run_repeated(yardstick_.fd_of(StandIn::kTrivialTx), frame, repeats_).ns;
    const double wrapping_4 = cost_4_.measure(tx, repeats_);
    const double wrapping_6 = cost_6_.measure(tx, repeats_);
    ns_[kYardstick].push_back(tx);
    ns_["wrapping, 20 bytes undone"].push_back(wrapping_4);
    ns_["wrapping, 40 bytes undone"].push_back(wrapping_6);
    for (std::size_t i = 0; i < std::size(cases_); i++) {
      const double wrapped = served(cases_[i], wrappers_[i]);
      record(cases_[i].key, wrapped - (cases_[i].family == PHX_FAMILY_IPV4 ? wrapping_4 : wrapping_6), tx);
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

  double served(const Case& each, Wrapper& wrapper) {
    const std::uint64_t before = balancer_.packets(each.family, each.protocol);
    const RunReport report = wrapper.run(repeats_);
    const std::uint64_t counted = balancer_.packets(each.family, each.protocol) - before;
    if (counted != report.runs) {
      throw BenchError("measure " + each.key + ": the service counted " + std::to_string(counted) +
                       " packets of " + std::to_string(report.runs));
    }
    return report.ns;
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

  const Case cases_[3] = {{"packet.tcp4.ipip.1", PHX_FAMILY_IPV4, kTcp},
                          {"packet.tcp6.ipip.1", PHX_FAMILY_IPV6, kTcp},
                          {"packet.udp4.ipip.1", PHX_FAMILY_IPV4, kUdp}};
  const BalancerSetup& balancer_;
  std::uint32_t repeats_;
  Frame foreign_;
  Wrapper yardstick_;
  Wrapper wrapped_foreign_;
  WrappingCost cost_unchanged_;
  WrappingCost cost_4_;
  WrappingCost cost_6_;
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
