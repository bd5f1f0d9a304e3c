// SPDX-License-Identifier: Apache-2.0
#include "daemon/offline.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "daemon/contract_rows.hpp"
#include "daemon/named_backends.hpp"
#include "daemon/node.hpp"
#include "daemon/withdrawal.hpp"

namespace phalanx::daemon {

namespace {

// Events have no listener without a daemon; what changed is what the command prints.
void ignore_event(const core::Announce&) {}

// For commands that only change who holds slots: nothing runs that could hear of a new next hop.
class KnownNextHops final : public ports::NextHops {
 public:
  void watch(const core::Address&) override {}
  void unwatch(const core::Address&) override {}
};

UpReport report(const Node& node) {
  UpReport result;
  result.generation = node.engine().applied().generation;
  result.reloaded = node.adopted();
  result.warnings = node.backends_without_next_hop();
  for (const auto& [index, service] : node.engine().services()) {
    for (const core::MemberInForce& member : service.members) {
      if (!member.override.disabled) {
        ++result.backends;
        result.backends_up += node.engine().entries().at(member.entry).shown_up ? 1u : 0u;
      }
    }
  }
  for (const auto& interface : node.interfaces()) {
    if (!interface.reason.empty()) {
      result.warnings.push_back(interface.name + " is attached in " + interface.mode +
                                " mode: " + interface.reason);
    }
  }
  return result;
}

// Pins that can't be read any more announce nothing that could be known.
Result<void> withdraw_what_is_announced(const adapters::PinDirectory& directory) {
  const auto maps = adapters::BalancerMaps::view(directory);
  const auto pinned = maps ? maps->load_state() : Failure(maps.error());
  if (!pinned || !pinned->config.node.announce) {
    return {};
  }
  return withdraw(*pinned->config.node.announce);
}

}  // namespace

Result<UpReport> up(const UpOptions& options) {
  auto loop = adapters::EventLoop::open();
  if (!loop) {
    return Failure(loop.error());
  }
  // Warnings are part of the report.
  spdlog::set_level(spdlog::level::off);
  auto node = Node::start(**loop, options.pin_dir.string(), options.config, ignore_event);
  if (!node) {
    return Failure(node.error());
  }
  if ((*node)->adopted()) {
    (*node)->wait_for_next_hops();
  }
  return report(**node);
}

Result<void> down(const std::filesystem::path& pin_dir) {
  using adapters::PinDirectory;
  if (!PinDirectory::exists(pin_dir.string())) {
    return {};
  }
  auto directory = PinDirectory::open(pin_dir.string(), PinDirectory::IfMissing::fail);
  if (!directory) {
    return Failure(directory.error());
  }
  if (auto locked = directory->try_lock(); !locked) {
    return locked;
  }
  if (auto withdrawn = withdraw_what_is_announced(*directory); !withdrawn) {
    return withdrawn;
  }
  return directory->remove_everything();
}

Result<void> speak(const std::filesystem::path& pin_dir, const std::string& backend,
                   const std::optional<std::string>& service, core::Word word) {
  using adapters::BalancerMaps;
  using adapters::PinDirectory;
  auto directory = PinDirectory::open(pin_dir.string(), PinDirectory::IfMissing::fail);
  if (!directory) {
    return Failure(directory.error());
  }
  if (auto locked = directory->try_lock(); !locked) {
    return locked;
  }
  auto maps = BalancerMaps::open(*directory);
  if (!maps) {
    return Failure(maps.error());
  }
  auto pinned = maps->load_state();
  if (!pinned) {
    return Failure(pinned.error());
  }
  const auto meant = named_backends(*pinned, backend, service);
  if (!meant) {
    return Failure(meant.error());
  }
  auto loop = adapters::EventLoop::open();
  if (!loop) {
    return Failure(loop.error());
  }
  const core::Limits limits = pinned->layout.limits();
  const auto facts = read_facts(*pinned, *maps);
  auto proposal = core::Engine::adopt(std::move(*pinned), facts);
  for (core::TableBuild& build : proposal.builds) {
    build.run();
  }
  KnownNextHops next_hops;
  Controller controller(**loop, *maps, next_hops, ignore_event);
  if (auto adopted = controller.put_in_force(core::Engine(limits).successor(proposal, facts, read_clocks()));
      !adopted) {
    return adopted;
  }
  for (const NamedBackend& named : *meant) {
    if (auto set = controller.speak(named.service, named.endpoint, word); !set) {
      return set;
    }
  }
  controller.finish_idle_work();
  return {};
}

}  // namespace phalanx::daemon
