// SPDX-License-Identifier: Apache-2.0
// The kernel tests. --table prints every packet case when they are over.
#include <gtest/gtest.h>

#include <string_view>

#include "case_table.hpp"
#include "phalanx.h"

namespace {

using phalanx::test::CaseTable;

constexpr const char* kLabels[] = {
#define PHX_X(name, label, help) #label,
    PHX_COUNTERS(PHX_X) PHX_AGENT_COUNTERS(PHX_X)
#undef PHX_X
};
constexpr std::size_t kLeastCases = 250;

// Judges the tests themselves, when all of them ran.
class Coverage : public testing::Environment {
 public:
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*") return;
    const CaseTable& table = CaseTable::instance();
    for (const char* label : kLabels) {
      EXPECT_TRUE(table.expected_counters().contains(label))
          << "no packet case expects counter " << label << ": add one, or remove the counter";
    }
    EXPECT_GE(table.rows(), kLeastCases);
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool table = argc == 2 && std::string_view(argv[1]) == "--table";
  if (argc > 1 && !table) {
    std::fprintf(stderr, "kernel_tests: unknown argument %s; --table prints the packet cases\n", argv[1]);
    return 2;
  }
  testing::AddGlobalTestEnvironment(new Coverage);
  const int failed = RUN_ALL_TESTS();
  if (table) CaseTable::instance().print();
  return failed;
}
