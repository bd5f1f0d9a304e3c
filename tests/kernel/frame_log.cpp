// SPDX-License-Identifier: Apache-2.0
#include "frame_log.hpp"

#include <linux/bpf.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace phalanx::test {
namespace {

// A capture file as libpcap reads it (pcap-savefile(5)), in this host's byte order.
class CaptureFile {
 public:
  explicit CaptureFile(const std::string& path) : file_(path, std::ios::binary | std::ios::trunc) {
    constexpr std::uint32_t kEthernet = 1;
    const std::uint32_t header[6] = {0xa1b2c3d4, 4u << 16 | 2, 0, 0, 65535, kEthernet};
    write(header, sizeof header);
    require(file_.good(), "a capture file cannot be written to $PHX_FRAME_LOG");
  }

  void append(const Bytes& frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    const std::uint32_t record[4] = {number_++, 0, size, size};
    write(record, sizeof record);
    write(frame.data(), frame.size());
    file_.flush();
  }

 private:
  void write(const void* bytes, std::size_t size) {
    file_.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(size));
  }

  std::ofstream file_;
  std::uint32_t number_ = 0;  // in place of the time
};

}  // namespace

void log_if_sent(const Bytes& sent_in, const RunResult& result) {
  static const char* const directory = std::getenv("PHX_FRAME_LOG");
  if (directory == nullptr || (result.verdict != XDP_TX && result.verdict != XDP_REDIRECT)) return;
  static CaptureFile in(std::string(directory) + "/in.pcap");
  static CaptureFile out(std::string(directory) + "/out.pcap");
  in.append(sent_in);
  out.append(result.frame);
}

}  // namespace phalanx::test
