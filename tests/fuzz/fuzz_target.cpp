// SPDX-License-Identifier: Apache-2.0
// libFuzzer's target: an input is a frame, which goes through the balancer and through the agent.
#include <algorithm>
#include <cstring>

#include "frames.hpp"
#include "native/runtime.hpp"
#include "world.hpp"

namespace phalanx::fuzz {
namespace {

// Never moved: the program's variables point to its maps.
struct Configured : NativeProgram {
  Configured(Entry entry, const native_map_declaration* maps, void (*fill)(const PutRow&))
      : NativeProgram(entry, maps) {
    fill([this](const std::string& name, const void* key, const void* value) {
      map(name).update(key, value);
    });
  }
};

}  // namespace
}  // namespace phalanx::fuzz

using namespace phalanx::fuzz;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Configured balancer(phalanx_xdp, balancer_maps, fill_balancer);
  static Configured agent(phalanx_agent_xdp, agent_maps, fill_agent);
  sockets_exist = true;
  if (size < kMinFrame || size > kMaxFrame) return -1;
  const auto sent = balancer.run({data, size}).frame;
  const Bytes forwarded(sent.begin(), sent.end());
  if (forwarded.size() <= kMaxFrame) agent.run(forwarded);
  agent.run({data, size});
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  Dice dice(seed);
  Bytes frame;
  if (dice.once_in(2) || size < kMinFrame) {
    frame = make_frame(dice);
  } else if (dice.once_in(2)) {
    frame.assign(data, data + size);
    damage(frame, dice);
  } else {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const std::size_t fits = std::min(frame.size(), max_size);
  std::memcpy(data, frame.data(), fits);
  return fits;
}
