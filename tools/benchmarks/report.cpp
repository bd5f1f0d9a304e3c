// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

namespace phalanx::bench {
namespace {

// Two places are what the spread of a shared machine leaves meaningful; a share below 1 has four.
int places(double value) {
  return std::abs(value) < 1 ? 4 : 2;
}

double rounded(double value) {
  const double unit = std::pow(10, places(value));
  return std::round(value * unit) / unit;
}

}  // namespace

Figure figure_of(std::string key, std::string unit, std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) {
    return samples[static_cast<std::size_t>(std::lround(share * static_cast<double>(samples.size() - 1)))];
  };
  return {std::move(key), at(0.5), std::move(unit), at(0.1), at(0.9)};
}

void print_table(std::ostream& out, const std::vector<Figure>& figures) {
  std::size_t width = 4;
  for (const Figure& figure : figures) width = std::max(width, figure.key.size());
  const auto column = static_cast<int>(width);
  out << std::left << std::setw(column) << "case" << std::right << std::setw(10) << "median" << std::setw(10)
      << "low" << std::setw(10) << "high"
      << "  unit\n"
      << std::fixed;
  for (const Figure& figure : figures) {
    out << std::setprecision(places(figure.value)) << std::left << std::setw(column) << figure.key
        << std::right << std::setw(10) << figure.value << std::setw(10) << figure.low << std::setw(10)
        << figure.high << "  " << figure.unit << '\n';
  }
}

bool write_json(const std::string& path, const std::vector<Figure>& figures) {
  nlohmann::json object = nlohmann::json::object();
  for (const Figure& figure : figures) {
    object[figure.key] = {{"value", rounded(figure.value)},
                          {"unit", figure.unit},
                          {"low", rounded(figure.low)},
                          {"high", rounded(figure.high)}};
  }
  std::ofstream file(path);
  file << object.dump(2) << '\n';
  file.close();
  return !file.fail();
}

}  // namespace phalanx::bench
