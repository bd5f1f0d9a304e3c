// SPDX-License-Identifier: Apache-2.0
// The agent takes packets for VIPs out of the GUE of its nodes, if it understands all of the header.
#include <random>

#include "agent_run.hpp"

namespace phalanx::test {
namespace {

class AgentGue : public Agent {
 protected:
  // The same header before a packet of each family, over each family, from a node.
  void expect_all_refused(const Gue& header, const std::string& counter) {
    expect_refused(gue_tunnel(node4, self4, in4, header), counter);
    expect_refused(gue_tunnel(node6, self6, in4, header), counter);
    expect_refused(gue_tunnel(node4, self4, in6, header), counter);
    expect_refused(gue_tunnel(node6, self6, in6, header), counter);
  }
  void expect_all_decapsulated(const Gue& header) {
    expect_decapsulated(gue_tunnel(node4, self4, in4, header), in4, "decapsulated_gue_4in4");
    expect_decapsulated(gue_tunnel(node4, self4, in6, header), in6, "decapsulated_gue_6in4");
    expect_decapsulated(gue_tunnel(node6, self6, in4, header), in4, "decapsulated_gue_4in6");
    expect_decapsulated(gue_tunnel(node6, self6, in6, header), in6, "decapsulated_gue_6in6");
  }

  const Packet in4 = tcp4(client4, vip4).payload(100);
  const Packet in6 = udp6(client6, vip6).payload(101);
};

TEST_F(AgentGue, decapsulates_all_four_combinations) {
  expect_all_decapsulated({});
}

TEST_F(AgentGue, decapsulates_packets_of_every_size) {
  for (std::size_t size = 0; size < 3000; size += size < 64 ? 1 : 101) {
    const Packet inner = udp4(client4, vip4).payload(size);
    expect_decapsulated(gue_tunnel(node4, self4, inner), inner, "decapsulated_gue_4in4");
  }
}

TEST_F(AgentGue, decapsulates_fragments_and_options_inside) {
  const Packet fragment = udp4(client4, vip4).fragment(9, true);
  const Packet options = tcp4(client4, vip4).options(4);
  expect_decapsulated(gue_tunnel(node4, self4, fragment), fragment, "decapsulated_gue_4in4");
  expect_decapsulated(gue_tunnel(node6, self6, options), options, "decapsulated_gue_4in6");
}

TEST_F(AgentGue, takes_any_udp_checksum) {
  expect_all_decapsulated({.checksum = 0x1234});
  expect_all_decapsulated({.checksum = 0xffff});
}

TEST_F(AgentGue, keeps_the_padding_of_a_short_frame_out_of_the_packet) {
  const Packet inner = udp4(client4, vip4).payload(0);
  Packet padded = inner;
  expect_decapsulated(gue_tunnel(node4, self4, inner).padded_to(92), padded.padded_to(60),
                      "decapsulated_gue_4in4");
}

TEST_F(AgentGue, refuses_what_it_does_not_understand_of_the_header) {
  for (std::uint8_t version = 1; version < 4; version++) {
    expect_all_refused({.version = version}, "refused_version");
  }
  expect_all_refused({.control = true}, "refused_control");
  for (unsigned flag = 0; flag < 16; flag++) {
    expect_all_refused({.flags = static_cast<std::uint16_t>(1u << flag)}, "refused_flags");
  }
  for (const unsigned protocol : {0u, 6u, 17u, 59u, 255u}) {
    expect_all_refused({.protocol = static_cast<std::uint8_t>(protocol)}, "refused_protocol");
  }
}

TEST_F(AgentGue, refuses_packets_whose_lengths_lie) {
  expect_all_refused({.words = std::uint8_t{31}}, "refused_inner");
  for (const unsigned length : {0u, 8u, 11u, 31u, 9999u, 65535u}) {
    expect_all_refused({.udp_length = static_cast<std::uint16_t>(length)}, "refused_inner");
  }
  expect_refused(gue_tunnel(node4, self4, in4).claiming_length(2000), "refused_inner");
  expect_refused(gue_tunnel(node4, self4, in4).claiming_length(31), "refused_inner");
  expect_refused(gue_tunnel(node6, self6, in4).claiming_length(11), "refused_inner");
  expect_refused(gue_tunnel(node4, self4, tcp4(client4, vip4).claiming_length(9999)), "refused_inner");
  expect_refused(gue_tunnel(node4, self4, in4, {.protocol = std::uint8_t{41}}), "refused_inner");
  expect_refused(gue_tunnel(node4, self4, in6, {.protocol = std::uint8_t{4}}), "refused_inner");
}

TEST_F(AgentGue, refuses_packets_for_a_vip_from_strangers) {
  expect_refused(gue_tunnel(stranger4, self4, in4), "refused_source");
  expect_refused(gue_tunnel(stranger4, self4, in6), "refused_source");
  expect_refused(gue_tunnel(stranger6, self6, in4), "refused_source");
  expect_refused(gue_tunnel(stranger6, self6, in6), "refused_source");
}

TEST_F(AgentGue, leaves_gue_alone_that_neither_a_node_sent_nor_a_vip_is_for) {
  const Packet elsewhere = tcp4(client4, {"198.51.100.11", 80});
  agent.run(gue_tunnel(stranger4, self4, elsewhere)).ignored();
  agent.run(gue_tunnel(stranger4, self4, in4, {.control = true})).ignored();
  agent.run(gue_tunnel(stranger6, self6, in6, {.version = 1})).ignored();
  expect_passed(gue_tunnel(node4, self4, elsewhere), "not_vip_passed");
}

TEST_F(AgentGue, leaves_other_ports_alone) {
  agent.run(gue_tunnel(node4, self4, in4, {.port = 6081})).ignored();
  agent.run(gue_tunnel(node6, self6, in6, {.port = 53})).ignored();
}

TEST_F(AgentGue, listens_on_the_port_that_the_configuration_names) {
  AgentRun elsewhere({.gue_port = 5555});
  elsewhere.add_vip(vip4.address);
  elsewhere.add_nodes(node4, 32);
  elsewhere.run(gue_tunnel(node4, self4, in4)).ignored();
  elsewhere.run(gue_tunnel(node4, self4, in4, {.port = 5555})).passed().counted({"decapsulated_gue_4in4"});
}

TEST_F(AgentGue, leaves_outer_fragments_and_options_to_the_kernel) {
  agent.run(gue_tunnel(node4, self4, in4).fragment(0, true)).ignored();
  agent.run(gue_tunnel(node4, self4, in4).options(2)).ignored();
  agent.run(gue_tunnel(node6, self6, in4).fragment(0, true)).ignored();
  agent.run(gue_tunnel(node6, self6, in4).extension(60)).ignored();
}

TEST_F(AgentGue, refuses_packets_cut_off_at_any_byte) {
  struct Case {
    Bytes frame;
    std::size_t ports_end;
  };
  const Case whole[] = {{gue_tunnel(node4, self4, tcp4(client4, vip4).payload(3)).frame(), 42},
                        {gue_tunnel(node4, self4, tcp6(client6, vip6).payload(3)).frame(), 42},
                        {gue_tunnel(node6, self6, tcp4(client4, vip4).payload(3)).frame(), 62},
                        {gue_tunnel(node6, self6, tcp6(client6, vip6).payload(3)).frame(), 62}};
  for (const auto& [frame, ports_end] : whole) {
    for (std::size_t size = 14; size < frame.size(); size++) {
      const Outcome outcome = agent.run(part(frame, 0, size));
      if (size < ports_end) {
        outcome.ignored();
      } else {
        outcome.dropped().counted({"refused_inner"});
      }
    }
  }
}

TEST_F(AgentGue, judges_garbage_behind_the_ports_exactly_once) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 3000; i++) {
    Bytes frame = gue_tunnel(i % 2 != 0 ? node4 : node6, i % 2 != 0 ? self4 : self6, in4).frame();
    const std::size_t header = i % 2 != 0 ? 42 : 62;
    for (std::size_t at = header; at < frame.size(); at++) frame[at] = static_cast<std::uint8_t>(random());
    const Outcome outcome = agent.run(frame);
    if (outcome.counters.size() != 1) {
      ADD_FAILURE() << "counted " << outcome.counters.size() << " times: " << hex(frame);
    }
    if (outcome.counters.count("not_vip_passed") != 0) outcome.passed().unchanged();
  }
}

}  // namespace
}  // namespace phalanx::test
