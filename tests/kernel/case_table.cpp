// SPDX-License-Identifier: Apache-2.0
#include "case_table.hpp"

#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <cstdio>

namespace phalanx::test {
namespace {

std::string name_of(std::uint32_t verdict) {
  switch (verdict) {
    case XDP_ABORTED:
      return "ABORTED";
    case XDP_DROP:
      return "DROP";
    case XDP_PASS:
      return "PASS";
    case XDP_TX:
      return "TX";
    case XDP_REDIRECT:
      return "REDIRECT";
    default:
      return std::to_string(verdict);
  }
}

std::string running_test() {
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  return test == nullptr ? "" : std::string(test->test_suite_name()) + "." + test->name();
}

}  // namespace

CaseTable& CaseTable::instance() {
  static CaseTable table;
  return table;
}

void CaseTable::add(const std::string& shape, std::uint32_t verdict,
                    const std::map<std::string, std::uint64_t>& counters) {
  std::string labels;
  for (const auto& [label, count] : counters) {
    labels += (labels.empty() ? "" : " ") + label;
    expected_.insert(label);
  }
  rows_[{running_test(), shape, name_of(verdict), labels}]++;
}

void CaseTable::print() const {
  std::string test_before;
  for (const auto& [row, packets] : rows_) {
    const auto& [test, shape, verdict, counters] = row;
    if (test != test_before) std::printf("\n%s\n", test.c_str());
    test_before = test;
    std::printf("  %-100s  %-8s  %-40s  %llu\n", shape.c_str(), verdict.c_str(),
                counters.empty() ? "-" : counters.c_str(), static_cast<unsigned long long>(packets));
  }
  std::printf("\n%zu cases; columns: packet, verdict, counters, packets that were like it\n", rows_.size());
}

}  // namespace phalanx::test
