// SPDX-License-Identifier: Apache-2.0
// Every packet case that a test expected counters of: what the tests promise, as a table, and whether they
// promise something of every counter.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>

namespace phalanx::test {

class CaseTable {
 public:
  // Of the whole test program.
  static CaseTable& instance();

  // shape: what the packet is; counters: those that were expected to move. Cases of a test that look the same
  // are one row.
  void add(const std::string& shape, std::uint32_t verdict,
           const std::map<std::string, std::uint64_t>& counters);

  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  [[nodiscard]] const std::set<std::string>& expected_counters() const { return expected_; }
  void print() const;

 private:
  // test, packet, verdict, counters -> packets
  std::map<std::tuple<std::string, std::string, std::string, std::string>, std::uint64_t> rows_;
  std::set<std::string> expected_;
};

}  // namespace phalanx::test
