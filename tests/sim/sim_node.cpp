// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_node.hpp"

#include "daemon/contract_rows.hpp"
#include "daemon/publisher.hpp"

namespace phalanx::sim {

core::Endpoint endpoint_of(Number backend) {
  core::Endpoint endpoint;
  endpoint.address.bytes = {10, 0, static_cast<std::uint8_t>(backend >> 8),
                            static_cast<std::uint8_t>(backend)};
  endpoint.port = 80;
  return endpoint;
}

Number number_of(const core::Endpoint& endpoint) {
  return Number{endpoint.address.bytes[2]} << 8 | endpoint.address.bytes[3];
}

std::optional<std::uint16_t> FlowTable::find(FlowNumber flow) const {
  return owner_[flow] == core::kNoEntry ? std::nullopt : std::optional(owner_[flow]);
}

void FlowTable::remember(FlowNumber flow, std::uint16_t entry, std::uint32_t step) {
  seen_[flow] = step;
  if (owner_[flow] == core::kNoEntry) {
    while (order_.size() >= limit_) {
      const Place oldest = order_.front();
      order_.pop_front();
      if (owner_[oldest.flow] == core::kNoEntry) continue;
      if (seen_[oldest.flow] > oldest.queued) {
        order_.push_back({oldest.flow, seen_[oldest.flow]});
      } else {
        owner_[oldest.flow] = core::kNoEntry;
        ++evicted_;
      }
    }
    order_.push_back({flow, step});
  }
  owner_[flow] = entry;
}

void FlowTable::forget_entry(std::uint16_t entry) {
  std::erase_if(order_, [&](const Place& place) {
    if (owner_[place.flow] == entry) owner_[place.flow] = core::kNoEntry;
    return owner_[place.flow] == core::kNoEntry;
  });
}

void SimNode::apply(const Facts& facts) {
  auto proposal = engine_.propose(facts.config, engine_.applied().overrides, now_.steady);
  if (!proposal) {
    std::fprintf(stderr, "%s\n", proposal.error().message.c_str());
  }
  PHX_CHECK(proposal.has_value());
  for (core::TableBuild& build : proposal->builds) {
    build.run();
  }
  core::Engine next = engine_.successor(*proposal, now_);
  PHX_CHECK(daemon::publish(next, plane_).has_value());
  engine_ = std::move(next);
  numbers_.resize(plane_.backends.size(), kNobody);
  for (const auto& [index, entry] : engine_.entries()) {
    numbers_[index] = number_of(entry.identity.endpoint);
  }
  for (const core::Backend& backend : facts.service().backends) {
    tell(facts, number_of(backend.endpoint));
  }
}

void SimNode::tell(const Facts& facts, Number backend) {
  const core::Address target = endpoint_of(backend).address;
  if (facts.dead.contains(backend)) {
    step(core::NextHopChanged{target, std::nullopt, "the host is dead"});
  } else {
    core::NextHop hop;
    hop.interface = 1;
    step(core::NextHopChanged{target, hop, {}});
  }
  finish_idle_work();
}

void SimNode::say(const Facts& facts, Number backend) {
  const bool drained = facts.drained.contains(backend);
  step(core::OverrideRequested{facts.service().name, endpoint_of(backend),
                               drained ? core::Word::drain : core::Word::undrain});
  finish_idle_work();
}

void SimNode::advance(std::chrono::milliseconds duration) {
  const core::SteadyTime end = now_.steady + duration;
  while (engine_.wake_at() && *engine_.wake_at() <= end) {
    now_.steady = std::max(now_.steady, *engine_.wake_at());
    step(core::TimerFired{});
    finish_idle_work();
  }
  now_.steady = end;
}

void SimNode::sweep(std::uint32_t step_number, std::uint32_t window_steps) {
  core::FlowsSwept found;
  const core::ServiceInForce& s = service();
  auto& elsewhere = found.slots_with_flows_elsewhere[s.rows.index];
  const std::uint32_t oldest = step_number > window_steps ? step_number - window_steps : 0;
  flows_.sweep(oldest, [&](FlowNumber flow, std::uint16_t entry) {
    ++found.flows[entry];
    const auto slot = static_cast<std::uint32_t>(mix(flow)) & (s.config.slots - 1);
    if (s.entry_of(s.table->owners()[slot].primary) != entry) elsewhere.insert(slot);
  });
  step(found);
  finish_idle_work();
}

phx_slot SimNode::row(std::uint64_t hash) const {
  return plane_.slots[phx_slot_index(plane_.services[service().rows.index].region, hash)];
}

Number SimNode::send(FlowNumber flow, std::uint64_t hash, fakes::PacketKind kind, std::uint32_t step_number) {
  if (kind == fakes::PacketKind::syn) {
    flows_.forget(flow);
  }
  const phx_slot slot = row(hash);
  const bool tracked = (slot.flags & PHX_SLOT_TRACKED) != 0;
  const auto ruling = fakes::rule(slot, tracked, false, kind, tracked ? flows_.find(flow) : std::nullopt,
                                  [&](std::uint16_t entry) { return state_of(entry); });
  if (ruling.remember) {
    flows_.remember(flow, ruling.entry, step_number);
  }
  return number(ruling.entry);
}

Number SimNode::send_by_slot_alone(std::uint64_t hash) const {
  const auto ruling = fakes::rule(row(hash), false, false, fakes::PacketKind::other_tcp, std::nullopt,
                                  [&](std::uint16_t entry) { return state_of(entry); });
  return number(ruling.entry);
}

void SimNode::step(const core::Event& event) {
  for (const core::Action& action : engine_.step(event, now_)) {
    carry_out(action);
  }
}

void SimNode::finish_idle_work() {
  while (engine_.has_idle_work()) {
    step(core::Idle{});
  }
}

void SimNode::carry_out(const core::Action& action) {
  if (const auto* state = std::get_if<core::StoreEntryState>(&action)) {
    plane_.store_backend_state(state->entry, daemon::state_word(*state));
  } else if (const auto* hop = std::get_if<core::WriteNextHop>(&action)) {
    plane_.write_next_hop(hop->entry, hop->row, daemon::next_hop_row(hop->hop));
  } else if (const auto* patch = std::get_if<core::PatchSlots>(&action)) {
    for (const core::SlotStore& store : patch->stores) {
      plane_.store_slot(store.row, daemon::slot_row(store));
    }
  } else if (const auto* forget = std::get_if<core::ForgetFlows>(&action)) {
    flows_.forget_entry(forget->entry);
  }
}

}  // namespace phalanx::sim
