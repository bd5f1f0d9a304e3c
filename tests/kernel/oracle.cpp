// SPDX-License-Identifier: Apache-2.0
#include "oracle.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "outcome.hpp"

namespace phalanx::test {
namespace {

// scapy takes a second to start: one process serves all tests of this one, and ends when its input does.
class Oracle {
 public:
  Oracle() {
    int requests[2];
    int answers[2];
    if (::pipe2(requests, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(requests[0], STDIN_FILENO);
      ::dup2(answers[1], STDOUT_FILENO);
      ::execl("/usr/bin/python3", "python3", "-B", PHX_ORACLE, nullptr);
      ::_exit(127);
    }
    ::close(requests[0]);
    ::close(answers[1]);
    requests_ = ::fdopen(requests[1], "w");
    answers_ = ::fdopen(answers[0], "r");
  }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;
  ~Oracle() {
    if (requests_ != nullptr) std::fclose(requests_);
    if (answers_ != nullptr) std::fclose(answers_);
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  }

  std::string ask(const std::string& question) {
    std::string answer;
    ::signal(SIGPIPE, SIG_IGN);  // where the child has ended, the answer is empty
    if (requests_ == nullptr || std::fprintf(requests_, "%s\n", question.c_str()) < 0) return answer;
    std::fflush(requests_);
    for (int c = 0; (c = std::fgetc(answers_)) != EOF && c != '\n';) answer += static_cast<char>(c);
    return answer;
  }

 private:
  pid_t pid_ = -1;
  std::FILE* requests_ = nullptr;
  std::FILE* answers_ = nullptr;
};

}  // namespace

std::string scapy_reads(const std::vector<Bytes>& frames) {
  static Oracle oracle;
  std::string question;
  for (const Bytes& frame : frames) question += (question.empty() ? "" : " ") + hex(frame);
  std::string answer = oracle.ask(question);
  EXPECT_FALSE(answer.empty()) << "oracle.py did not answer; it needs /usr/bin/python3 with scapy";
  return answer;
}

std::string scapy_reads(const Bytes& frame) {
  return scapy_reads(std::vector<Bytes>{frame});
}

}  // namespace phalanx::test
