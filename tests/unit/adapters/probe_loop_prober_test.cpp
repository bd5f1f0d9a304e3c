// SPDX-License-Identifier: Apache-2.0
// Real sockets on loopback, and where the network matters in a namespace that ends with its thread.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <thread>

#include "adapters/probe/loop_prober.hpp"

namespace phalanx::adapters {
namespace {

using core::Verdict;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kDeadline{8000};

int listening_socket(const char* address, int backlog, std::uint16_t& port) {
  const bool ipv4 = std::string_view(address).find(':') == std::string_view::npos;
  const int fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  inet_pton(AF_INET, address, &v4.sin_addr);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  inet_pton(AF_INET6, address, &v6.sin6_addr);
  auto* generic = ipv4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  socklen_t size = ipv4 ? sizeof(v4) : sizeof(v6);
  EXPECT_EQ(bind(fd, generic, size), 0);
  EXPECT_EQ(listen(fd, backlog), 0);
  EXPECT_EQ(getsockname(fd, generic, &size), 0);
  port = ntohs(ipv4 ? v4.sin_port : v6.sin6_port);
  return fd;
}

// Accepts and hands each connection to `serve`, one after the other, until it is destroyed.
class Server {
 public:
  explicit Server(std::function<void(int)> serve, const char* address = "127.0.0.1")
      : fd_(listening_socket(address, 4096, port_)), thread_([this, serve] { run(serve); }) {}
  ~Server() {
    stop_ = true;
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return port_; }
  bool stopping() const { return stop_; }
  int accepted() const { return accepted_; }

 private:
  void run(const std::function<void(int)>& serve) {
    while (!stop_) {
      const int connection = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection >= 0) {
        ++accepted_;
        serve(connection);
        close(connection);
      }
    }
  }

  std::uint16_t port_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<int> accepted_ = 0;
  int fd_;
  std::thread thread_;
};

void say(int connection, std::string_view text) {
  (void)!send(connection, text.data(), text.size(), MSG_NOSIGNAL);
}

void read_request(int connection) {
  std::string request;
  std::array<char, 4096> buffer{};
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t count = recv(connection, buffer.data(), buffer.size(), 0);
    if (count <= 0) {
      return;
    }
    request.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

std::function<void(int)> answering(std::string answer) {
  return [answer](int connection) {
    read_request(connection);
    say(connection, answer);
  };
}

void await_close(int connection) {
  std::array<char, 4096> buffer{};
  pollfd waiting{connection, POLLIN, 0};
  while (poll(&waiting, 1, 5000) > 0 && recv(connection, buffer.data(), buffer.size(), 0) > 0) {
  }
}

struct Bench {
  std::unique_ptr<EventLoop> loop = std::move(EventLoop::open().value());
  std::map<std::uint64_t, ports::ProbeOutcome> outcomes;
  std::map<std::uint64_t, int> reports;
  std::unique_ptr<LoopProber> prober = std::move(LoopProber::open(*loop, [this](ports::ProbeOutcome outcome) {
                                                   ++reports[outcome.attempt];
                                                   outcomes[outcome.attempt] = std::move(outcome);
                                                 }).value());
  std::uint64_t next = 1;

  std::uint64_t start(core::CheckType type, const char* address, std::uint16_t port, milliseconds timeout) {
    core::Check check;
    check.type = type;
    check.timeout = timeout;
    prober->start({next, {core::parse_address(address).value(), port}, check});
    return next++;
  }
  testing::AssertionResult wait(const std::function<bool()>& condition) {
    const auto deadline = steady_clock::now() + kDeadline;
    while (!condition()) {
      if (steady_clock::now() > deadline) {
        return testing::AssertionFailure() << outcomes.size() << " outcomes";
      }
      loop->run_once(milliseconds(20));
    }
    return testing::AssertionSuccess();
  }
  // "pass: connected", and whether the host was silent
  std::string outcome_of(std::uint64_t attempt) {
    EXPECT_TRUE(wait([&] { return outcomes.contains(attempt); }));
    EXPECT_EQ(reports[attempt], 1);
    const ports::ProbeOutcome& outcome = outcomes[attempt];
    const char* word = outcome.verdict == Verdict::pass   ? "pass: "
                       : outcome.verdict == Verdict::fail ? "fail: "
                                                          : "inconclusive: ";
    return word + outcome.reason + (outcome.heard ? "" : " (silent)");
  }
  std::string tcp(const char* address, std::uint16_t port, milliseconds timeout = milliseconds(2000)) {
    return outcome_of(start(core::CheckType::tcp, address, port, timeout));
  }
  std::string http(std::uint16_t port, milliseconds timeout = milliseconds(2000)) {
    return outcome_of(start(core::CheckType::http, "127.0.0.1", port, timeout));
  }
};

// In a network namespace of its own, with loopback up.
void in_namespace(const std::function<void()>& body) {
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << "this test needs root";
    ASSERT_EQ(std::system("ip link set lo up"), 0);
    body();
  }).join();
}

TEST(LoopProber, a_server_that_accepts_passes) {
  Bench bench;
  Server ipv4([](int) {});
  Server ipv6([](int) {}, "::1");
  EXPECT_EQ(bench.tcp("127.0.0.1", ipv4.port()), "pass: connected");
  EXPECT_EQ(bench.tcp("::1", ipv6.port()), "pass: connected");
  EXPECT_EQ(bench.prober->in_flight(), 0u);
}

TEST(LoopProber, a_port_without_server_fails_at_once) {
  Bench bench;
  std::uint16_t port = 0;
  close(listening_socket("127.0.0.1", 1, port));
  EXPECT_EQ(bench.tcp("127.0.0.1", port), "fail: connection refused");
  EXPECT_EQ(bench.http(port), "fail: connection refused");
}

TEST(LoopProber, a_full_backlog_fails_by_the_time_out) {
  Bench bench;
  std::uint16_t port = 0;
  const int server = listening_socket("127.0.0.1", 0, port);
  const auto first = bench.start(core::CheckType::http, "127.0.0.1", port, milliseconds(4000));
  ASSERT_TRUE(bench.wait([&] {  // established, never accepted: the backlog is full
    pollfd waiting{server, POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
  }));
  const auto begin = steady_clock::now();
  EXPECT_EQ(bench.tcp("127.0.0.1", port, milliseconds(400)), "fail: no connection within 400 ms (silent)");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(400));
  EXPECT_FALSE(bench.outcomes.contains(first)) << "one deadline must not end another attempt";
  bench.prober->abandon(first);
  close(server);
}

TEST(LoopProber, http_judges_the_status) {
  Bench bench;
  Server good(answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  Server bad(answering("HTTP/1.1 503 Service Unavailable\r\n\r\n"));
  EXPECT_EQ(bench.http(good.port()), "pass: HTTP 200");
  EXPECT_EQ(bench.http(bad.port()), "fail: HTTP 503 is not in 200-299");
}

TEST(LoopProber, http_sends_a_long_request_whole) {
  Bench bench;
  std::string request;
  Server server([&](int connection) {
    std::array<char, 65536> buffer{};
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = recv(connection, buffer.data(), buffer.size(), 0);
      if (count <= 0) {
        return;
      }
      request.append(buffer.data(), static_cast<std::size_t>(count));
    }
    say(connection, "HTTP/1.1 200 OK\r\n\r\n");
  });
  core::Check check;
  check.type = core::CheckType::http;
  check.path = "/" + std::string(1 << 22, 'x');  // more than a socket takes at once
  check.timeout = milliseconds(5000);
  bench.prober->start({77, {core::parse_address("127.0.0.1").value(), server.port()}, check});
  EXPECT_EQ(bench.outcome_of(77), "pass: HTTP 200");
  EXPECT_GT(request.size(), check.path.size());
}

TEST(LoopProber, a_server_that_accepts_and_says_nothing_fails_by_the_time_out) {
  Bench bench;
  Server mute(await_close);
  EXPECT_EQ(bench.http(mute.port(), milliseconds(400)), "fail: no status line within 400 ms");
  EXPECT_EQ(bench.tcp("127.0.0.1", mute.port()), "pass: connected") << "connecting is all that tcp asks for";
}

TEST(LoopProber, an_answer_that_drips_does_not_move_the_deadline) {
  Bench bench;
  Server slow([](int connection) {
    read_request(connection);
    const std::string_view answer = "HTTP/1.1 200 OK is what this line would say in the end\r\n\r\n";
    pollfd closed{connection, POLLRDHUP, 0};
    for (std::size_t i = 0; i < answer.size() && poll(&closed, 1, 20) == 0; ++i) {
      say(connection, answer.substr(i, 1));
    }
  });
  const auto begin = steady_clock::now();
  EXPECT_EQ(bench.http(slow.port(), milliseconds(400)), "fail: no status line within 400 ms");
  EXPECT_LT(steady_clock::now() - begin, milliseconds(1000));
}

TEST(LoopProber, garbage_and_early_ends_fail) {
  Bench bench;
  Server ssh([](int connection) {
    say(connection, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    await_close(connection);
  });
  EXPECT_TRUE(bench.http(ssh.port()).starts_with("fail: the answer is not HTTP: "));
  Server closing([](int connection) { read_request(connection); });
  EXPECT_EQ(bench.http(closing.port()), "fail: the connection was closed before a status line");
  Server half(answering("HTTP/1.1 200"));
  EXPECT_EQ(bench.http(half.port()), "fail: the connection was closed before a status line");
  Server resetting([](int connection) {
    read_request(connection);
    const linger reset{1, 0};
    setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  });
  EXPECT_EQ(bench.http(resetting.port()), "fail: connection reset");
}

TEST(LoopProber, a_huge_answer_is_not_read_to_its_end) {
  Bench bench;
  Server header([](int connection) {
    read_request(connection);
    say(connection, "HTTP/1.1 200 OK\r\n");
    while (send(connection, "X-Filler: 0123456789\r\n", 22, MSG_NOSIGNAL) > 0) {
    }
  });
  EXPECT_EQ(bench.http(header.port()), "pass: HTTP 200");
  Server line([](int connection) {
    read_request(connection);
    say(connection, "HTTP/1.1 200 ");
    while (send(connection, "0123456789", 10, MSG_NOSIGNAL) > 0) {
    }
  });
  EXPECT_EQ(bench.http(line.port()), "fail: no status line in the first 16384 bytes");
}

TEST(LoopProber, an_abandoned_attempt_is_never_reported) {
  Bench bench;
  Server server([](int) {});
  const auto abandoned = bench.start(core::CheckType::tcp, "127.0.0.1", server.port(), milliseconds(50));
  bench.prober->abandon(abandoned);
  bench.prober->abandon(abandoned);
  bench.prober->abandon(4711);
  EXPECT_EQ(bench.prober->in_flight(), 0u);
  EXPECT_EQ(bench.tcp("127.0.0.1", server.port()), "pass: connected");
  Server mute(await_close);
  EXPECT_EQ(bench.http(mute.port(), milliseconds(400)), "fail: no status line within 400 ms");
  EXPECT_FALSE(bench.outcomes.contains(abandoned)) << "its time-out, too, is over by now";
}

TEST(LoopProber, the_sink_may_abandon_and_start_others) {
  auto loop = std::move(EventLoop::open().value());
  Server server([](int) {});
  std::vector<std::uint64_t> reported;
  LoopProber* probes = nullptr;
  core::Check check;
  check.timeout = milliseconds(2000);
  const core::Endpoint target{core::parse_address("127.0.0.1").value(), server.port()};
  auto prober = std::move(LoopProber::open(*loop, [&](const ports::ProbeOutcome& outcome) {
                            reported.push_back(outcome.attempt);
                            for (std::uint64_t other = 1; other <= 50; ++other) {
                              probes->abandon(other);
                            }
                            if (outcome.attempt < 100) {
                              probes->start({100, target, check});
                            }
                          }).value());
  probes = prober.get();
  for (std::uint64_t attempt = 1; attempt <= 50; ++attempt) {
    prober->start({attempt, target, check});
  }
  const auto deadline = steady_clock::now() + kDeadline;
  while (reported.size() < 2 && steady_clock::now() < deadline) {
    loop->run_once(milliseconds(20));
  }
  ASSERT_EQ(reported.size(), 2u);
  EXPECT_LE(reported[0], 50u);
  EXPECT_EQ(reported[1], 100u);
  EXPECT_EQ(prober->in_flight(), 0u);
}

TEST(LoopProber, two_thousand_at_once_pass) {
  Bench bench;
  Server server(answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  for (int i = 0; i < 2000; ++i) {
    bench.start(i % 2 == 0 ? core::CheckType::http : core::CheckType::tcp, "127.0.0.1", server.port(),
                milliseconds(7000));
  }
  ASSERT_TRUE(bench.wait([&] { return bench.outcomes.size() == 2000; }));
  for (const auto& [attempt, outcome] : bench.outcomes) {
    EXPECT_EQ(outcome.verdict, Verdict::pass) << outcome.reason;
    EXPECT_EQ(bench.reports[attempt], 1);
  }
}

TEST(LoopProber, two_thousand_time_outs_come_each_at_its_time) {
  Bench bench;
  std::uint16_t port = 0;
  const int silent = listening_socket("127.0.0.1", 4096, port);
  const auto begin = steady_clock::now();
  for (int i = 0; i < 2000; ++i) {
    bench.start(core::CheckType::http, "127.0.0.1", port, milliseconds(400 + i % 5 * 100));
  }
  ASSERT_TRUE(bench.wait([&] { return bench.outcomes.size() == 2000; }));
  EXPECT_GE(steady_clock::now() - begin, milliseconds(800));
  for (const auto& [attempt, outcome] : bench.outcomes) {
    EXPECT_EQ(outcome.verdict, Verdict::fail) << outcome.reason;
  }
  close(silent);
}

TEST(LoopProber, no_descriptors_left_is_inconclusive) {
  Bench bench;
  Server server([](int) {});
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto attempt = bench.start(core::CheckType::tcp, "127.0.0.1", server.port(), milliseconds(2000));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(bench.outcomes.empty()) << "delivered from inside start()";
  EXPECT_EQ(bench.outcome_of(attempt), "inconclusive: open a socket on this host: Too many open files");
  EXPECT_EQ(bench.tcp("127.0.0.1", server.port()), "pass: connected");
}

TEST(LoopProber, no_route_is_inconclusive_but_silence_on_the_link_fails) {
  in_namespace([] {
    Bench bench;
    EXPECT_EQ(bench.tcp("192.0.2.1", 80), "inconclusive: connect on this host: Network is unreachable");
    ASSERT_EQ(std::system("ip link add near type veth peer name far && ip addr add 10.9.0.1/24 dev near && "
                          "ip link set near up && ip "
                          "link set far up && echo 50 > /proc/sys/net/ipv4/neigh/near/retrans_time_ms"),
              0);
    EXPECT_EQ(bench.tcp("10.9.0.2", 80), "fail: host unreachable (silent)");
    ASSERT_EQ(std::system("ip route add unreachable 192.0.2.0/24"), 0);
    EXPECT_EQ(bench.tcp("192.0.2.1", 80), "inconclusive: connect on this host: No route to host");
  });
}

TEST(LoopProber, no_ports_left_is_inconclusive) {
  in_namespace([] {
    Bench bench;
    Server server(await_close);
    ASSERT_EQ(std::system("echo 61000 61000 > /proc/sys/net/ipv4/ip_local_port_range"), 0);
    const auto first = bench.start(core::CheckType::http, "127.0.0.1", server.port(), milliseconds(5000));
    EXPECT_EQ(bench.tcp("127.0.0.1", server.port()),
              "inconclusive: connect on this host: Cannot assign requested address");
    bench.prober->abandon(first);
  });
}

TEST(LoopProber, leaves_no_connection_in_time_wait) {
  in_namespace([] {
    Bench bench;
    Server server(answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(bench.http(server.port()), "pass: HTTP 200");
      EXPECT_EQ(bench.tcp("127.0.0.1", server.port()), "pass: connected");
    }
    ASSERT_TRUE(bench.wait([&] { return server.accepted() == 40; }));
    std::ifstream table("/proc/thread-self/net/tcp");
    std::string line;
    while (std::getline(table, line)) {
      std::istringstream words(line);
      std::string number, local, remote, state;
      words >> number >> local >> remote >> state;
      EXPECT_NE(state, "06") << line;
    }
  });
}

TEST(LoopProber, a_process_that_was_late_itself_accuses_nobody) {
  Bench bench;
  std::atomic<bool> answered = false;
  Server good([&](int connection) {
    read_request(connection);
    say(connection, "HTTP/1.1 200 OK\r\n\r\n");
    answered = true;
    await_close(connection);
  });
  Server mute(await_close);
  const auto answers = bench.start(core::CheckType::http, "127.0.0.1", good.port(), milliseconds(800));
  const auto silent = bench.start(core::CheckType::http, "127.0.0.1", mute.port(), milliseconds(800));
  const auto begin = steady_clock::now();
  // Both requests are sent; then the process gets no CPU time until long after the deadline.
  while (!answered && steady_clock::now() - begin < milliseconds(700)) {
    bench.loop->run_once(milliseconds(1));
    if (bench.outcomes.contains(answers)) {
      break;
    }
  }
  std::this_thread::sleep_until(begin + milliseconds(1600));
  EXPECT_TRUE(bench.outcome_of(silent).starts_with("inconclusive: this host noticed the time-out "))
      << bench.outcome_of(silent);
  EXPECT_EQ(bench.outcome_of(answers), "pass: HTTP 200");
}

// What a probe costs this process, the loopback's own work included. Printed for the reader; the bound only
// catches a blunder such as a scan of all attempts for each event.
TEST(LoopProber, costs_tens_of_microseconds_a_probe) {
  Bench bench;
  std::uint16_t port = 0;
  const int accepting = listening_socket("127.0.0.1", 4096, port);
  const auto cpu_us = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
  };
  constexpr int kProbes = 3000;
  const double before = cpu_us();
  for (int i = 0; i < kProbes; ++i) {
    bench.start(core::CheckType::tcp, "127.0.0.1", port, milliseconds(7000));
  }
  ASSERT_TRUE(bench.wait([&] { return bench.outcomes.size() == kProbes; }));
  const double each = (cpu_us() - before) / kProbes;
  RecordProperty("microseconds_a_probe", std::to_string(each));
  std::printf("a TCP probe on loopback: %.1f us of CPU\n", each);
  EXPECT_LT(each, 1000);
  close(accepting);
}

}  // namespace
}  // namespace phalanx::adapters
