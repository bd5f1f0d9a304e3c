// SPDX-License-Identifier: Apache-2.0
#include "native/runtime.hpp"

#include <linux/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace phalanx::fuzz {
namespace {

constexpr std::size_t kHeadroom = 256;  // XDP_PACKET_HEADROOM
constexpr std::size_t kFrameEnd = 40;   // of the headroom, what the kernel keeps for struct xdp_frame
constexpr std::size_t kTailroom = 320;  // at least what a skb's shared info takes
constexpr std::size_t kRoom = kHeadroom + kMaxFrame + kTailroom;

// A context holds addresses in 32 bits.
std::uint8_t* low_memory() {
  static std::uint8_t* const memory = [] {
    void* mapped =
        ::mmap(nullptr, kRoom, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (mapped == MAP_FAILED) std::abort();
    return static_cast<std::uint8_t*>(mapped);
  }();
  return memory;
}

std::uint8_t* address(std::uint32_t of) {
  return reinterpret_cast<std::uint8_t*>(std::uintptr_t{of});
}

void fence(const xdp_md& ctx) {
  ASAN_POISON_MEMORY_REGION(low_memory(), kRoom);
  ASAN_UNPOISON_MEMORY_REGION(address(ctx.data), ctx.data_end - ctx.data);
}

// Of some state, in turn that of a request, a listener, a connection.
bpf_sock* socket_of(const bpf_sock_tuple& tuple, std::uint32_t size) {
  static bpf_sock socket;
  const bool ipv4 = size == sizeof(tuple.ipv4);
  if (!ipv4 && size != sizeof(tuple.ipv6)) std::abort();
  const std::uint32_t ports =
      ipv4 ? tuple.ipv4.sport + tuple.ipv4.dport : tuple.ipv6.sport + tuple.ipv6.dport;
  socket.state = ports % 16;
  return sockets_exist && socket.state != 0 ? &socket : nullptr;
}

Map& map_of(void* declared) {
  return **static_cast<Map**>(declared);
}

}  // namespace

bool Map::is_array() const {
  return declaration_.type == BPF_MAP_TYPE_ARRAY || declaration_.type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

void* Map::find(const void* key) {
  if (is_array()) {
    std::uint32_t index = 0;
    std::memcpy(&index, key, sizeof index);
    if (index >= declaration_.max_entries) return nullptr;
    const std::size_t stride = (declaration_.value_size + 7) / 8;
    array_.resize(stride * declaration_.max_entries);
    return &array_[index * stride];
  }
  const auto row = rows_.find(std::string(static_cast<const char*>(key), declaration_.key_size));
  return row == rows_.end() ? nullptr : row->second.data();
}

long Map::update(const void* key, const void* value) {
  if (void* row = find(key)) {
    std::memcpy(row, value, declaration_.value_size);
    return 0;
  }
  if (is_array()) return -E2BIG;
  if (rows_.size() >= declaration_.max_entries) {
    if (declaration_.type != BPF_MAP_TYPE_LRU_HASH) return -E2BIG;
    rows_.clear();  // which rows the kernel would push out is its own affair
  }
  auto& row = rows_[std::string(static_cast<const char*>(key), declaration_.key_size)];
  row.resize((declaration_.value_size + 7) / 8);
  std::memcpy(row.data(), value, declaration_.value_size);
  return 0;
}

long Map::erase(const void* key) {
  return rows_.erase(std::string(static_cast<const char*>(key), declaration_.key_size)) == 1 ? 0 : -ENOENT;
}

std::vector<std::uint64_t> Map::words() {
  const std::uint32_t first = 0;
  find(&first);
  return array_;
}

NativeProgram::NativeProgram(Entry entry, const native_map_declaration* declarations) : entry_(entry) {
  for (const native_map_declaration* each = declarations; each->name != nullptr; ++each) {
    *each->declared = &maps_.emplace(each->name, Map(*each)).first->second;
  }
}

NativeProgram::Result NativeProgram::run(std::span<const std::uint8_t> frame) {
  if (frame.size() < kMinFrame || frame.size() > kMaxFrame) std::abort();
  ASAN_UNPOISON_MEMORY_REGION(low_memory(), kRoom);
  std::uint8_t* data = low_memory() + kHeadroom;
  std::copy(frame.begin(), frame.end(), data);
  xdp_md ctx{};
  ctx.data = ctx.data_meta = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(data));
  ctx.data_end = ctx.data + static_cast<std::uint32_t>(frame.size());
  ctx.ingress_ifindex = kIngress;
  fence(ctx);
  const auto verdict = static_cast<std::uint32_t>(entry_(&ctx));
  ASAN_UNPOISON_MEMORY_REGION(low_memory(), kRoom);
  return {verdict, {address(ctx.data), address(ctx.data_end)}};
}

}  // namespace phalanx::fuzz

using namespace phalanx::fuzz;

extern "C" {

void* native_map_lookup_elem(void* map, const void* key) {
  return map_of(map).find(key);
}

long native_map_update_elem(void* map, const void* key, const void* value, __u64) {
  return map_of(map).update(key, value);
}

long native_map_delete_elem(void* map, const void* key) {
  return map_of(map).erase(key);
}

__u64 bpf_ktime_get_coarse_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<__u64>(now.tv_sec) * 1'000'000'000 + static_cast<__u64>(now.tv_nsec);
}

__u64 bpf_jiffies64() {
  return bpf_ktime_get_coarse_ns() / 10'000'000;
}

long bpf_redirect(__u32, __u64) {
  return XDP_REDIRECT;
}

// Nobody is in a map of interfaces.
long bpf_redirect_map(void*, __u64, __u64 flags) {
  return static_cast<long>(flags);
}

// The limits are those of the kernel's bpf_xdp_adjust_head and bpf_xdp_adjust_tail.
long bpf_xdp_adjust_head(xdp_md* ctx, int delta) {
  std::uint8_t* data = address(ctx->data) + delta;
  if (data < low_memory() + kFrameEnd || data + kMinFrame > address(ctx->data_end)) return -EINVAL;
  ctx->data = static_cast<std::uint32_t>(static_cast<std::int64_t>(ctx->data) + delta);
  fence(*ctx);
  return 0;
}

long bpf_xdp_adjust_tail(xdp_md* ctx, int delta) {
  std::uint8_t* end = address(ctx->data_end) + delta;
  if (end > low_memory() + kRoom - kTailroom || end < address(ctx->data) + kMinFrame) return -EINVAL;
  if (delta > 0) {
    ASAN_UNPOISON_MEMORY_REGION(address(ctx->data_end), static_cast<std::size_t>(delta));
    std::memset(address(ctx->data_end), 0, static_cast<std::size_t>(delta));
  }
  ctx->data_end = static_cast<std::uint32_t>(static_cast<std::int64_t>(ctx->data_end) + delta);
  fence(*ctx);
  return 0;
}

// A host without routes forwards nothing.
long bpf_fib_lookup(void*, bpf_fib_lookup*, int, __u32) {
  return BPF_FIB_LKUP_RET_NOT_FWDED;
}

// No program is in a map of programs.
long bpf_tail_call(void*, void*, __u32) {
  return -1;
}

__u32 bpf_get_smp_processor_id() {
  return 0;
}

// Time stands still: no timer fires.
long bpf_timer_init(bpf_timer*, void*, __u64) {
  return 0;
}

long bpf_timer_set_callback(bpf_timer*, void*) {
  return 0;
}

long bpf_timer_start(bpf_timer*, __u64, __u64) {
  return 0;
}

bpf_sock* bpf_skc_lookup_tcp(void*, bpf_sock_tuple* tuple, __u32 size, __u64, __u64) {
  return socket_of(*tuple, size);
}

bpf_sock* bpf_sk_lookup_udp(void*, bpf_sock_tuple* tuple, __u32 size, __u64, __u64) {
  return socket_of(*tuple, size);
}

long bpf_sk_release(void*) {
  return 0;
}

// Every second byte that decides is a cookie's. The headers are read whole, as the kernel does.
long bpf_tcp_check_syncookie(void*, void* ip, __u32 ip_size, struct tcphdr* tcp, __u32 tcp_size) {
  const auto* bytes = static_cast<const std::uint8_t*>(ip);
  std::uint8_t sum = 0;
  for (std::uint32_t i = 0; i < ip_size; ++i) sum = static_cast<std::uint8_t>(sum + bytes[i]);
  const auto* header = reinterpret_cast<const std::uint8_t*>(tcp);
  for (std::uint32_t i = 0; i < tcp_size; ++i) sum = static_cast<std::uint8_t>(sum + header[i]);
  return sum % 2 == 0 ? 0 : -ENOENT;
}
}
