// SPDX-License-Identifier: Apache-2.0
// What every bench hands in: figures under stable keys, as a table for people and as JSON for machines.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace phalanx::bench {

struct Figure {
  std::string key;  // stable: "packet.tcp4.ipip.1"
  double value;     // the median of the rounds
  std::string unit;
  double low;   // a tenth of the rounds lies below
  double high;  // a tenth of the rounds lies above
};

// The median and the outer tenths of samples, of which there must be one at least.
Figure figure_of(std::string key, std::string unit, std::vector<double> samples);

void print_table(std::ostream& out, const std::vector<Figure>& figures);

// {"key": {"value": 3.1, "unit": "x XDP_TX", "low": 3.0, "high": 3.4}}. Returns false, with errno set, when
// the file cannot be written.
bool write_json(const std::string& path, const std::vector<Figure>& figures);

}  // namespace phalanx::bench
