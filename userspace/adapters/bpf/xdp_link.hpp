// SPDX-License-Identifier: Apache-2.0
// A program on an interface, held by a bpf_link that is pinned: it stays when the process ends, whatever ends
// it, and leaves when the pin is removed. Linux 5.9 or newer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "adapters/bpf/descriptor.hpp"
#include "adapters/bpf/pin_directory.hpp"
#include "core/config.hpp"
#include "core/result.hpp"

namespace phalanx::adapters {

// What `phalanx status` says of an interface; the texts are those of its JSON.
struct XdpDescription {
  std::string name;
  std::string mode;           // "native" or "generic"; "none": no longer attached
  std::string attach;         // "link"
  std::string reason;         // why this mode and not the one wished for; empty when there is nothing to say
  std::uint32_t program = 0;  // the kernel's id of the program that the link holds
};

class XdpLink {
 public:
  // Attaches `program` to `interface` (by name, in this process's network namespace) and pins the link as
  // directory.link_pin(interface). mode automatic: native, else generic, and describe().reason says why.
  // Nothing stays behind on failure. Fails with a sentence when
  //   - there is no such interface (it names those that exist),
  //   - another program is attached (it names it where the kernel tells, and how to detach it),
  //   - the driver has no native mode, or not at this MTU (native only; it names the remedy),
  //   - a privilege is missing.
  static Result<XdpLink> attach(const PinDirectory& directory, int program, const std::string& interface,
                                core::XdpMode mode);

  // The link pinned for `interface`; nullopt when none is. It may no longer be attached: see attached().
  static Result<std::optional<XdpLink>> adopt(const PinDirectory& directory, const std::string& interface);

  // What a start wants: adopts the link pinned for `interface` if it is attached to it in a mode that `mode`
  // allows, and swings it to `program` without losing a packet; else removes a stale pin and attaches anew.
  // Changing from native to generic or back detaches in between; a failure puts the former mode back.
  static Result<XdpLink> adopt_or_attach(const PinDirectory& directory, int program,
                                         const std::string& interface, core::XdpMode mode);

  const std::string& interface() const { return interface_; }
  // Of the interface the link was attached to; 0 when that is gone.
  std::uint32_t ifindex() const { return ifindex_; }
  // Whether the interface that has the name now is the one the link is attached to. False when it is gone,
  // was made anew, or lies in another network namespace. As of attach(), adopt() or refresh().
  bool attached() const { return mode_ != Mode::none; }
  // Attached in the driver, which then takes redirected frames as well.
  bool native() const { return mode_ == Mode::native; }
  XdpDescription describe() const;

  // Asks the kernel again.
  Result<void> refresh();

  // Replaces the program atomically: each packet meets the old one or the new one.
  Result<void> update(int program);

  // Removes the pin and detaches. Done as well when the interface is gone.
  Result<void> detach();

 private:
  enum class Mode { none, native, generic };

  XdpLink(std::string interface, std::string pin, Descriptor link)
      : interface_(std::move(interface)), pin_(std::move(pin)), link_(std::move(link)) {}

  static Result<XdpLink> attach_as(const PinDirectory& directory, int program, const std::string& interface,
                                   Mode mode, bool& driver_refused);

  std::string interface_;
  std::string pin_;
  Descriptor link_;
  std::uint32_t ifindex_ = 0;
  std::uint32_t program_id_ = 0;
  Mode mode_ = Mode::none;
  std::string reason_;
};

}  // namespace phalanx::adapters
