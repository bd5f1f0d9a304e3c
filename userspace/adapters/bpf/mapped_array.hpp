// SPDX-License-Identifier: Apache-2.0
// A BPF array map as memory. The kernel's stride is the value size rounded up to 8 bytes.
#pragma once

#include <phalanx.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/result.hpp"

namespace phalanx::adapters {

struct StatePage {
  std::byte bytes[PHX_STATE_PAGE];
};

template <typename Row>
class MappedArray {
  static_assert(sizeof(Row) % 8 == 0, "the mapping's stride would differ from the row's size");

 public:
  MappedArray() = default;
  MappedArray(MappedArray&& other) noexcept
      : rows_(std::exchange(other.rows_, nullptr)), size_(other.size_), writable_(other.writable_) {}
  MappedArray& operator=(MappedArray&& other) noexcept {
    std::swap(rows_, other.rows_);
    std::swap(size_, other.size_);
    std::swap(writable_, other.writable_);
    return *this;
  }
  ~MappedArray() {
    if (rows_ != nullptr) {
      ::munmap(rows_, std::size_t{size_} * sizeof(Row));
    }
  }

  // map: descriptor of a memory-mappable array of `size` rows. On failure errno says why and valid() is
  // false.
  static MappedArray map(int map, std::uint32_t size, bool writable) {
    MappedArray array;
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void* memory = ::mmap(nullptr, std::size_t{size} * sizeof(Row), protection, MAP_SHARED, map, 0);
    if (memory != MAP_FAILED) {
      array.rows_ = static_cast<Row*>(memory);
      array.size_ = size;
      array.writable_ = writable;
    }
    return array;
  }

  bool valid() const { return rows_ != nullptr; }
  std::uint32_t size() const { return size_; }

  // To read from; other processes may write at any time.
  Row* read(std::uint32_t index) const {
    PHX_CHECK(index < size_);
    return rows_ + index;
  }
  Row* write(std::uint32_t index) {
    PHX_CHECK(writable_);
    return read(index);
  }

 private:
  Row* rows_ = nullptr;
  std::uint32_t size_ = 0;
  bool writable_ = false;
};

}  // namespace phalanx::adapters
