// SPDX-License-Identifier: Apache-2.0
#include "core/slot_table.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <utility>

#include "core/candidates.hpp"
#include "core/capped_rendezvous.hpp"
#include "core/ranking.hpp"
#include "core/result.hpp"

namespace phalanx::core {
namespace {

// Finds the owners from the live members of a succession, visited in its order.
class OwnerSearch {
 public:
  // Admitted and merely live members may be visited independently of each other. base must come before the
  // other live ones.
  void visit(Seat seat, bool admitted) {
    auto& found = admitted ? admitted_ : live_;
    auto& count = admitted ? admitted_count_ : live_count_;
    if (count < found.size()) found[count++] = seat;
  }

  // No member further on can change the outcome.
  bool settled() const { return admitted_count_ == admitted_.size(); }

  Seat primary(Seat base) const { return admitted_count_ > 0 ? admitted_[0] : base; }

  Seat backup(Seat base) const {
    if (settled()) return admitted_[1];
    for (std::size_t i = 0; i < live_count_; ++i) {
      if (live_[i] != primary(base)) return live_[i];
    }
    return kNoSeat;
  }

 private:
  std::array<Seat, 2> admitted_{};
  std::array<Seat, 2> live_{};  // but not admitted
  std::size_t admitted_count_ = 0;
  std::size_t live_count_ = 0;
};

// For each seat of a former ranking the seat of the same member now, or kNoSeat if it left, or counts with
// another weight or tier.
std::vector<Seat> follow_seats(const SlotTableSpec& former_spec, const Ranking& former,
                               const SlotTableSpec& spec, const Ranking& ranking) {
  std::map<Endpoint, MemberIndex> now;
  for (const SlotTableMember& m : spec.members) now.emplace(m.endpoint, static_cast<MemberIndex>(now.size()));
  std::vector<Seat> seats(former.size(), kNoSeat);
  for (std::size_t i = 0; i < seats.size(); ++i) {
    const SlotTableMember& was = former_spec.members[former.member(static_cast<Seat>(i))];
    const auto same = now.find(was.endpoint);
    if (same == now.end() || spec.members[same->second].tier != was.tier) continue;
    const Seat seat = ranking.seat(same->second);
    if (ranking.weight(seat) == former.weight(static_cast<Seat>(i))) seats[i] = seat;
  }
  return seats;
}

// What is known of a slot beside its owners.
struct Marks {
  bool deep = false;        // the search went beyond the candidates
  bool settled = false;     // primary and backup are both admitted
  bool no_primary = false;  // the primary is not live
  bool no_backup = false;
};

}  // namespace

struct SlotTable::State {
  SlotTableSpec spec;
  Ranking ranking;
  std::vector<CandidateRow> candidates;
  std::vector<Seat> base_seats;
  std::vector<MemberIndex> base;
  std::vector<SlotOwners> owners;
  std::vector<Marks> marks;
  std::vector<Standing> standing;  // by member
  std::vector<Standing> present;   // by seat: what the searches read
  std::uint32_t without_backup = 0;
  std::uint32_t without_primary = 0;

  State(SlotTableSpec given, Ranking ranked) : spec(std::move(given)), ranking(std::move(ranked)) {}

  void carry_candidates_of(const State& former);
  void settle_base();
  void search_all(std::span<const Standing> now);
  void set_present(MemberIndex member, const Standing& now);

  bool admits(const HashKey& key, Seat seat) const;
  void visit(OwnerSearch& search, const HashKey& key, Seat seat) const;
  void visit_group(OwnerSearch& search, const HashKey& key, const SeatGroup& group, Seat base_seat) const;
  bool search_owners(OwnerSearch& search, std::uint32_t slot, const HashKey& key) const;
  bool concerns(std::uint32_t slot, Seat seat) const;
  bool update_slot(std::uint32_t slot);
  Seat runner_up(std::uint32_t slot) const;
  MemberIndex server(std::uint32_t slot) const {
    return marks[slot].no_primary ? owners[slot].backup : owners[slot].primary;
  }
  MemberIndex member(Seat seat) const { return seat == kNoSeat ? kNoMember : ranking.member(seat); }
};

void SlotTable::State::carry_candidates_of(const State& former) {
  const std::vector<Seat> seat_now = follow_seats(former.spec, former.ranking, spec, ranking);
  const auto gone = static_cast<std::uint32_t>(std::ranges::count(seat_now, kNoSeat));
  const std::uint32_t joined = ranking.size() - (former.ranking.size() - gone);
  // To score a third of the members one by one takes as long as to sieve all.
  const bool worthwhile =
      former.spec.slots == spec.slots && former.spec.seed == spec.seed && joined <= ranking.size() / 3;
  candidates = worthwhile ? carry_candidates(ranking, former.candidates, seat_now)
                          : find_candidates(ranking, spec.slots);
}

void SlotTable::State::settle_base() {
  // Only when the lowest tier has no weight do the candidates not begin with the base's group.
  base_seats = capped_rendezvous(
      ranking, ranking.base_group() == 0 ? candidates : find_base_candidates(ranking, spec.slots));
  base.reserve(spec.slots);
  for (const Seat seat : base_seats) base.push_back(member(seat));
}

void SlotTable::State::search_all(std::span<const Standing> now) {
  PHX_CHECK(now.size() == spec.members.size());
  standing.resize(now.size());
  present.resize(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) set_present(static_cast<MemberIndex>(i), now[i]);
  owners.resize(spec.slots);
  marks.resize(spec.slots);
  for (std::uint32_t slot = 0; slot < spec.slots; ++slot) update_slot(slot);
}

void SlotTable::State::set_present(MemberIndex member, const Standing& now) {
  standing[member] = now;
  present[ranking.seat(member)] = now;
}

bool SlotTable::State::admits(const HashKey& key, Seat seat) const {
  const std::uint32_t admission = present[seat].admission;
  if (admission == 0) return false;
  return admission >= kFullAdmission || ranking.thinning(key, seat) < admission;
}

void SlotTable::State::visit(OwnerSearch& search, const HashKey& key, Seat seat) const {
  if (present[seat].up) search.visit(seat, admits(key, seat));
}

// All live members of a group, without sorting those that cannot matter.
void SlotTable::State::visit_group(OwnerSearch& search, const HashKey& key, const SeatGroup& group,
                                   Seat base_seat) const {
  std::array<std::array<Claim, 2>, 2> best;  // of the merely live, of the admitted
  std::array<std::size_t, 2> count{};
  for (std::uint32_t i = group.begin; i < group.end; ++i) {
    const auto seat = static_cast<Seat>(i);
    if (!present[seat].up || seat == base_seat) continue;
    const std::size_t admitted = admits(key, seat) ? 1 : 0;
    count[admitted] = insert_claim(best[admitted], count[admitted], ranking.claim(key, seat));
  }
  for (const std::size_t admitted : {0u, 1u}) {
    for (std::size_t i = 0; i < count[admitted]; ++i) search.visit(best[admitted][i].seat, admitted == 1);
  }
}

// Returns whether it had to go beyond the candidates.
bool SlotTable::State::search_owners(OwnerSearch& search, std::uint32_t slot, const HashKey& key) const {
  const Seat base_seat = base_seats[slot];
  visit(search, key, base_seat);
  for (const Seat seat : candidates[slot]) {
    if (search.settled() || seat == kNoSeat) return false;
    if (seat != base_seat) visit(search, key, seat);
  }
  if (search.settled() || ranking.size() <= kCandidates) return false;
  search = {};
  visit(search, key, base_seat);
  for (const SeatGroup& group : ranking.groups()) {
    if (search.settled()) break;
    visit_group(search, key, group, base_seat);
  }
  return true;
}

// runner-up: the first of the succession behind base.
Seat SlotTable::State::runner_up(std::uint32_t slot) const {
  const CandidateRow& row = candidates[slot];
  return row[0] != base_seats[slot] ? row[0] : row[1];
}

// Brings owners and marks of a slot up to date; returns whether the owners changed.
bool SlotTable::State::update_slot(std::uint32_t slot) {
  const HashKey key = slot_key(slot);
  const Seat base_seat = base_seats[slot];
  OwnerSearch search;
  const bool deep = search_owners(search, slot, key);
  const Seat primary = search.primary(base_seat);
  const Seat backup = search.backup(base_seat);
  const Seat previous = primary != base_seat ? base_seat : runner_up(slot);
  const Marks mark{deep, search.settled(), !present[primary].up, backup == kNoSeat};
  const Marks former = std::exchange(marks[slot], mark);
  without_primary = without_primary - former.no_primary + mark.no_primary;
  without_backup = without_backup - former.no_backup + mark.no_backup;
  const SlotOwners now{member(primary), member(backup), member(previous)};
  return std::exchange(owners[slot], now) != now;
}

// Whether the owners of the slot can depend on the standing of seat.
bool SlotTable::State::concerns(std::uint32_t slot, Seat seat) const {
  if (base_seats[slot] == seat || names(candidates[slot], seat)) return true;
  if (!marks[slot].deep) return false;
  if (!marks[slot].settled) return true;
  const Seat backup = ranking.seat(owners[slot].backup);
  return seat == backup || ranking.precedes(slot_key(slot), seat, backup);
}

SlotTable::SlotTable(std::unique_ptr<State> state) : state_(std::move(state)) {}
SlotTable::SlotTable(SlotTable&&) noexcept = default;
SlotTable& SlotTable::operator=(SlotTable&&) noexcept = default;
SlotTable::~SlotTable() = default;

SlotTable SlotTable::build(SlotTableSpec spec, std::span<const Standing> standing, const SlotTable* former) {
  PHX_CHECK(std::has_single_bit(spec.slots));
  Ranking ranking(spec.members, spec.seed);
  auto state = std::make_unique<State>(std::move(spec), std::move(ranking));
  if (former != nullptr) {
    state->carry_candidates_of(*former->state_);
  } else {
    state->candidates = find_candidates(state->ranking, state->spec.slots);
  }
  state->settle_base();
  state->search_all(standing);
  return SlotTable(std::move(state));
}

const SlotTableSpec& SlotTable::spec() const {
  return state_->spec;
}
std::span<const SlotOwners> SlotTable::owners() const {
  return state_->owners;
}
std::span<const MemberIndex> SlotTable::base() const {
  return state_->base;
}
std::span<const Standing> SlotTable::standing() const {
  return state_->standing;
}
MemberIndex SlotTable::server(std::uint32_t slot) const {
  return state_->server(slot);
}
std::uint32_t SlotTable::slots_without_backup() const {
  return state_->without_backup;
}
std::uint32_t SlotTable::slots_without_primary() const {
  return state_->without_primary;
}

std::vector<SlotChange> SlotTable::set_standing(MemberIndex member, Standing standing) {
  State& state = *state_;
  PHX_CHECK(member < state.standing.size());
  std::vector<SlotChange> changes;
  if (state.standing[member] == standing) return changes;
  const Seat seat = state.ranking.seat(member);
  state.set_present(member, standing);
  for (std::uint32_t slot = 0; slot < state.spec.slots; ++slot) {
    if (!state.concerns(slot, seat)) continue;
    const MemberIndex former = state.server(slot);
    const bool changed = state.update_slot(slot);
    if (changed || state.server(slot) != former) changes.push_back({slot, former, state.owners[slot]});
  }
  return changes;
}

std::uint64_t digest(std::span<const SlotOwners> owners, std::span<const Endpoint> endpoints) {
  std::vector<std::uint64_t> names;
  for (const Endpoint& endpoint : endpoints) names.push_back(member_key(endpoint, 0).a);
  const auto name = [&](MemberIndex member) {
    return member == kNoMember ? std::uint64_t{1} : names[member];
  };
  std::uint64_t hash = 0x243f6a8885a308d3;  // the fraction of pi
  for (const SlotOwners& o : owners) {
    hash = multiply_fold(hash ^ name(o.primary), ~name(o.backup)) + 0x9e3779b97f4a7c15;
  }
  return hash;
}

}  // namespace phalanx::core
