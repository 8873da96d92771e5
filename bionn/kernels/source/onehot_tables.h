// Tables of sums of weight rows, as onehot.cpp looks them up: made of the weights, shared out to the gradient.
//
// Weights and their gradient are laid out (L, A, H). A group of K positions has S^K rows, one for each way to
// fill it with codes; rows are vectors of outputs.
#pragma once
#include "loops.h"
#include "numeric.h"

#include <cstdlib>
#include <cstring>
#include <memory>

namespace bionn {

constexpr int64_t line = 64;          // bytes of a vector of outputs
constexpr int64_t block_vectors = 4;  // vectors of outputs that are read and written together

// As many numbers as a vector register holds, or the compiler's best equivalent.
template <class T>
struct Wide {
  typedef T type __attribute__((vector_size(line), aligned(alignof(T))));
  static constexpr int64_t size = line / sizeof(T);
};

struct Shape {
  int64_t samples, length, letters, outputs, symbols;
  int64_t group;   // K, positions a group
  int64_t groups;  // ceil(length / K)
  int64_t rows;    // S^K
  int64_t stride;  // of a group's numbers: the samples and a line, lest lines of groups compete for a place

  int64_t first_row(int64_t g) const { return std::min(length, g * group) * letters; }  // of a group's weights
};

// Memory that begins on a cache line, so that no row lies on one more than it must.
struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

template <class T>
std::unique_ptr<T[], Free> room(int64_t size) {
  const size_t bytes = (size * sizeof(T) + 63) / 64 * 64;
  return std::unique_ptr<T[], Free>(static_cast<T*>(std::aligned_alloc(64, std::max<size_t>(bytes, 64))));
}

// A vector of outputs from or to a row, of which so many are there.
template <class T>
BIONN_INLINE typename Wide<T>::type load(const T* from, int64_t width) {
  typename Wide<T>::type values = {};
  if (width == Wide<T>::size) std::memcpy(&values, from, sizeof values);
  else std::memcpy(&values, from, width * sizeof(T));
  return values;
}

template <class T>
BIONN_INLINE void store(typename Wide<T>::type values, T* to, int64_t width) {
  if (width == Wide<T>::size) std::memcpy(to, &values, sizeof values);
  else std::memcpy(to, &values, width * sizeof(T));
}

// The row that begins so many bytes behind another; the number's upper bits are not looked at.
template <class W>
BIONN_INLINE W at_bytes(const W* rows, uint64_t bytes) {
  return *reinterpret_cast<const W*>(reinterpret_cast<const char*>(rows) + static_cast<uint16_t>(bytes));
}

// x where a rectifier lets it pass: where its output (or input) is not 0 or below. NaN passes.
template <class W>
BIONN_INLINE W rectified(W x, W output) {
  return output <= 0 ? W{} : x;
}

// The gradient by the layer's output (N, H); with the output of a rectifier behind the layer, the one by that; and
// where its sums over samples are wanted, for the bias, the place of those (H).
template <class T>
struct Upstream {
  const T *gradient, *output;
  T* by_bias;

  BIONN_INLINE typename Wide<T>::type at(int64_t place, int64_t width) const {
    const auto u = load(gradient + place, width);
    return output ? rectified(u, load(output + place, width)) : u;
  }

  // All of it, and its sums.
  std::unique_ptr<T[], Free> made(const Shape& s) const {
    auto all = room<T>(s.samples * s.outputs);
    if (by_bias) std::fill_n(by_bias, s.outputs, T(0));
    for (int64_t i = 0; i < s.samples * s.outputs; ++i) {
      all[i] = output ? rectified(gradient[i], output[i]) : gradient[i];
      if (by_bias) by_bias[i % s.outputs] += all[i];
    }
    return all;
  }
};

// What a block of neighbouring vectors of outputs begins with and how many outputs each vector has:
// blocks are read and written together, so that no cache line is fetched for a part of it alone.
struct Block {
  int64_t begin, vectors, outputs, size;

  Block(int64_t number, const Shape& s, int64_t size)
      : begin(number * block_vectors * size), outputs(s.outputs), size(size) {
    vectors = std::min(block_vectors, (outputs - begin + size - 1) / size);
  }
  int64_t at(int64_t v) const { return begin + v * size; }
  int64_t width(int64_t v) const { return std::min(size, outputs - at(v)); }
  static int64_t count(const Shape& s, int64_t size) {
    return (s.outputs + block_vectors * size - 1) / (block_vectors * size);
  }
};

// Ask for a block of so many rows before it is read or written: rows lie too far apart for the processor to
// guess.
template <int write, class T>
BIONN_INLINE void fetch(const T* rows, int64_t begin, int64_t end, const Block& block) {
  for (int64_t row = begin; row < end; ++row)
    for (int64_t v = 0; v < block.vectors; ++v) __builtin_prefetch(rows + row * block.outputs + block.at(v), write);
}

// The row of each sample in each group's table, (groups, samples), times a unit: K codes read as a number
// to the base S.
template <int64_t K>
void number_by(const uint8_t* codes, const Shape& s, uint32_t unit, uint16_t* out) {
  const uint32_t base = s.symbols;
  each_row(s.samples, s.length, [=](int64_t n) {
    const uint8_t* own = codes + n * s.length;
    uint16_t* to = out + n;
    for (int64_t g = 0; g < s.length / K; ++g, own += K, to += s.stride) {
      uint32_t number = own[0];
#pragma GCC unroll 4
      for (int64_t k = 1; k < K; ++k) number = number * base + own[k];
      *to = static_cast<uint16_t>(number * unit);
    }
    if (const int64_t left = s.length % K) {  // code 0 stands for what is past the end
      uint32_t number = 0;
      for (int64_t k = 0; k < K; ++k) number = number * base + (k < left ? own[k] : 0);
      *to = static_cast<uint16_t>(number * unit);
    }
  });
}

inline std::unique_ptr<uint16_t[], Free> number_groups(const uint8_t* codes, const Shape& s, uint32_t unit) {
  auto numbers = room<uint16_t>(s.stride * s.groups);
  (s.group == 1 ? number_by<1> : s.group == 2 ? number_by<2> : number_by<3>)(codes, s, unit, numbers.get());
  return numbers;
}

// What the codes stand for: a share of one letter, nearly all of them the whole letter, or shares of several.
template <class T>
struct Table {
  const T* shares;
  int64_t letters;
  std::vector<int64_t> letter_of;  // of each code: the only letter that it has a share of, or -1
  std::vector<int64_t> code_of;    // of each letter: the only code that has a share of it, or -1

  Table(const T* shares, const Shape& s)
      : shares(shares), letters(s.letters), letter_of(only(s.symbols, s.letters, s.letters, 1)),
        code_of(only(s.letters, s.symbols, 1, s.letters)) {}

  T share(int64_t code, int64_t letter) const { return shares[code * letters + letter]; }

  // Of each of so many lines of the table, the place of its only number that is not 0; else -1.
  std::vector<int64_t> only(int64_t lines, int64_t places, int64_t to_line, int64_t to_place) const {
    std::vector<int64_t> found(lines, -1);
    for (int64_t at = 0; at < lines; ++at) {
      int64_t numbers = 0;
      for (int64_t place = 0; place < places; ++place) {
        if (shares[at * to_line + place * to_place] == T(0)) continue;
        found[at] = place;
        ++numbers;
      }
      if (numbers > 1) found[at] = -1;
    }
    return found;
  }
};

// single (S): what each code at a position adds to the outputs [begin, begin + width); 0 past the end.
template <class T>
void rows_of_position(const T* weight, const Table<T>& table, const Shape& s, int64_t position, int64_t begin,
                      int64_t width, typename Wide<T>::type* single) {
  using W = typename Wide<T>::type;
  if (position >= s.length) {
    std::fill_n(single, s.symbols, W{});
    return;
  }
  const T* rows = weight + position * s.letters * s.outputs + begin;
  for (int64_t code = 0; code < s.symbols; ++code) {
    if (const int64_t a = table.letter_of[code]; a >= 0) {
      single[code] = table.share(code, a) * load(rows + a * s.outputs, width);
      continue;
    }
    W sum = {};
    for (int64_t a = 0; a < s.letters; ++a) {
      const T share = table.share(code, a);
      if (share != T(0)) sum += share * load(rows + a * s.outputs, width);
    }
    single[code] = sum;
  }
}

// The sums of so many groups of codes, each with each code of one more position, in place: from the end.
template <int64_t S, class W>
void extend_by(W* sums, int64_t known, const W* single) {
  W own[S];  // in registers, as no store can alias it
  std::copy(single, single + S, own);
  for (int64_t old = known - 1; old >= 0; --old) {
    const W sum = sums[old];
#pragma GCC unroll 8
    for (int64_t code = 0; code < S; ++code) sums[old * S + code] = sum + own[code];
  }
}

template <class W>
void extend(W* sums, int64_t known, const W* single, int64_t symbols) {
  if (symbols == 4) return extend_by<4>(sums, known, single);
  if (symbols == 5) return extend_by<5>(sums, known, single);
  for (int64_t old = known - 1; old >= 0; --old)
    for (int64_t code = symbols - 1; code >= 0; --code) sums[old * symbols + code] = sums[old] + single[code];
}

// sums (S^K) of the rows of a group's positions, the first position's code counting most.
template <class T>
void rows_of_group(const T* weight, const Table<T>& table, const Shape& s, int64_t g, int64_t begin, int64_t width,
                   typename Wide<T>::type* single, typename Wide<T>::type* sums) {
  rows_of_position(weight, table, s, g * s.group, begin, width, sums);
  for (int64_t k = 1, known = s.symbols; k < s.group; ++k, known *= s.symbols) {
    rows_of_position(weight, table, s, g * s.group + k, begin, width, single);
    extend(sums, known, single, s.symbols);
  }
}

// single (S): what each code of the last position has gathered over all codes of the others, so many
// groups of them; they stay behind, each with its sum, in place.
template <int64_t S, class W>
void reduce_by(W* sums, int64_t others, W* single) {
  W own[S] = {};
  for (int64_t other = 0; other < others; ++other) {
    W sum = {};
#pragma GCC unroll 8
    for (int64_t code = 0; code < S; ++code) {
      const W gathered = sums[other * S + code];
      own[code] += gathered;
      sum += gathered;
    }
    sums[other] = sum;
  }
  std::copy(own, own + S, single);
}

template <class W>
void reduce(W* sums, int64_t others, W* single, int64_t symbols) {
  if (symbols == 4) return reduce_by<4>(sums, others, single);
  if (symbols == 5) return reduce_by<5>(sums, others, single);
  std::fill_n(single, symbols, W{});
  for (int64_t other = 0; other < others; ++other) {
    W sum = {};
    for (int64_t code = 0; code < symbols; ++code) {
      single[code] += sums[other * symbols + code];
      sum += sums[other * symbols + code];
    }
    sums[other] = sum;
  }
}

// The gradient of a group's weights from what its rows have gathered, sums (S^K), which are lost.
template <class T>
void share_out(typename Wide<T>::type* sums, const Table<T>& table, const Shape& s, int64_t g, int64_t begin,
               int64_t width, typename Wide<T>::type* single, T* gradient) {
  using W = typename Wide<T>::type;
  for (int64_t k = s.group - 1, others = s.rows / s.symbols; k >= 0; --k, others /= s.symbols) {
    reduce(sums, others, single, s.symbols);
    const int64_t position = g * s.group + k;
    if (position >= s.length) continue;
    for (int64_t a = 0; a < s.letters; ++a) {
      T* to = gradient + (position * s.letters + a) * s.outputs + begin;
      if (const int64_t code = table.code_of[a]; code >= 0) {
        store(table.share(code, a) * single[code], to, width);
        continue;
      }
      W sum = {};
      for (int64_t code = 0; code < s.symbols; ++code) {
        const T share = table.share(code, a);
        if (share != T(0)) sum += share * single[code];
      }
      store(sum, to, width);
    }
  }
}

}  // namespace bionn
