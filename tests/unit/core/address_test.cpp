// SPDX-License-Identifier: Apache-2.0
// The oracle is the C library, which core may not call.
#include "core/address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace phalanx::core {
namespace {

std::optional<Address> parse_by_libc(const std::string& text) {
  Address address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    return address;
  }
  address.family = Family::ipv6;
  address.bytes.fill(0);
  return inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1 ? std::optional(address) : std::nullopt;
}

std::string format_by_libc(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = address.family == Family::ipv4 ? AF_INET : AF_INET6;
  inet_ntop(family, address.bytes.data(), text.data(), text.size());
  return text.data();
}

// Group values that make runs of zeros likely.
Address random_ipv6(std::mt19937& random) {
  Address address;
  address.family = Family::ipv6;
  for (std::size_t i = 0; i < 16; i += 2) {
    if (random() % 2 == 0) {
      address.bytes[i] = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : 0);
      address.bytes[i + 1] = static_cast<std::uint8_t>(random());
    }
  }
  return address;
}

// RFC 5952 writes ::a.b.c.d as groups; glibc still writes the quad of the deprecated form.
bool is_ipv4_compatible(const Address& address) {
  return std::all_of(address.bytes.begin(), address.bytes.begin() + 12,
                     [](std::uint8_t byte) { return byte == 0; });
}

TEST(Address, reads_what_the_c_library_reads) {
  for (const char* text : {"0.0.0.0", "255.255.255.255", "10.0.1.11", "::", "::1", "1::", "2001:db8::10",
                           "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "fe80::1:2",
                           "::ffff:192.0.2.1", "64:ff9b::192.0.2.33", "1:2:3:4:5:6:1.2.3.4", "ABCD::EF01"}) {
    ASSERT_TRUE(parse_address(text)) << text;
    EXPECT_EQ(parse_address(text), parse_by_libc(text)) << text;
  }
}

TEST(Address, refuses_what_the_c_library_refuses) {
  for (const char* text : {"",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1..2.3",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "1.2.3.+4",
                           "0x1.2.3.4",
                           ":",
                           ":::",
                           "1:",
                           ":1",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           "12345::",
                           "g::",
                           "1:2:3:4:5:6:7::8",
                           "fe80::1%eth0",
                           "::1.2.3",
                           "1.2.3.4::",
                           "::1.2.3.4:5",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "[::1]",
                           "::1/128",
                           "1::2:",
                           ":1::2"}) {
    EXPECT_FALSE(parse_address(text)) << text;
    EXPECT_FALSE(parse_by_libc(text)) << text;
  }
}

TEST(Address, writes_rfc_5952) {
  EXPECT_EQ(to_string(*parse_address("2001:DB8:0:0:1:0:0:1")), "2001:db8::1:0:0:1");
  EXPECT_EQ(to_string(*parse_address("2001:db8:0:1:1:1:1:1")), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(to_string(*parse_address("2001:0:0:1:0:0:0:1")), "2001:0:0:1::1");
  EXPECT_EQ(to_string(*parse_address("0:0:0:0:0:0:0:0")), "::");
  EXPECT_EQ(to_string(*parse_address("1:0:0:0:0:0:0:0")), "1::");
  EXPECT_EQ(to_string(*parse_address("::ffff:c000:201")), "::ffff:192.0.2.1");
  EXPECT_EQ(to_string(*parse_address("::1.2.3.4")), "::102:304");
}

TEST(Address, agrees_with_the_c_library_on_random_addresses) {
  std::mt19937 random(5952);
  for (int i = 0; i < 20000; ++i) {
    const Address address = random_ipv6(random);
    EXPECT_EQ(parse_address(to_string(address)), address) << to_string(address);
    if (!is_ipv4_compatible(address)) {
      EXPECT_EQ(to_string(address), format_by_libc(address));
    }
  }
}

TEST(Address, agrees_with_the_c_library_on_mutilated_text) {
  std::mt19937 random(4291);
  const std::string alphabet = "0123456789abcfF:.:.%/ g";
  for (int i = 0; i < 200000; ++i) {
    std::string text = random() % 2 == 0 ? to_string(random_ipv6(random)) : "192.0.2.17";
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t place = random() % (text.size() + 1);
      const char letter = alphabet[random() % alphabet.size()];
      random() % 2 == 0 ? text.insert(place, 1, letter) : text.erase(place, 1);
    }
    EXPECT_EQ(parse_address(text), parse_by_libc(text)) << "\"" << text << "\"";
  }
}

TEST(Prefix, is_an_address_and_a_length) {
  EXPECT_EQ(parse_prefix("10.0.0.0/24"), (Prefix{*parse_address("10.0.0.0"), 24}));
  EXPECT_EQ(parse_prefix("10.0.0.7"), (Prefix{*parse_address("10.0.0.7"), 32}));
  EXPECT_EQ(parse_prefix("::/0"), (Prefix{*parse_address("::"), 0}));
  EXPECT_EQ(to_string(*parse_prefix("2001:db8::1")), "2001:db8::1/128");
  for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08",
                           "10.0.0.0/8/8", "::/129", "10.0.0.0/ 8", "10/8"}) {
    EXPECT_FALSE(parse_prefix(text)) << text;
  }
}

TEST(Endpoint, is_an_address_and_a_port) {
  EXPECT_EQ(parse_endpoint("192.0.2.1:80"), (Endpoint{*parse_address("192.0.2.1"), 80}));
  EXPECT_EQ(parse_endpoint("[2001:db8::1]:65535"), (Endpoint{*parse_address("2001:db8::1"), 65535}));
  EXPECT_EQ(to_string(*parse_endpoint("[2001:DB8::1]:0")), "[2001:db8::1]:0");
  EXPECT_EQ(to_string(*parse_endpoint("192.0.2.1:80")), "192.0.2.1:80");
  for (const char* text :
       {"", ":", ":80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:080", "::1:80", "[::1]",
        "[::1]:", "[192.0.2.1]:80", "[::1:80", "::1]:80", "[]:80", "192.0.2.1:80 "}) {
    EXPECT_FALSE(parse_endpoint(text)) << text;
  }
}

TEST(Address, orders_ipv4_before_ipv6) {
  EXPECT_LT(*parse_address("255.255.255.255"), *parse_address("::"));
  EXPECT_LT(*parse_address("10.0.0.1"), *parse_address("10.0.0.2"));
}

}  // namespace
}  // namespace phalanx::core
