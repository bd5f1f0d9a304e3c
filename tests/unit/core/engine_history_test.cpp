// SPDX-License-Identifier: Apache-2.0
// What must hold of every history that a node can live through. PHX_HISTORIES shortens the run while
// developing; PHX_FIRST_HISTORY repeats one.
#include <cstdlib>
#include <iostream>

#include "history.hpp"

namespace phalanx::core {
namespace {

using namespace std::chrono_literals;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The table that follows from the facts alone.
SlotTable table_of(const Facts& facts, const std::vector<SlotTableMember>& members) {
  std::vector<Standing> standing;
  SlotTableSpec spec{.members = members, .slots = facts.service().slots, .seed = facts.service().seed};
  for (const SlotTableMember& member : members) {
    const auto said = facts.overrides.find({"web", member.endpoint});
    const Override override = said == facts.overrides.end() ? Override{} : said->second;
    standing.push_back({.up = !facts.dead.contains(member.endpoint) && !override.disabled,
                        .admission = override.drained ? 0 : kFullAdmission});
  }
  return SlotTable::build(std::move(spec), standing);
}

std::vector<SlotTableMember> members_of(const Facts& facts) {
  std::vector<SlotTableMember> members;
  for (const Backend& backend : facts.service().backends) {
    const auto said = facts.overrides.find({"web", backend.endpoint});
    const auto weight = said == facts.overrides.end() ? std::nullopt : said->second.weight;
    members.push_back({backend.endpoint, weight.value_or(backend.weight), backend.tier});
  }
  return members;
}

bool drains(const Facts& facts, const Endpoint& endpoint) {
  const auto said = facts.overrides.find({"web", endpoint});
  return said != facts.overrides.end() && said->second.drained && !said->second.disabled &&
         !facts.dead.contains(endpoint);
}

// Slots whose former primary drains are tracked for as long as it does: that window has not ended.
void expect_table_of_facts(const HistoryNode& node, const Facts& facts) {
  const std::vector<SlotTableMember> members = members_of(facts);
  const SlotTable expected = table_of(facts, members);
  ASSERT_EQ(node.service().config.slots, facts.service().slots);
  const auto is = [&](std::uint16_t entry, MemberIndex member) {
    return member == kNoMember ? entry == PHX_NO_ENTRY
                               : entry != PHX_NO_ENTRY && node.endpoint_of(entry) == members[member].endpoint;
  };
  for (std::uint32_t slot = 0; slot < facts.service().slots; ++slot) {
    const phx_slot row = node.row(slot);
    const SlotOwners& owners = expected.owners()[slot];
    ASSERT_TRUE(is(row.primary, owners.primary))
        << "primary of slot " << slot << " is " << row.primary << ", not member " << owners.primary;
    ASSERT_TRUE(is(row.backup, owners.backup)) << "backup of slot " << slot;
    if ((row.flags & PHX_SLOT_TRACKED) != 0) {
      ASSERT_TRUE(row.previous != PHX_NO_ENTRY && drains(facts, node.endpoint_of(row.previous)))
          << "slot " << slot << " is tracked for ever";
    } else {
      ASSERT_TRUE(is(row.previous, owners.previous)) << "previous of slot " << slot;
    }
  }
}

void expect_balance(const HistoryNode& node) {
  const SlotTable& table = *node.service().table;
  const auto& members = table.spec().members;
  const bool weightless = std::ranges::all_of(members, [](const auto& m) { return m.weight == 0; });
  const auto weight = [&](const SlotTableMember& m) { return weightless ? 1u : std::uint32_t{m.weight}; };
  int tier = 256;
  for (const auto& m : members) {
    if (weight(m) > 0) tier = std::min(tier, m.tier);
  }
  std::uint64_t total = 0;
  for (const auto& m : members) total += m.tier == tier ? weight(m) : 0;
  for (MemberIndex i = 0; i < members.size(); ++i) {
    const auto held = static_cast<std::uint64_t>(std::ranges::count(table.base(), i));
    const std::uint64_t share = std::uint64_t{102} * table.spec().slots * weight(members[i]);
    const std::uint64_t most = members[i].tier == tier ? (share + 100 * total - 1) / (100 * total) : 0;
    ASSERT_LE(held, most) << "member " << i << " holds more than its share and a little";
  }
}

// Sees the facts of a history in another order, half of the time by the detour of its first configuration.
class Latecomer {
 public:
  Latecomer(const History& history, Dice dice) : facts_(history.facts()), node_(History::limits()) {
    Facts nothing_said = facts_;
    for (auto& [whose, said] : nothing_said.overrides) said.disabled = said.drained = false;
    std::erase_if(nothing_said.overrides, [](const auto& said) { return said.second.says_nothing(); });
    if (dice.once_in(2)) {
      EXPECT_TRUE(node_.apply(history.first()));
      node_.world.run(dice.once_in(2) ? 500ms : 5000ms);
    }
    nothing_said.dead.clear();
    dice.shuffle(nothing_said.service().backends);
    EXPECT_TRUE(node_.apply(nothing_said));
    learn(dice);
    node_.world.run(History::kSettle + facts_.service().slow_start + History::kTransition + 1ms);
    node_.sweep();
    node_.sweep();
  }
  const HistoryNode& node() const { return node_; }

 private:
  void learn(Dice& dice) {
    std::vector<Backend> order = facts_.service().backends;
    dice.shuffle(order);
    for (const Backend& backend : order) {
      node_.tell(facts_, backend.endpoint);
      const auto said = facts_.overrides.find({"web", backend.endpoint});
      if (said == facts_.overrides.end()) continue;
      if (said->second.drained) node_.say(backend.endpoint, Word::drain);
      if (said->second.disabled) node_.say(backend.endpoint, Word::disable);
      if (dice.once_in(2)) node_.world.finish_idle_work();
    }
    node_.world.finish_idle_work();
  }

  Facts facts_;
  HistoryNode node_;
};

// How often each value was seen, in ranges.
class Distribution {
 public:
  void add(std::size_t value) { ++counts_[value < 6 ? 5 : value <= 10 ? 10 : (value + 24) / 25 * 25]; }
  friend std::ostream& operator<<(std::ostream& out, const Distribution& d) {
    for (const auto& [up_to, count] : d.counts_) out << "  ..." << up_to << ": " << count;
    return out;
  }

 private:
  std::map<std::size_t, int> counts_;
};

TEST(EngineHistory, every_history_keeps_the_promises_and_ends_in_the_table_of_its_facts) {
  const std::uint64_t first = number_from("PHX_FIRST_HISTORY", 1);
  const std::uint64_t histories = number_from("PHX_HISTORIES", 100'000);
  Distribution lengths;
  Distribution sizes;
  std::map<std::size_t, int> tiers;
  std::map<std::string, int> kinds;
  std::uint64_t packets = 0;
  for (std::uint64_t seed = first; seed < first + histories && !HasFailure(); ++seed) {
    SCOPED_TRACE("history " + std::to_string(seed));
    History history(seed);
    history.run();
    expect_table_of_facts(history.node(), history.facts());
    expect_balance(history.node());
    SCOPED_TRACE("the latecomer");
    const Latecomer other(history, Dice(seed));
    expect_table_of_facts(other.node(), history.facts());
    lengths.add(history.events());
    sizes.add(history.backends());
    ++tiers[history.tiers()];
    packets += history.packets();
    for (const auto& [kind, count] : history.kinds()) kinds[kind] += count;
  }
  std::cout << histories << " histories from seed " << first << ", " << packets << " packets\nevents  "
            << lengths << "\nbackends" << sizes << "\ntiers   ";
  for (const auto& [count, times] : tiers) std::cout << "  " << count << ": " << times;
  std::cout << "\nkinds   ";
  for (const auto& [kind, count] : kinds) std::cout << "  " << kind << ": " << count;
  std::cout << '\n';
}

}  // namespace
}  // namespace phalanx::core
