// SPDX-License-Identifier: Apache-2.0
#include "adapters/bird/bird_announcer.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace phalanx::adapters {

namespace {

using std::chrono::steady_clock;

std::string error_text(int error) {
  return std::generic_category().message(error);
}

std::string remedy_of(int error) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:
      return "; no BIRD runs there: start it, or correct \"bird\" of node.announce";
    case EACCES:
    case EPERM:
      return "; run as root or as a member of the socket's group";
    default:
      return "";
  }
}

}  // namespace

BirdAnnouncer::BirdAnnouncer(EventLoop& loop, core::AnnounceSettings settings,
                             WithoutFallback without_fallback, Sink sink)
    : settings_(std::move(settings)),
      without_fallback_(without_fallback),
      sink_(std::move(sink)),
      loop_(loop),
      timer_(loop.timer([this] { on_timer(); })) {}

BirdAnnouncer::~BirdAnnouncer() {
  close();
}

void BirdAnnouncer::want(core::Announcement announcement) {
  wanted_ = announcement;
  if (under_way_) {
    wanted_changed_ = true;
  } else {
    timer_.arm(steady_clock::now());
  }
}

void BirdAnnouncer::on_timer() {
  if (under_way_) {
    give_up("no answer within " + std::to_string(kAnswerWithin.count()) + " ms; see what BIRD does");
  } else {
    begin();
  }
}

bool BirdAnnouncer::Command::is_done_by(int code) const {
  return enable ? code == kBirdEnabled || code == kBirdAlreadyEnabled
                : code == kBirdDisabled || code == kBirdAlreadyDisabled;
}

std::vector<BirdAnnouncer::Command> BirdAnnouncer::commands() const {
  core::Announcement meant = stating_;
  if (meant == core::Announcement::worse && settings_.fallback.empty()) {
    meant = without_fallback_ == WithoutFallback::preferred ? core::Announcement::preferred
                                                            : core::Announcement::withdrawn;
  }
  std::vector<Command> enable;
  std::vector<Command> disable;
  const auto sort = [&](const std::vector<std::string>& protocols, core::Announcement when) {
    for (const std::string& protocol : protocols) {
      (meant == when ? enable : disable).push_back({meant == when, protocol});
    }
  };
  sort(settings_.protocols, core::Announcement::preferred);
  sort(settings_.fallback, core::Announcement::worse);
  enable.insert(enable.end(), disable.begin(), disable.end());
  return enable;
}

void BirdAnnouncer::begin() {
  under_way_ = true;
  wanted_changed_ = false;
  stating_ = wanted_;
  commands_ = commands();
  said_ = 0;
  problem_.clear();
  timer_.arm(steady_clock::now() + kAnswerWithin);
  if (socket_ < 0) {
    connect();
  } else if (welcomed_) {
    send_next();
  }
}

void BirdAnnouncer::connect() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  PHX_CHECK(settings_.bird.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, settings_.bird.c_str(), settings_.bird.size() + 1);
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  // A connection over a Unix socket is there at once or not at all (EAGAIN: its queue is full).
  if (socket_ < 0 || ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    nobody_there_ = error == ENOENT || error == ECONNREFUSED;
    return give_up(error_text(error) + remedy_of(error));
  }
  nobody_there_ = false;
  readable_ = loop_.watch(socket_, EPOLLIN, [this](std::uint32_t) { on_ready(); });
}

void BirdAnnouncer::on_ready() {
  char bytes[4096];
  const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (count <= 0) {
    return give_up(count == 0 ? "BIRD ended the connection" : error_text(errno));
  }
  if (!replies_.feed({bytes, static_cast<std::size_t>(count)})) {
    return give_up("what answers there is not BIRD; correct \"bird\" of node.announce");
  }
  while (const auto reply = replies_.next()) {
    on_reply(*reply);
    if (socket_ < 0) {
      return;
    }
  }
}

void BirdAnnouncer::on_reply(const BirdReply& reply) {
  if (!welcomed_) {
    if (reply.code != kBirdWelcome) {
      return give_up("it does not begin as BIRD does; correct \"bird\" of node.announce");
    }
    welcomed_ = true;
    return send_next();
  }
  if (!under_way_) {
    return give_up("it answers what nobody asked");
  }
  const Command& command = commands_[said_ - 1];
  if (!command.is_done_by(reply.code) && problem_.empty()) {
    problem_ = command.text() + " in the BIRD at " + settings_.bird + ": it says \"" + reply.text +
               "\"; define \"protocol static " + command.protocol +
               "\" in BIRD's configuration, or correct node.announce";
  }
  send_next();
}

void BirdAnnouncer::send_next() {
  if (said_ == commands_.size()) {
    return conclude();
  }
  const std::string line = commands_[said_++].text() + "\n";
  const ssize_t sent = ::send(socket_, line.data(), line.size(), MSG_NOSIGNAL);
  // A line fits into the buffer of a socket on which nothing else is on its way.
  if (sent != static_cast<ssize_t>(line.size())) {
    give_up(sent < 0 ? error_text(errno) : "it does not take a whole command");
  }
}

void BirdAnnouncer::conclude() {
  under_way_ = false;
  const bool holds = problem_.empty();
  timer_.arm(steady_clock::now() + (wanted_changed_ ? std::chrono::milliseconds(0)
                                    : holds         ? kRestate
                                                    : kRetry));
  sink_({holds ? std::optional(stating_) : std::nullopt, problem_});
}

void BirdAnnouncer::give_up(const std::string& why) {
  close();
  problem_ = "enable and disable routes in the BIRD at " + settings_.bird + ": " + why;
  under_way_ = false;
  timer_.arm(steady_clock::now() + kRetry);
  sink_({std::nullopt, problem_});
}

void BirdAnnouncer::close() {
  readable_.reset();
  if (socket_ >= 0) {
    ::close(socket_);
  }
  socket_ = -1;
  welcomed_ = false;
  replies_ = {};
}

}  // namespace phalanx::adapters
