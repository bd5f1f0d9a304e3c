// SPDX-License-Identifier: Apache-2.0
// A connection that a socket here has is remembered for a moment. What that may not change: whose packets are
// taken.
#include <sys/socket.h>

#include <algorithm>
#include <chrono>

#include "agent_hops.hpp"

namespace phalanx::test {
namespace {

using namespace std::chrono_literals;

class AgentKnown : public AgentHops {
 protected:
  struct Connection {
    Socket server, client, ours;
  };

  // As each_way(), with a connection of its own for each.
  void each_connection(const std::function<void(const Way&)>& act) {
    each_way([&](const Way& way) {
      Way mine = way;
      mine.client.port = static_cast<std::uint16_t>(43000 + next_port++);
      act(mine);
    });
  }

  static Connection open(const Way& way) {
    Connection connection{listening(way.vip), {}, {}};
    connection.client = connected(SOCK_STREAM, way.client, way.vip);
    connection.ours = accepted(connection.server);
    return connection;
  }
  // Its end, with nothing left in time-wait.
  static void abort(Connection& connection) {
    const linger at_once{1, 0};
    setsockopt(connection.ours.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    connection.ours.close();
    connection.client.close();
    connection.server.close();
  }

  // What is remembered is believed for a tenth of a second at least, and a busy machine may take longer from
  // one line to the next: so what needs it is done anew until it was in time.
  static void in_time(const std::function<bool()>& act) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!act()) ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "nothing was remembered";
  }

  // The connection is remembered, and its socket gone.
  void remember(const Way& way) {
    Connection connection = open(way);
    expect_known(way, segment(way), "accepted_established");
    abort(connection);
  }
  bool is_taken(const Way& way, const Packet& inner) {
    return agent.run(with_hop(way, inner)).counters.count("accepted_established") != 0;
  }
  bool is_believed(const Way& way) { return is_taken(way, segment(way)); }

  std::size_t remembered() const {
    const auto rows = agent.known();
    return rows.size() - static_cast<std::size_t>(std::count(rows.begin(), rows.end(), 0));
  }
  void forget() {
    const auto rows = agent.known();
    for (std::uint32_t row = 0; row < rows.size(); row++) {
      if (rows[row] != 0) agent.set_known(row, 0);
    }
  }
  // Of the one connection that is remembered.
  std::uint32_t its_row() const {
    const auto rows = agent.known();
    return static_cast<std::uint32_t>(
        std::find_if(rows.begin(), rows.end(), [](auto row) { return row != 0; }) - rows.begin());
  }
};

TEST_F(AgentKnown, an_established_connection_is_remembered_in_one_row) {
  each_connection([&](const Way& way) {
    forget();
    Connection connection = open(way);
    EXPECT_EQ(remembered(), 0u);
    for (int i = 0; i < 3; i++) expect_known(way, segment(way), "accepted_established");
    EXPECT_EQ(remembered(), 1u);
    abort(connection);
  });
}

TEST_F(AgentKnown, a_remembered_connection_is_taken_without_asking_for_its_socket) {
  each_connection([&](const Way& way) {
    in_time([&] {
      remember(way);
      return is_believed(way);
    });
  });
}

TEST_F(AgentKnown, what_is_remembered_is_forgotten_soon) {
  each_connection([&](const Way& way) {
    remember(way);
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (is_believed(way)) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    expect_passed_on(way, segment(way));
  });
}

TEST_F(AgentKnown, packets_that_are_believed_do_not_prolong_the_belief) {
  each_connection([&](const Way& way) {
    forget();
    remember(way);
    const auto row = agent.known()[its_row()];
    while (is_believed(way)) ASSERT_EQ(agent.known()[its_row()], row);
  });
}

TEST_F(AgentKnown, a_syn_after_a_remembered_connection_is_not_believed_and_ends_the_belief) {
  each_connection([&](const Way& way) {
    in_time([&] {
      forget();
      remember(way);
      expect_passed_on(way, segment(way, kSyn));
      return remembered() == 0;
    });
    expect_passed_on(way, segment(way));
  });
}

TEST_F(AgentKnown, a_syn_after_a_remembered_connection_is_taken_by_a_listener_that_is_here) {
  each_connection([&](const Way& way) {
    remember(way);
    const Socket server = listening(way.vip);
    expect_known(way, segment(way, kSyn), "accepted_syn");
  });
}

TEST_F(AgentKnown, what_ends_a_connection_ends_the_belief) {
  each_connection([&](const Way& way) {
    for (const std::uint8_t flags : {kFin, std::uint8_t(kFin | kAck), kRst, std::uint8_t(kRst | kAck),
                                     std::uint8_t(kSyn | kAck), std::uint8_t(0xff)}) {
      in_time([&] {
        forget();
        remember(way);
        expect_passed_on(way, segment(way, flags));
        return remembered() == 0;
      });
      expect_passed_on(way, segment(way));
    }
  });
}

TEST_F(AgentKnown, what_ends_a_connection_is_no_reason_to_remember_it) {
  each_connection([&](const Way& way) {
    forget();
    Connection connection = open(way);
    for (const std::uint8_t flags : {kFin, kRst, kSyn}) {
      expect_known(way, segment(way, flags), "accepted_established");
      EXPECT_EQ(remembered(), 0u);
    }
    abort(connection);
  });
}

TEST_F(AgentKnown, rows_that_are_too_old_or_of_the_future_are_not_believed) {
  each_connection([&](const Way& way) {
    forget();
    remember(way);
    const std::uint32_t row = its_row();
    const std::uint64_t value = agent.known()[row];
    for (const std::int64_t epochs : {-3ll, -4ll, -100'000ll, 1'000'000ll, 1ll << 40, -(1ll << 40)}) {
      agent.set_known(row, value + static_cast<std::uint64_t>(epochs));
      expect_passed_on(way, segment(way));
    }
    for (const std::uint64_t nobodys :
         {std::uint64_t{1}, ~std::uint64_t{0}, value ^ std::uint64_t{1} << 63}) {
      agent.set_known(row, nobodys);
      expect_passed_on(way, segment(way));
    }
  });
}

TEST_F(AgentKnown, a_row_speaks_for_no_other_connection) {
  each_connection([&](const Way& way) {
    const bool ipv6 = is_ipv6(way.vip.address);
    std::vector<Way> others(5, way);
    others[0].client.port++;
    others[1].client.port ^= 0x8000;
    others[2].client.address = ipv6 ? "2001:db8:c::8" : "203.0.113.6";
    others[3].client.address = ipv6 ? "a001:db8:c::7" : "75.0.113.7";
    others[4].vip.port++;
    Way swapped = way;
    std::swap(swapped.client.port, swapped.vip.port);
    others.push_back(swapped);
    in_time([&] {
      remember(way);
      for (const Way& other : others) expect_passed_on(other, segment(other));
      return is_believed(way);
    });
  });
}

TEST_F(AgentKnown, only_plain_segments_are_believed) {
  each_connection([&](const Way& way) {
    const bool ipv6 = is_ipv6(way.vip.address);
    Packet odd = segment(way);
    if (ipv6) {
      odd.extension(60);
    } else {
      odd.options(3);
    }
    const Packet error = ipv6 ? error_about(tcp6(way.vip, way.client), "2001:db8:77::1", 1, 0, 1000)
                              : error_about(tcp4(way.vip, way.client), "192.0.2.77", 3, 1, 1000);
    in_time([&] {
      remember(way);
      for (const Packet& inner : {odd, error, datagram(way)}) expect_passed_on(way, inner);
      return is_believed(way);
    });
  });
}

TEST_F(AgentKnown, an_error_about_a_connection_is_no_reason_to_remember_it) {
  each_connection([&](const Way& way) {
    forget();
    Connection connection = open(way);
    const bool ipv6 = is_ipv6(way.vip.address);
    expect_known(way,
                 ipv6 ? error_about(tcp6(way.vip, way.client), "2001:db8:77::1", 1, 0, 1000)
                      : error_about(tcp4(way.vip, way.client), "192.0.2.77", 3, 1, 1000),
                 "accepted_quote");
    EXPECT_EQ(remembered(), 0u);
    abort(connection);
  });
}

TEST_F(AgentKnown, handshakes_closing_connections_and_time_wait_are_not_remembered) {
  each_connection([&](const Way& way) {
    forget();
    Connection connection = open(way);
    ::shutdown(connection.client.fd(), SHUT_WR);  // the server's socket is in close-wait
    expect_known(way, segment(way), "accepted_established");
    connection.ours.close();
    EXPECT_EQ(remembered(), 0u);
    connection.client.close();
    Way second = way;
    second.client.port = static_cast<std::uint16_t>(43000 + next_port++);
    connection.client = connected(SOCK_STREAM, second.client, second.vip);
    connection.ours = accepted(connection.server);
    connection.ours.close();  // first: time-wait is the server's
    connection.client.close();
    expect_known(second, segment(second), "accepted_established");
    EXPECT_EQ(remembered(), 0u);
    expect_known(way, segment(way, kSyn), "accepted_syn");
    EXPECT_EQ(remembered(), 0u);
  });
}

TEST_F(AgentKnown, udp_sockets_are_asked_for_each_time) {
  each_connection([&](const Way& way) {
    forget();
    {
      const Socket socket = connected(SOCK_DGRAM, way.vip, way.client);
      expect_known(way, datagram(way), "accepted_established");
    }
    EXPECT_EQ(remembered(), 0u);
    expect_passed_on(way, datagram(way));
  });
}

TEST_F(AgentKnown, memory_opens_no_door_to_strangers_nor_to_other_addresses) {
  each_connection([&](const Way& way) {
    Way elsewhere = way;
    elsewhere.vip.address = is_ipv6(way.vip.address) ? "2001:db8:e::11" : "198.51.100.11";
    in_time([&] {
      remember(way);
      agent.run(gue_tunnel(way.stranger, way.self, segment(way), {.private_data = hops({way.peer})}))
          .dropped()
          .counted({"refused_source"});
      agent.run(with_hop(elsewhere, segment(elsewhere))).passed().unchanged().counted({"not_vip_passed"});
      return is_believed(way);
    });
  });
}

TEST_F(AgentKnown, hops_are_judged_whatever_is_remembered) {
  each_connection([&](const Way& way) {
    Bytes beyond = hops({way.peer}, 2);
    Bytes cut = hops({way.peer});
    cut[3] = 3;
    in_time([&] {
      remember(way);
      agent.run(with_hops(way, segment(way), beyond)).dropped().counted({"hops_beyond_dropped"});
      agent.run(with_hops(way, segment(way), cut)).dropped().counted({"hops_cut_dropped"});
      expect_taken(way, with_hops(way, segment(way), hops({way.peer}, 1)), segment(way), "accepted_last_hop");
      return is_believed(way);
    });
  });
}

TEST_F(AgentKnown, without_keys_nothing_is_remembered) {
  AgentRun forgetful({.remembers = false});
  forgetful.add_vip(vip4.address);
  forgetful.add_vip(vip6.address);
  forgetful.add_nodes(node4, 32);
  forgetful.add_nodes(node6, 128);
  each_connection([&](const Way& way) {
    Connection connection = open(way);
    forgetful.run(with_hop(way, segment(way))).passed().counted({way.taken, "accepted_established"});
    const auto rows = forgetful.known();
    EXPECT_EQ(std::count(rows.begin(), rows.end(), 0), PHX_AGENT_KNOWN_ROWS);
    abort(connection);
  });
}

}  // namespace
}  // namespace phalanx::test
