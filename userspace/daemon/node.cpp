// SPDX-License-Identifier: Apache-2.0
#include "daemon/node.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "adapters/bpf/pin_names.hpp"
#include "agent/agent.hpp"
#include "daemon/contract_rows.hpp"
#include "daemon/local_agent.hpp"

namespace phalanx::daemon {

namespace {

// How long a fresh start waits for the kernel to resolve the backends' next hops before it attaches.
constexpr std::chrono::seconds kNextHopWait{2};

void run_builds(core::Proposal& proposal) {
  for (core::TableBuild& build : proposal.builds) {
    build.run();
  }
}

// Entries that linger are served to their end, so that what a program without nat would break is not there
// when it comes.
adapters::PathSettings settings_for(const core::AppliedState& state) {
  const auto is_nat = [](const auto& entry) { return entry.first.forward == core::Forward::nat; };
  return {.nat = std::ranges::any_of(state.layout.entries(), is_nat) ||
                 std::ranges::any_of(state.layout.lingering(), is_nat),
          .agent = state.config.node.agent};
}

adapters::PathSettings settings_for(const core::Config& config) {
  return {.nat = std::ranges::any_of(
              config.services,
              [](const core::Service& service) { return service.forward == core::Forward::nat; }),
          .agent = config.node.agent};
}

}  // namespace

Result<std::unique_ptr<Node>> Node::start(adapters::EventLoop& loop, const std::string& pin_dir,
                                          const core::Config& config, Controller::Listener listener) {
  using adapters::BalancerMaps;
  using adapters::PinDirectory;
  auto directory = PinDirectory::open(pin_dir, PinDirectory::IfMissing::create);
  if (!directory) {
    return Failure(directory.error());
  }
  if (auto locked = directory->try_lock(); !locked) {
    return Failure(locked.error());
  }
  const auto pinned = BalancerMaps::inspect(*directory);
  if (!pinned) {
    return Failure(pinned.error());
  }
  const bool adopt = *pinned == BalancerMaps::Pinned::complete;
  auto maps = adopt ? BalancerMaps::take_over(*directory)
                    : BalancerMaps::create(*directory, config.node.limits, settings_for(config));
  if (!maps) {
    return Failure(maps.error());
  }
  std::unique_ptr<Node> node(
      new Node(loop, std::move(*directory), std::move(*maps), adopt, std::move(listener)));
  auto started = node->follow_kernel();
  if (started) {
    started = adopt ? node->start_adopted(config) : node->start_fresh(config);
  }
  if (!started) {
    if (!adopt) {
      (void)node->take_down();
    }
    return Failure(started.error());
  }
  return node;
}

Node::Node(adapters::EventLoop& loop, adapters::PinDirectory directory, adapters::BalancerMaps maps,
           bool adopted, Controller::Listener listener)
    : loop_(loop),
      directory_(std::move(directory)),
      maps_(std::move(maps)),
      adopted_(adopted),
      listener_(std::move(listener)) {}

Result<void> Node::follow_kernel() {
  auto next_hops = adapters::NetlinkNextHops::open(loop_, [this](ports::NextHopChange change) {
    controller_->handle(core::NextHopChanged{change.target, change.hop, std::move(change.reason)});
  });
  if (!next_hops) {
    return Failure(next_hops.error());
  }
  next_hops_ = std::move(*next_hops);
  controller_ = std::make_unique<Controller>(loop_, maps_, *next_hops_, listener_);
  return {};
}

Result<void> Node::start_fresh(const core::Config& config) {
  if (auto brought = bring_agent(config); !brought) {
    return brought;
  }
  auto proposal = core::Engine(config.node.limits).propose(config, {}, read_clocks().steady);
  if (!proposal) {
    return Failure(proposal.error());
  }
  run_builds(*proposal);
  auto engine = core::Engine(config.node.limits).successor(*proposal, read_clocks());
  if (auto published = controller_->put_in_force(std::move(engine)); !published) {
    return published;
  }
  wait_for_next_hops();
  const auto attached = attach(config.node);
  return attached ? maps_.watch_liveness() : attached;
}

Result<void> Node::start_adopted(const core::Config& config) {
  auto pinned = maps_.load_state();
  if (!pinned) {
    return Failure(pinned.error());
  }
  if (auto adopted = adopt_links(); !adopted) {
    return adopted;
  }
  if (auto brought = bring_agent(pinned->config); !brought) {
    return brought;
  }
  auto former = replace_program(settings_for(*pinned));
  if (!former) {
    return Failure(former.error());
  }
  if (auto adopted = adopt_state(std::move(*pinned)); !adopted) {
    put_program_back(std::move(*former));
    return adopted;
  }
  return config == engine().applied().config ? Result<void>() : apply(config);
}

Result<void> Node::adopt_links() {
  for (const std::string& interface : directory_.linked_interfaces()) {
    auto link = adapters::XdpLink::adopt(directory_, interface);
    if (!link) {
      return Failure(link.error());
    }
    if (*link) {
      links_.insert_or_assign(interface, std::move(**link));
    }
  }
  return {};
}

Result<void> Node::adopt_state(core::AppliedState pinned) {
  const core::Limits limits = pinned.layout.limits();
  const core::Node in_force = pinned.config.node;
  const auto facts = read_facts(pinned, maps_);
  auto proposal = core::Engine::adopt(std::move(pinned), facts);
  run_builds(proposal);
  if (auto published =
          controller_->put_in_force(core::Engine(limits).successor(proposal, facts, read_clocks()));
      !published) {
    return published;
  }
  if (auto attached = attach(in_force); !attached) {
    return attached;
  }
  detach_all_but(in_force);  // what a change that was cut short has left
  return {};
}

void Node::wait_for_next_hops() {
  const auto deadline = std::chrono::steady_clock::now() + kNextHopWait;
  const auto is_pending = [](const auto& e) { return e.second.hop_state == core::HopState::pending; };
  while (std::ranges::any_of(engine().entries(), is_pending)) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      break;
    }
    loop_.run_once(left);
  }
  controller_->finish_idle_work();
}

Result<core::Proposal> Node::propose(const core::Config& config, const core::Overrides& overrides) const {
  return engine().propose(config, overrides, read_clocks().steady);
}

Result<void> Node::apply(const core::Config& config) {
  auto proposal = propose(config, engine().applied().overrides);
  if (!proposal) {
    return Failure(proposal.error());
  }
  run_builds(*proposal);
  return finish(*proposal);
}

// A program with other settings serves the state in force as well as the next one (settings_for()), so that
// it comes first, and can be taken back by itself.
Result<void> Node::finish(const core::Proposal& proposal) {
  const core::Node& next = proposal.next.config.node;
  std::optional<adapters::PathProgram> former;
  if (auto brought = bring_agent(proposal.next.config); !brought) {
    go_back({});
    return brought;
  }
  if (const auto settings = settings_for(proposal.next); settings != maps_.settings()) {
    auto replaced = replace_program(settings);
    if (!replaced) {
      go_back({});
      return Failure(replaced.error());
    }
    former = std::move(*replaced);
  }
  if (auto attached = attach(next); !attached) {
    go_back(std::move(former));
    return attached;
  }
  const core::Now now = read_clocks();
  const auto generation = std::to_string(engine().applied().generation);
  if (auto published = controller_->put_in_force(engine().successor(proposal, now)); !published) {
    go_back(std::move(former));
    return published;
  }
  detach_all_but(next);
  if (!next.agent) {
    forget_agent();
  }
  listener_(core::Announce{.time = now.wall,
                           .type = "config",
                           .service = {},
                           .backend = {},
                           .from = "generation " + generation,
                           .to = "generation " + std::to_string(engine().applied().generation),
                           .reason = "configuration applied"});
  return {};
}

Result<void> Node::attach(const core::Node& node) {
  for (const std::string& interface : node.interfaces) {
    auto link = adapters::XdpLink::adopt_or_attach(directory_, maps_.program(), interface, node.xdp_mode);
    if (!link) {
      return Failure(link.error());
    }
    const auto described = link->describe();
    if (!described.reason.empty()) {
      spdlog::warn("{}: {} mode: {}", described.name, described.mode, described.reason);
    }
    links_.insert_or_assign(interface, std::move(*link));
  }
  return offer_interfaces();
}

Result<void> Node::offer_interfaces() {
  std::set<std::uint32_t> native;
  for (const auto& [name, link] : links_) {
    if (link.native()) {
      native.insert(link.ifindex());
    }
  }
  return maps_.set_interfaces(native);
}

Result<void> Node::bring_agent(const core::Config& config) {
  next_hops_->serve_this_host(config.node.agent);
  if (!config.node.agent) {
    return {};
  }
  const auto program = agent::embed(agent_directory(), local_agent_config(config));
  return program ? maps_.set_local_agent(program->get()) : Failure(program.error());
}

void Node::forget_agent() {
  if (auto forgotten = agent::down(agent_directory()); !forgotten) {
    spdlog::error("{}", forgotten.error().message);
  }
}

std::string Node::agent_directory() const {
  return directory_.path() + "/" + std::string(adapters::kLocalAgentDirectory);
}

// A process that is killed in between leaves some interfaces with either program, on the same maps; the next
// start ends that.
Result<adapters::PathProgram> Node::replace_program(adapters::PathSettings settings) {
  auto program = maps_.load_program(settings);
  if (!program) {
    return program;
  }
  const auto swung = swing_links(program->descriptor.get());
  auto former = swung ? maps_.install(directory_, std::move(*program)) : Failure(swung.error());
  if (!former) {
    swing_back();
    return former;
  }
  if (auto watching = maps_.watch_liveness(); !watching) {
    put_program_back(std::move(*former));
    return Failure(watching.error());
  }
  return former;
}

Result<void> Node::swing_links(int program) {
  for (auto& [name, link] : links_) {
    if (!link.attached()) {
      continue;  // attach() sees to it
    }
    if (auto updated = link.update(program); !updated) {
      return fail(updated.error().message + "; every interface keeps the program that it had");
    }
  }
  return {};
}

// What failed is being reported: what fails here too is logged, and either program serves the same maps.
void Node::swing_back() {
  for (auto& [name, link] : links_) {
    if (!link.attached()) {
      continue;
    }
    if (auto updated = link.update(maps_.program()); !updated) {
      spdlog::error("{}", updated.error().message);
    }
  }
}

void Node::put_program_back(adapters::PathProgram former) {
  if (auto installed = maps_.install(directory_, std::move(former)); !installed) {
    spdlog::error("{}", installed.error().message);
  }
  swing_back();
}

void Node::go_back(std::optional<adapters::PathProgram> former_program) {
  const core::Node& former = engine().applied().config.node;
  detach_all_but(former);
  if (auto brought = bring_agent(engine().applied().config); !brought) {
    spdlog::error("{}", brought.error().message);
  }
  if (!former_program) {
    return;
  }
  put_program_back(std::move(*former_program));
  if (auto attached = attach(former); !attached) {
    spdlog::error("{}", attached.error().message);
  }
}

void Node::detach_all_but(const core::Node& node) {
  for (auto link = links_.begin(); link != links_.end();) {
    if (std::ranges::find(node.interfaces, link->first) != node.interfaces.end()) {
      ++link;
      continue;
    }
    if (auto detached = link->second.detach(); !detached) {
      spdlog::error("{}", detached.error().message);
    }
    link = links_.erase(link);
  }
  if (auto offered = offer_interfaces(); !offered) {
    spdlog::error("{}", offered.error().message);
  }
}

Result<void> Node::take_down() {
  links_.clear();
  return directory_.remove_everything();
}

// Until then the path, where it asks the kernel's FIB, knows better than pins of yesterday.
void Node::mark_liveness() {
  marking_ = marking_ || next_hops_->knows_all();
  if (marking_) {
    maps_.mark_liveness();
  }
}

std::vector<adapters::XdpDescription> Node::interfaces() const {
  std::vector<adapters::XdpDescription> described;
  for (const auto& [name, link] : links_) {
    described.push_back(link.describe());
  }
  return described;
}

// What the kernel would not say now is as it was said last.
bool Node::attached() {
  for (auto& [name, link] : links_) {
    if (auto refreshed = link.refresh(); !refreshed) {
      spdlog::warn("{}", refreshed.error().message);
    }
  }
  return std::ranges::all_of(links_, [](const auto& link) { return link.second.attached(); });
}

std::vector<std::string> Node::backends_without_next_hop() const {
  std::vector<std::string> sentences;
  for (const auto& [index, service] : engine().services()) {
    for (const core::MemberInForce& member : service.members) {
      const core::Entry& entry = engine().entries().at(member.entry);
      if (member.override.disabled || entry.hop_state == core::HopState::resolved) {
        continue;
      }
      const std::string why =
          entry.hop_state == core::HopState::missing
              ? entry.hop_reason
              : "its next hop did not answer within " + std::to_string(kNextHopWait.count()) + " s";
      sentences.push_back("backend " + member.name + " of service " + service.config.name +
                          " takes no traffic: " + why);
    }
  }
  return sentences;
}

}  // namespace phalanx::daemon
