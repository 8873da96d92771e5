// The linear layer on one-hot sequences, from their codes: a sum of weight rows per sample.
//
// Positions are taken in groups of K. For each group, the S^K sums of its weight rows are made once
// and looked up by all samples, so that a sample costs L / K additions of rows instead of L * A
// products: fewer than the dense arithmetic has, and exact. The weight's gradient goes the same way
// back: each sample adds its upstream gradient to one row a group, and the rows are shared out at
// the end. Threads divide outputs (and samples, forward), never a sum, whose order is fixed.
//
// Weights and their gradient are laid out (L, A, H); codes are below S; table (S, A) says what each
// code stands for.
#include "loops.h"

#include <cstdlib>
#include <cstring>
#include <memory>

using namespace bionn;

namespace {

constexpr int64_t few = 32;           // samples for which no tables are made
constexpr int64_t in_cache = 131072;  // bytes of tables in use at a time

// As many numbers as a vector register holds, or the compiler's best equivalent.
template <class T>
struct Wide {
  typedef T type __attribute__((vector_size(64), aligned(alignof(T))));
  static constexpr int64_t size = 64 / sizeof(T);
};

struct Shape {
  int64_t samples, length, letters, outputs, symbols;
  int64_t group;   // K, positions a group
  int64_t groups;  // ceil(length / K)
  int64_t rows;    // S^K
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

// The row of each sample in each group's table: its codes read as a number to the base S.
std::unique_ptr<uint16_t[], Free> number_groups(const uint8_t* codes, const Shape& s) {
  auto numbers = room<uint16_t>(s.samples * s.groups);
  uint16_t* out = numbers.get();
  each_row(s.samples, s.length, [=](int64_t n) {
    for (int64_t g = 0; g < s.groups; ++g) {
      int64_t number = 0;
      for (int64_t k = 0; k < s.group; ++k) {
        const int64_t at = g * s.group + k;
        number = number * s.symbols + (at < s.length ? codes[n * s.length + at] : 0);
      }
      out[n * s.groups + g] = static_cast<uint16_t>(number);
    }
  });
  return numbers;
}

// single (S, B): what each code at a position adds to outputs [begin, begin + width); 0 past the end.
template <class T, int64_t B>
void rows_of_position(const T* weight, const T* table, const Shape& s, int64_t position, int64_t begin,
                      int64_t width, T* single) {
  std::fill(single, single + s.symbols * B, T(0));
  if (position >= s.length) return;
  for (int64_t code = 0; code < s.symbols; ++code)
    for (int64_t a = 0; a < s.letters; ++a) {
      const T share = table[code * s.letters + a];
      if (share == T(0)) continue;
      const T* row = weight + (position * s.letters + a) * s.outputs + begin;
      for (int64_t h = 0; h < width; ++h) single[code * B + h] += share * row[h];
    }
}

// sums (S^K, B) of the rows of a group's positions, the first position's code counting most.
template <class T, int64_t B>
void rows_of_group(const T* weight, const T* table, const Shape& s, int64_t g, int64_t begin, int64_t width,
                   T* single, T* sums) {
  rows_of_position<T, B>(weight, table, s, g * s.group, begin, width, sums);
  for (int64_t k = 1, known = s.symbols; k < s.group; ++k, known *= s.symbols) {
    rows_of_position<T, B>(weight, table, s, g * s.group + k, begin, width, single);
    for (int64_t old = known - 1; old >= 0; --old)  // from the end, as the sums grow in place
      for (int64_t code = s.symbols - 1; code >= 0; --code)
        for (int64_t h = 0; h < B; ++h)
          sums[(old * s.symbols + code) * B + h] = sums[old * B + h] + single[code * B + h];
  }
}

template <class T, int64_t V>
void forward(const uint16_t* numbers, const T* weight, const T* table, const T* bias, T* out,
             const Shape& s) {
  using W = typename Wide<T>::type;
  constexpr int64_t B = V * Wide<T>::size;
  const int64_t blocks = (s.outputs + B - 1) / B;
  const int64_t at_once = std::max<int64_t>(1, in_cache / (s.rows * B * int64_t{sizeof(T)}));
  const int64_t shares = std::max<int64_t>({1, at::get_num_threads() / blocks, s.samples / 1024});
  const int64_t share = (s.samples + shares - 1) / shares;
  at::parallel_for(0, blocks * shares, 1, [&](int64_t first, int64_t last) {
    auto sums = room<T>(at_once * s.rows * B), single = room<T>(s.symbols * B);
    auto totals = room<T>(share * B);
    for (int64_t task = first; task < last; ++task) {
      const int64_t begin = task / shares * B, width = std::min(B, s.outputs - begin);
      const int64_t n0 = task % shares * share, n1 = std::min(s.samples, n0 + share);
      if (n0 >= n1) continue;
      T start[B] = {};
      if (bias) std::copy(bias + begin, bias + begin + width, start);
      for (int64_t n = n0; n < n1; ++n) std::copy(start, start + B, &totals[(n - n0) * B]);
      for (int64_t g0 = 0; g0 < s.groups; g0 += at_once) {
        const int64_t g1 = std::min(s.groups, g0 + at_once);
        for (int64_t g = g0; g < g1; ++g)
          rows_of_group<T, B>(weight, table, s, g, begin, width, single.get(), &sums[(g - g0) * s.rows * B]);
        for (int64_t n = n0; n < n1; ++n) {
          W total[V];
          T* own = &totals[(n - n0) * B];
          std::memcpy(total, own, sizeof total);
          const uint16_t* number = numbers + n * s.groups;
          const T* rows = sums.get();
          for (int64_t g = g0; g < g1; ++g, rows += s.rows * B) {
            const W* row = reinterpret_cast<const W*>(rows + number[g] * B);
            for (int64_t v = 0; v < V; ++v) total[v] += row[v];
          }
          std::memcpy(own, total, sizeof total);
        }
      }
      for (int64_t n = n0; n < n1; ++n)
        std::copy(&totals[(n - n0) * B], &totals[(n - n0) * B] + width, out + n * s.outputs + begin);
    }
  });
}

template <class T, int64_t V>
void backward(const uint16_t* numbers, const T* upstream, const T* table, T* gradient, const Shape& s) {
  using W = typename Wide<T>::type;
  constexpr int64_t B = V * Wide<T>::size;
  const int64_t blocks = (s.outputs + B - 1) / B;
  const int64_t at_once = std::max<int64_t>(1, in_cache / (s.rows * B * int64_t{sizeof(T)}));
  const int64_t chunks = (s.groups + at_once - 1) / at_once;
  at::parallel_for(0, blocks * chunks, 1, [&](int64_t first, int64_t last) {
    auto sums = room<T>(at_once * s.rows * B), single = room<T>(s.symbols * B);
    auto packed = room<T>(s.samples * B);  // the upstream gradient of one block of outputs
    for (int64_t task = first; task < last; ++task) {
      const int64_t begin = task / chunks * B, width = std::min(B, s.outputs - begin);
      const int64_t g0 = task % chunks * at_once, g1 = std::min(s.groups, g0 + at_once);
      if (task == first || g0 == 0)
        for (int64_t n = 0; n < s.samples; ++n) {
          std::copy(upstream + n * s.outputs + begin, upstream + n * s.outputs + begin + width, &packed[n * B]);
          std::fill(&packed[n * B] + width, &packed[n * B] + B, T(0));
        }
      std::fill(sums.get(), sums.get() + (g1 - g0) * s.rows * B, T(0));
      for (int64_t n = 0; n < s.samples; ++n) {
        W u[V];
        std::memcpy(u, &packed[n * B], sizeof u);
        const uint16_t* number = numbers + n * s.groups;
        T* rows = sums.get();
        for (int64_t g = g0; g < g1; ++g, rows += s.rows * B) {
          W* row = reinterpret_cast<W*>(rows + number[g] * B);
          for (int64_t v = 0; v < V; ++v) row[v] += u[v];
        }
      }
      for (int64_t g = g0; g < g1; ++g) {
        const T* rows = &sums[(g - g0) * s.rows * B];
        for (int64_t k = 0, below = s.rows / s.symbols; k < s.group; ++k, below /= s.symbols) {
          const int64_t position = g * s.group + k;
          if (position >= s.length) break;
          // what each code at this position has gathered, over all codes of the others
          std::fill(single.get(), single.get() + s.symbols * B, T(0));
          for (int64_t row = 0; row < s.rows; ++row) {
            T* own = &single[row / below % s.symbols * B];
            for (int64_t h = 0; h < B; ++h) own[h] += rows[row * B + h];
          }
          for (int64_t a = 0; a < s.letters; ++a) {
            T sum[B] = {};
            for (int64_t code = 0; code < s.symbols; ++code) {
              const T part = table[code * s.letters + a];
              if (part == T(0)) continue;
              for (int64_t h = 0; h < B; ++h) sum[h] += part * single[code * B + h];
            }
            std::copy(sum, sum + width, gradient + (position * s.letters + a) * s.outputs + begin);
          }
        }
      }
    }
  });
}

// For a few samples tables do not pay: each weight row that a code names is added where it belongs.
template <class T>
void forward_few(const uint8_t* codes, const T* weight, const T* table, const T* bias, T* out,
                 const Shape& s) {
  at::parallel_for(0, s.samples, 1, [&](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) {
      T* total = out + n * s.outputs;
      if (bias) std::copy(bias, bias + s.outputs, total);
      else std::fill(total, total + s.outputs, T(0));
      for (int64_t at = 0; at < s.length; ++at)
        for (int64_t a = 0; a < s.letters; ++a) {
          const T share = table[codes[n * s.length + at] * s.letters + a];
          if (share == T(0)) continue;
          const T* row = weight + (at * s.letters + a) * s.outputs;
#pragma omp simd
          for (int64_t h = 0; h < s.outputs; ++h) total[h] += share * row[h];
        }
    }
  });
}

template <class T>
void backward_few(const uint8_t* codes, const T* upstream, const T* table, T* gradient, const Shape& s) {
  at::parallel_for(0, s.length, 16, [&](int64_t first, int64_t last) {
    const int64_t step = s.letters * s.outputs;
    std::fill(gradient + first * step, gradient + last * step, T(0));
    for (int64_t n = 0; n < s.samples; ++n) {
      const T* u = upstream + n * s.outputs;
      for (int64_t at = first; at < last; ++at)
        for (int64_t a = 0; a < s.letters; ++a) {
          const T share = table[codes[n * s.length + at] * s.letters + a];
          if (share == T(0)) continue;
          T* row = gradient + at * step + a * s.outputs;
#pragma omp simd
          for (int64_t h = 0; h < s.outputs; ++h) row[h] += share * u[h];
        }
    }
  });
}

// Two positions a group as soon as the samples are many beside the rows of a table.
Shape shape_of(int64_t samples, int64_t length, int64_t letters, int64_t outputs, int64_t symbols) {
  const bool pairs = symbols * symbols * 4 <= samples;
  const int64_t group = pairs ? 2 : 1;
  return {samples, length, letters,  outputs,
          symbols, group,  (length + group - 1) / group, pairs ? symbols * symbols : symbols};
}

template <class T>
void value(const uint8_t* codes, const T* weight, const T* table, const T* bias, T* out, const Shape& s) {
  if (s.samples < few) return forward_few(codes, weight, table, bias, out, s);
  const auto numbers = number_groups(codes, s);
  constexpr int64_t w = Wide<T>::size;
  if (s.outputs > 2 * w) return forward<T, 4>(numbers.get(), weight, table, bias, out, s);
  if (s.outputs > w) return forward<T, 2>(numbers.get(), weight, table, bias, out, s);
  forward<T, 1>(numbers.get(), weight, table, bias, out, s);
}

template <class T>
void chain(const uint8_t* codes, const T* upstream, const T* table, T* gradient, const Shape& s) {
  if (s.samples < few) return backward_few(codes, upstream, table, gradient, s);
  const auto numbers = number_groups(codes, s);
  constexpr int64_t w = Wide<T>::size;
  if (s.outputs > 2 * w) return backward<T, 4>(numbers.get(), upstream, table, gradient, s);
  if (s.outputs > w) return backward<T, 2>(numbers.get(), upstream, table, gradient, s);
  backward<T, 1>(numbers.get(), upstream, table, gradient, s);
}

}  // namespace

#define ONEHOT(T, name)                                                                              \
  BIONN_API void name##_value(const uint8_t* codes, const T* weight, const T* table, const T* bias, \
                              T* out, int64_t samples, int64_t length, int64_t letters,             \
                              int64_t outputs, int64_t symbols) {                                   \
    value<T>(codes, weight, table, bias, out, shape_of(samples, length, letters, outputs, symbols)); \
  }                                                                                                 \
  BIONN_API void name##_chain(const uint8_t* codes, const T* upstream, const T* table, T* gradient, \
                              int64_t samples, int64_t length, int64_t letters, int64_t outputs,    \
                              int64_t symbols) {                                                    \
    chain<T>(codes, upstream, table, gradient, shape_of(samples, length, letters, outputs, symbols)); \
  }

ONEHOT(float, onehot_float32)
ONEHOT(double, onehot_float64)
