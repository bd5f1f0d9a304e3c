// SPDX-License-Identifier: Apache-2.0
#include "adapters/config/decode_announce.hpp"

#include <sys/un.h>

#include <algorithm>
#include <map>
#include <string>

namespace phalanx::adapters {

namespace {

constexpr std::size_t kLongestPath = sizeof(sockaddr_un{}.sun_path) - 1;
constexpr std::size_t kLongestProtocol = 63;  // SYM_MAX_LEN of BIRD 2, less its end

void decode_bird(const MaybeField& field, core::AnnounceSettings& announce, Problems& problems) {
  const auto path = read_text(field, problems);
  if (!path) {
    return;
  }
  const bool clean = path->find('\0') == std::string::npos;
  if (!path->starts_with('/') || path->size() > kLongestPath || !clean) {
    error_at(*field, problems,
             quoted(*path) + " is not the path of a socket; write an absolute path of at most " +
                 std::to_string(kLongestPath) + " bytes, such as \"/run/bird/bird.ctl\"");
    return;
  }
  announce.bird = *path;
}

// What BIRD takes for a symbol without quotes. The word "all" would mean every protocol.
bool is_protocol(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto part = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kLongestProtocol && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), part) && name != "all";
}

// `seen`: names and where they stand, over both lists.
std::vector<std::string> decode_protocols(const MaybeField& field, std::map<std::string, std::string>& seen,
                                          Problems& problems) {
  std::vector<std::string> names;
  for (const Field& element : read_list(field, problems)) {
    const auto name = read_text(element, problems);
    if (!name) {
      continue;
    }
    if (!is_protocol(*name)) {
      error_at(element, problems,
               quoted(*name) +
                   " is not the name of a BIRD protocol; it has 1 to 63 letters, digits and underscores, no "
                   "digit first, and is not \"all\"");
      continue;
    }
    if (const auto [first, fresh] = seen.emplace(*name, element.pointer); !fresh) {
      error_at(
          element, problems,
          "the protocol " + quoted(*name) + " stands at " + first->second + " already; each is named once");
      continue;
    }
    names.push_back(*name);
  }
  return names;
}

}  // namespace

core::AnnounceSettings decode_announce(const Field& field, Problems& problems) {
  using std::chrono::hours;
  using std::chrono::minutes;
  using std::chrono::seconds;
  core::AnnounceSettings announce;
  std::map<std::string, std::string> seen;
  ObjectReader reader(field, problems);
  decode_bird(reader.optional("bird"), announce, problems);
  announce.protocols = decode_protocols(reader.required("protocols"), seen, problems);
  announce.fallback = decode_protocols(reader.optional("fallback"), seen, problems);
  set(announce.grace, read_duration(reader.optional("grace"), problems, seconds(1), hours(24)));
  set(announce.withdraw_wait,
      read_duration(reader.optional("withdraw_wait"), problems, seconds(0), minutes(5)));
  reader.finish();
  return announce;
}

}  // namespace phalanx::adapters
