// SPDX-License-Identifier: Apache-2.0
// A node in this process: its pins locked, its maps open, its programs on the interfaces, its engine in
// force. phalanxd keeps one for as long as it runs, `phalanx up` for the time of the call.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/bpf/balancer_maps.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "adapters/bpf/xdp_link.hpp"
#include "adapters/loop/event_loop.hpp"
#include "adapters/netlink/netlink_next_hops.hpp"
#include "core/config.hpp"
#include "core/engine.hpp"
#include "core/result.hpp"
#include "daemon/controller.hpp"

namespace phalanx::daemon {

class Node {
 public:
  // Locks the pin directory (made if missing), adopts what is pinned there or loads afresh, and applies
  // `config`. A fresh start attaches only when next hops are known, after at most 2 s; an adoption never
  // interrupts traffic. On failure a fresh start leaves nothing behind, and an adoption the state that was in
  // force. Fails with the sentences of PinDirectory::open and try_lock, BalancerMaps, NetlinkNextHops,
  // XdpLink and Engine::propose. An adoption loads this binary's program, on the maps that there are, and
  // swings every interface to it or, where something fails, none; of a former layout it makes what that
  // lacks.
  static Result<std::unique_ptr<Node>> start(adapters::EventLoop& loop, const std::string& pin_dir,
                                             const core::Config& config, Controller::Listener listener);

  // A change of configuration: all or nothing. apply() is propose(), every build, and finish() in one call.
  Result<void> apply(const core::Config& config);
  Result<core::Proposal> propose(const core::Config& config, const core::Overrides& overrides) const;
  Result<void> finish(const core::Proposal& proposal);

  // Runs the loop until the kernel has answered for every backend's next hop, at most 2 s.
  void wait_for_next_hops();

  // The daemon's sign of life to the packet path, to be given every PHX_LIVENESS_MARK_MS. Withheld until the
  // kernel has answered for every next hop once, or has had its time.
  void mark_liveness();

  // Detaches and removes every pin: nothing of the node is left.
  Result<void> take_down();

  bool adopted() const { return adopted_; }
  Controller& controller() const { return *controller_; }
  const core::Engine& engine() const { return controller_->engine(); }
  const adapters::BalancerMaps& maps() const { return maps_; }
  std::vector<adapters::XdpDescription> interfaces() const;
  // Whether the program runs on every interface of the configuration; asks the kernel.
  bool attached();
  // Enabled backends that no packet can be sent to, each as a sentence.
  std::vector<std::string> backends_without_next_hop() const;

 private:
  Node(adapters::EventLoop& loop, adapters::PinDirectory directory, adapters::BalancerMaps maps, bool adopted,
       Controller::Listener listener);

  Result<void> follow_kernel();
  Result<void> start_fresh(const core::Config& config);
  Result<void> start_adopted(const core::Config& config);
  Result<void> attach(const core::Node& node);
  Result<void> offer_interfaces();
  // Makes this host the backend that `config` says it is; takes nothing away from one that it was.
  Result<void> bring_agent(const core::Config& config);
  void forget_agent();
  std::string agent_directory() const;
  Result<void> adopt_links();
  Result<void> adopt_state(core::AppliedState pinned);
  Result<adapters::PathProgram> replace_program(adapters::PathSettings settings);
  Result<void> swing_links(int program);
  void swing_back();
  void put_program_back(adapters::PathProgram former);
  void go_back(std::optional<adapters::PathProgram> former_program);
  void detach_all_but(const core::Node& node);

  adapters::EventLoop& loop_;
  adapters::PinDirectory directory_;
  adapters::BalancerMaps maps_;
  bool adopted_;
  std::unique_ptr<adapters::NetlinkNextHops> next_hops_;
  Controller::Listener listener_;
  std::unique_ptr<Controller> controller_;
  std::map<std::string, adapters::XdpLink> links_;
  bool marking_ = false;
};

}  // namespace phalanx::daemon
