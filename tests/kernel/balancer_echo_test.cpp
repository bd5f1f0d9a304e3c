// SPDX-License-Identifier: Apache-2.0
// A VIP answers pings itself, whether or not its backends live.
#include "balancer_run.hpp"

namespace phalanx::test {
namespace {

class BalancerEcho : public Balancer {
 protected:
  BalancerEcho() {
    balancer.add_vip(vip4.address);
    balancer.add_vip(vip6.address);
  }

  // The reply that a host at `request.to()` would send, in the frame that the request came in.
  static Bytes reply_frame(Packet reply, const Bytes& request) {
    Bytes frame = reply.ttl(64).frame();
    std::copy(request.begin() + 6, request.begin() + 12, frame.begin());
    std::copy(request.begin(), request.begin() + 6, frame.begin() + 6);
    if (frame.size() < request.size()) frame.resize(request.size());
    return frame;
  }

  void expect_answered(const Packet& request, const Packet& reply) {
    const Outcome outcome = balancer.run(request);
    outcome.tx().counted({"echo_answered"}).no_traffic();
    EXPECT_EQ(hex(outcome.result.frame), hex(reply_frame(reply, request.frame())));
  }
};

TEST_F(BalancerEcho, answers_ipv4_requests_of_odd_and_even_sizes) {
  for (std::size_t size = 0; size < 130; size++) {
    expect_answered(ping4(client4, vip4).payload(size), ping4(vip4, client4).icmp_type(0).payload(size));
  }
  expect_answered(ping4(client4, vip4).payload(3001), ping4(vip4, client4).icmp_type(0).payload(3001));
}

TEST_F(BalancerEcho, answers_ipv6_requests_of_odd_and_even_sizes) {
  for (std::size_t size = 0; size < 130; size++) {
    expect_answered(ping6(client6, vip6).payload(size), ping6(vip6, client6).icmp_type(129).payload(size));
  }
  expect_answered(ping6(client6, vip6).payload(3001), ping6(vip6, client6).icmp_type(129).payload(3001));
}

TEST_F(BalancerEcho, answers_with_a_full_ttl_whatever_the_request_had_left) {
  for (unsigned ttl = 1; ttl < 256; ttl++) {
    const auto left = static_cast<std::uint8_t>(ttl);
    expect_answered(ping4(client4, vip4).ttl(left), ping4(vip4, client4).icmp_type(0));
    expect_answered(ping6(client6, vip6).ttl(left), ping6(vip6, client6).icmp_type(129));
  }
}

TEST_F(BalancerEcho, gives_back_the_padding_of_a_short_frame) {
  expect_answered(ping4(client4, vip4).payload(1).padded_to(60),
                  ping4(vip4, client4).icmp_type(0).payload(1));
}

TEST_F(BalancerEcho, answers_checksums_of_every_value) {
  for (unsigned value = 0; value < 65536; value += 61) {
    Bytes body{8, 0, 0, 0};
    append16(body, value);
    append(body, {0, 1});
    Bytes reply = body;
    reply[0] = 0;
    const auto set = [](Bytes& bytes) {
      const unsigned checksum = internet_checksum(bytes);
      bytes[2] = static_cast<std::uint8_t>(checksum >> 8);
      bytes[3] = static_cast<std::uint8_t>(checksum);
    };
    set(body);
    set(reply);
    expect_answered(ping4(client4, vip4).carrying(body), ping4(vip4, client4).carrying(reply));
  }
}

// A reply of nothing but zeros has the checksum 0xffff, the complement of their sum.
TEST_F(BalancerEcho, answers_requests_of_zeros) {
  for (const std::size_t size : {8u, 9u, 10u, 63u, 64u, 1408u}) {
    Bytes request(size, 0);
    request[0] = 8;
    request[2] = 0xf7;
    request[3] = 0xff;
    Bytes reply(size, 0);
    reply[2] = reply[3] = 0xff;
    expect_answered(ping4(client4, vip4).carrying(request), ping4(vip4, client4).carrying(reply));
  }
}

TEST_F(BalancerEcho, leaves_a_damaged_request_recognisably_damaged) {
  Bytes frame = ping4(client4, vip4).frame();
  frame.back() ^= 0x40;
  const Outcome outcome = balancer.run(frame);
  outcome.tx();
  EXPECT_NE(internet_checksum(part(outcome.result.frame, 34, frame.size())), 0);
}

TEST_F(BalancerEcho, does_not_answer_for_other_addresses) {
  balancer.run(ping4(client4, {"198.51.100.11", 0})).ignored();
  balancer.run(ping6(client6, {"2001:db8:e::11", 0})).ignored();
}

// RFC 1122 section 3.2.1.3 and RFC 4443 section 2.4 (e): nothing goes out to, or in the name of, a group.
TEST_F(BalancerEcho, does_not_answer_groups_nor_nobody) {
  const auto passed = [this](const Packet& request) {
    balancer.run(request).passed().unchanged().counted({"icmp_passed"});
  };
  for (const char* source : {"0.0.0.0", "224.0.0.1", "239.1.2.3", "255.255.255.255"}) {
    passed(ping4({source, 0}, vip4));
  }
  for (const char* source : {"::", "ff02::1", "ff05::2"}) passed(ping6({source, 0}, vip6));
  passed(ping4(client4, vip4).destination_mac(0xffffffffffff));
  passed(ping6(client6, vip6).destination_mac(0x333300000001));
}

}  // namespace
}  // namespace phalanx::test
