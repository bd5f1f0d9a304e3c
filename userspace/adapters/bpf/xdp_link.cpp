// SPDX-License-Identifier: Apache-2.0
#include "adapters/bpf/xdp_link.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

#include <cerrno>

#include "adapters/bpf/attach_error.hpp"
#include "adapters/bpf/libbpf_log.hpp"
#include "adapters/bpf/pinned_object.hpp"

namespace phalanx::adapters {
namespace {

Result<bpf_link_info> link_info(int link) {
  bpf_link_info info{};
  std::uint32_t length = sizeof(info);
  if (::bpf_obj_get_info_by_fd(link, &info, &length) != 0) {
    return fail(fmt::format("ask the kernel about a BPF link: {}", describe_errno(errno)));
  }
  return info;
}

}  // namespace

Result<XdpLink> XdpLink::attach(const PinDirectory& directory, int program, const std::string& interface,
                                core::XdpMode mode) {
  bool driver_refused = false;
  if (mode == core::XdpMode::generic) {
    return attach_as(directory, program, interface, Mode::generic, driver_refused);
  }
  Result<XdpLink> native = attach_as(directory, program, interface, Mode::native, driver_refused);
  if (native || mode == core::XdpMode::native || !driver_refused) {
    return native;
  }
  Result<XdpLink> generic = attach_as(directory, program, interface, Mode::generic, driver_refused);
  if (generic) {
    generic->reason_ = native.error().message;
  }
  return generic;
}

Result<XdpLink> XdpLink::attach_as(const PinDirectory& directory, int program, const std::string& interface,
                                   Mode mode, bool& driver_refused) {
  const std::uint32_t ifindex = ::if_nametoindex(interface.c_str());
  if (ifindex == 0) {
    return fail(no_such_interface(interface));
  }
  bpf_link_create_opts options{};
  options.sz = sizeof(options);
  options.flags = mode == Mode::native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
  Descriptor link(::bpf_link_create(program, static_cast<int>(ifindex), BPF_XDP, &options));
  if (!link.valid()) {
    const int error = errno;
    driver_refused = refused_by_driver(error);
    return fail(attach_refusal(interface, ifindex, mode == Mode::native, error));
  }
  XdpLink made(interface, directory.link_pin(interface), std::move(link));
  Result<void> done = pin_object(made.link_.get(), made.pin_);
  if (done) {
    done = made.refresh();
  }
  if (!done) {
    // Without this the kernel detaches some time after the descriptor is closed.
    ::bpf_link_detach(made.link_.get());
    ::unlink(made.pin_.c_str());
    return Failure(done.error());
  }
  return made;
}

Result<std::optional<XdpLink>> XdpLink::adopt(const PinDirectory& directory, const std::string& interface) {
  const std::string pin = directory.link_pin(interface);
  if (::access(pin.c_str(), F_OK) != 0) {
    return std::optional<XdpLink>();
  }
  Result<Descriptor> link = open_pin(pin, PinAccess::read_write);
  if (!link) {
    return Failure(link.error());
  }
  XdpLink adopted(interface, pin, std::move(*link));
  if (const Result<void> asked = adopted.refresh(); !asked) {
    return Failure(asked.error());
  }
  if (adopted.mode_ == Mode::generic) {
    adopted.reason_ = "attached in generic mode by an earlier start";
  }
  return std::optional<XdpLink>(std::move(adopted));
}

Result<XdpLink> XdpLink::adopt_or_attach(const PinDirectory& directory, int program,
                                         const std::string& interface, core::XdpMode mode) {
  Result<std::optional<XdpLink>> pinned = adopt(directory, interface);
  if (!pinned) {
    return Failure(pinned.error());
  }
  if (!pinned->has_value()) {
    return attach(directory, program, interface, mode);
  }
  XdpLink& former = **pinned;
  const bool allowed =
      mode == core::XdpMode::automatic || (mode == core::XdpMode::native) == (former.mode_ == Mode::native);
  if (former.attached() && allowed) {
    if (const Result<void> updated = former.update(program); !updated) {
      return Failure(updated.error());
    }
    if (mode == core::XdpMode::generic) {
      former.reason_.clear();
    }
    return std::move(former);
  }
  const Mode former_mode = former.mode_;
  if (const Result<void> detached = former.detach(); !detached) {
    return Failure(detached.error());
  }
  Result<XdpLink> attached = attach(directory, program, interface, mode);
  if (!attached && former_mode != Mode::none) {
    bool driver_refused = false;
    if (const Result<XdpLink> back = attach_as(directory, program, interface, former_mode, driver_refused);
        !back) {
      return fail(fmt::format("{}; going back to the former mode failed too: {}", attached.error().message,
                              back.error().message));
    }
  }
  return attached;
}

XdpDescription XdpLink::describe() const {
  switch (mode_) {
    case Mode::native:
      return {interface_, "native", "link", reason_, program_id_};
    case Mode::generic:
      return {interface_, "generic", "link", reason_, program_id_};
    case Mode::none:
      break;
  }
  return {interface_, "none", "link",
          fmt::format("no longer attached: {} is gone, was made anew, or lies in another network namespace",
                      interface_),
          0};
}

Result<void> XdpLink::refresh() {
  const Result<bpf_link_info> info = link_info(link_.get());
  if (!info) {
    return Failure(info.error());
  }
  ifindex_ = info->xdp.ifindex;
  program_id_ = info->prog_id;
  mode_ = Mode::none;
  if (ifindex_ == 0 || ::if_nametoindex(interface_.c_str()) != ifindex_) {
    return {};
  }
  // An index says nothing across network namespaces; that this program is there does.
  const LibbpfLog log;
  bpf_xdp_query_opts query{};
  query.sz = sizeof(query);
  if (::bpf_xdp_query(static_cast<int>(ifindex_), 0, &query) != 0) {
    return {};
  }
  if (query.drv_prog_id == program_id_) {
    mode_ = Mode::native;
  } else if (query.skb_prog_id == program_id_) {
    mode_ = Mode::generic;
  }
  return {};
}

Result<void> XdpLink::update(int program) {
  const Result<ProgramIdentity> wanted = program_identity(program);
  if (!wanted) {
    return Failure(wanted.error());
  }
  if (wanted->id == program_id_) {
    return {};
  }
  if (::bpf_link_update(link_.get(), program, nullptr) != 0) {
    if (errno == EPERM || errno == EACCES) {
      return fail(missing_privilege("replace the program on " + interface_));
    }
    return fail(fmt::format("replace the program on {}: {}; the former one stays", interface_,
                            describe_errno(errno)));
  }
  program_id_ = wanted->id;
  return refresh();
}

Result<void> XdpLink::detach() {
  // First, since the kernel detaches only some time after the last pin and descriptor are gone. Whether it
  // succeeds does not matter where the interface is gone.
  const int error = ::bpf_link_detach(link_.get()) == 0 ? 0 : errno;
  if (error == EPERM || error == EACCES) {
    return fail(missing_privilege("detach from " + interface_));
  }
  if (::unlink(pin_.c_str()) != 0 && errno != ENOENT) {
    return fail(fmt::format("remove {}: {}", pin_, describe_errno(errno)));
  }
  mode_ = Mode::none;
  ifindex_ = 0;
  return {};
}

}  // namespace phalanx::adapters
