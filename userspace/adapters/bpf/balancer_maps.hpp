// SPDX-License-Identifier: Apache-2.0
// The balancer's program and maps, pinned in a directory: made, adopted by a later process, or looked at.
//
// Arrays are memory-mapped: a store is a store, not a system call. Per-CPU counters and the hash of VIPs are
// read and written by system call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/bpf/descriptor.hpp"
#include "adapters/bpf/mapped_array.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "adapters/bpf/vip_cache.hpp"
#include "core/applied_state.hpp"
#include "core/config.hpp"
#include "core/result.hpp"
#include "ports/data_plane.hpp"

struct balancer_bpf;  // of the skeleton

namespace phalanx::adapters {

// Pages of each of the two copies of the state document. The document takes about 400 bytes a service and 130
// a backend with names of ordinary length: 64 KiB + 1 KiB a service + 512 bytes an entry hold 1,000 services
// of four backends each, one service of 4,096, and leave as much again. With default limits: 3.1 MiB a copy.
std::uint32_t state_copy_pages(const core::Limits& limits);
// Of the whole map: the header's and both copies'.
std::uint32_t state_pages(const core::Limits& limits);

// What the program is loaded with: constants, so that the verifier prunes what is off. What is on without
// need costs packets a little, nothing else.
struct PathSettings {
  bool nat = true;    // what nat backends answer is looked for
  bool agent = true;  // packets to this very host, and tunnel packets that come in, go to the agent

  friend bool operator==(const PathSettings&, const PathSettings&) = default;
};

// A loaded program; it lives as long as a descriptor, a pin or a link holds it.
struct PathProgram {
  Descriptor descriptor;
  Descriptor watch;  // starts the timer that looks at the daemon's mark; of one that was only opened: none
  PathSettings settings;
};

class BalancerMaps final : public ports::DataPlane {
 public:
  // What lies in a directory. Another layout's pins count as complete: open() says so and touches nothing.
  enum class Pinned {
    nothing,
    half_made,  // a start was cut short before its first commit(): no use to anybody
    complete
  };
  static Result<Pinned> inspect(const PinDirectory& directory);

  // Loads the program with maps of the sizes that `limits` say and pins all of it. The directory must be
  // locked by the caller and hold nothing adoptable; what a half-made start left is removed first, its links
  // included. Until the first commit() the directory counts as half made. Nothing stays pinned on failure.
  // Fails with a sentence when
  //   - a privilege is missing,
  //   - the verifier refuses (the end of its log follows),
  //   - memory does not suffice for node.limits.
  static Result<BalancerMaps> create(const PinDirectory& directory, const core::Limits& limits,
                                     PathSettings settings = {});

  // Adopts what is pinned, to write to it; the directory must be locked by the caller. Fails, touching
  // nothing, when there is nothing or something half made, when it has another layout version, or when its
  // maps are not those that its state document describes.
  static Result<BalancerMaps> open(const PinDirectory& directory);

  // The same, and takes pins of a former layout that this binary knows (PHX_OLDEST_LAYOUT) as well. The maps
  // that those lack are made, and not pinned before install(), so that until then nothing has changed.
  static Result<BalancerMaps> take_over(const PinDirectory& directory);

  // Opens what is pinned to look at it, beside a writer or without one. Fails like open(). Changing anything
  // through it is a programmer error.
  static Result<BalancerMaps> view(const PinDirectory& directory);

  // Loads this binary's program on the maps that there are. Nothing uses it before install(). Fails like
  // create().
  Result<PathProgram> load_program(PathSettings settings) const;
  // Makes it program() and the pinned one, in one step, and gives back the former, which can be installed
  // again. Links are the caller's to swing. After take_over() it also pins what was made for the layout,
  // which is the current one from then on. Where it fails all of the former stays.
  Result<PathProgram> install(const PinDirectory& directory, PathProgram program);

  // Starts the timer of program(), which must have been loaded by this process, and from then on looks at the
  // daemon's mark whoever lives. Fails when the kernel refuses.
  Result<void> watch_liveness();
  // The daemon's sign of life, every PHX_LIVENESS_MARK_MS.
  void mark_liveness();
  // Whether the path takes the daemon for dead.
  bool liveness_is_stale() const;

  // Descriptor of the program, for XdpLink; owned by this object.
  int program() const { return program_.descriptor.get(); }
  // The tag of program(), pinned in a view, where `id` is its own; "another" where it isn't; empty for 0.
  std::string tag_of(std::uint32_t id) const;
  // Of the program that this object has loaded; of one that it has only opened nobody knows.
  PathSettings settings() const { return program_.settings; }

  // The program that gets what PathSettings::agent says. Fails when the kernel refuses it.
  Result<void> set_local_agent(int program);

  // The interfaces, by index, through which answers of nat backends are sent straight to clients: at most
  // PHX_MAX_INTERFACES. Fails when the kernel refuses one.
  Result<void> set_interfaces(const std::set<std::uint32_t>& wanted);

  // The state that was committed last. Fails with a sentence when none was or it can't be read. Safe beside a
  // writer in another process.
  Result<core::AppliedState> load_state() const;

  // Process that holds, or held last, the lock on the directory.
  std::uint32_t writer_pid() const;

  phx_slot slot(std::uint32_t row) const override;
  phx_service service(std::uint32_t index) const override;
  phx_backend backend(std::uint16_t entry) const override;
  phx_backend_status backend_status(std::uint16_t entry) const override;
  Result<std::vector<std::pair<phx_vip_key, phx_vip>>> vips() const override;
  Result<std::vector<std::pair<phx_vip_key, phx_nat_source>>> nat_sources() const override;
  phx_traffic service_traffic(std::uint32_t index) const override;
  phx_traffic backend_traffic(std::uint16_t entry) const override;
  std::vector<std::uint64_t> counters() const override;
  // Bytes that the flow table takes.
  std::uint64_t flow_table_memory() const;
  std::vector<ports::RememberedFlow> next_flows(ports::FlowCursor& cursor) const override;

  void store_slot(std::uint32_t row, phx_slot slot) override;
  void store_backend_state(std::uint16_t entry, std::uint64_t state) override;
  void store_region(std::uint32_t service, std::uint64_t region) override;
  void store_source_bits(std::uint16_t entry, std::uint8_t bits) override;

  void write_service(std::uint32_t index, const phx_service& service) override;
  void write_backend(std::uint16_t entry, const phx_backend& backend) override;
  void write_next_hop(std::uint16_t entry, int row, const phx_next_hop& hop) override;
  void write_backend_status(std::uint16_t entry, const phx_backend_status& status) override;

  void clear_service_traffic(std::uint32_t index) override;
  void clear_backend_traffic(std::uint16_t entry) override;

  void forget_flow(const ports::RememberedFlow& flow) override;

  Result<void> put_vip(const phx_vip_key& key, const phx_vip& vip) override;
  Result<void> remove_vip(const phx_vip_key& key) override;

  Result<void> put_nat_source(const phx_vip_key& key, const phx_nat_source& source) override;
  Result<void> remove_nat_source(const phx_vip_key& key) override;

  Result<void> commit(const core::AppliedState& state) override;

 private:
  enum class Access { read_only, read_write };
  enum MapIndex {
    kState,  // first: while it is pinned without its magic number, the directory is half made
    kVips,
    kVipFilter,
    kVipCache,
    kServices,
    kSlots,
    kBackends,
    kBackendStatus,
    kServiceTraffic,
    kBackendTraffic,
    kFlows,
    kNatSources,
    kInterfaces,
    kFragments,
    kAnswers,
    kCounters,
    kLiveness,
    kWatch,
    kLocalAgent,
    kMapCount
  };
  static const std::array<const char*, kMapCount> kMapNames;
  enum class Layouts { current, known };

  explicit BalancerMaps(std::string where) : where_(std::move(where)) {}

  static Result<BalancerMaps> load_fresh(const PinDirectory& directory, const core::Limits& limits,
                                         PathSettings settings);
  static Result<BalancerMaps> adopt(const PinDirectory& directory, Layouts layouts);
  static Result<BalancerMaps> open_pins(const PinDirectory& directory, Access access, Layouts layouts);
  Result<void> pin_all(const PinDirectory& directory) const;
  Result<void> open_pin_of(const PinDirectory& directory, MapIndex index);
  Result<void> open_maps(const PinDirectory& directory);
  Result<void> make_what_the_layout_lacks();
  Result<void> make_missing_maps();
  Result<void> load_on_maps(balancer_bpf& skeleton) const;
  Result<void> carry_counters(std::uint32_t rows);
  Result<void> pin_what_was_made(const PinDirectory& directory) const;
  void unpin_what_was_made(const PinDirectory& directory) const;
  Result<void> map_state(Access access);
  Result<void> map_arrays(Access access);
  Result<void> check_layout(Layouts layouts) const;
  Result<void> check_sizes() const;
  Result<std::string> read_document() const;
  void admit_to_filter(const phx_vip_key& key);
  int map(MapIndex index) const { return maps_[index].get(); }
  phx_state_header* header() const;
  std::byte* copy(std::uint64_t which) const;

  std::string where_;  // the directory, for sentences
  PathProgram program_;
  std::array<Descriptor, kMapCount> maps_;
  MappedArray<phx_vip_filter> vip_filter_;
  VipCache vip_cache_;
  MappedArray<phx_service> services_;
  MappedArray<phx_slot> slots_;
  MappedArray<phx_backend> backends_;
  MappedArray<phx_backend_status> backend_status_;
  MappedArray<phx_flow_set> flows_;
  MappedArray<phx_liveness> liveness_;
  MappedArray<StatePage> state_;
  // Between take_over() of a former layout and install(): what that lacks, and its counters, which are fewer.
  std::vector<MapIndex> made_;
  Descriptor former_counters_;
};

}  // namespace phalanx::adapters
