// The linear layer on one-hot sequences, from their codes: a sum of weight rows per sample.
//
// Positions are taken in groups of K. For each group, the S^K sums of its weight rows are made once
// and looked up by all samples, so that a sample costs L / K additions of rows instead of L * A
// products: fewer than the dense arithmetic has, and exact. The weight's gradient goes the same way
// back: the upstream gradients of the samples that share a row of a group are summed, and the rows
// are shared out at the end. All of it is done a vector of outputs at a time, for so many groups or
// samples that what is looked up stays in the first cache. Threads divide outputs (and samples,
// forward), never a sum, whose order is fixed.
//
// Weights and their gradient are laid out (L, A, H); codes are below S; table (S, A) says what each
// code stands for.
#include "loops.h"
#include "numeric.h"

#include <cstdlib>
#include <cstring>
#include <memory>

using namespace bionn;

namespace {

constexpr int64_t few = 32;          // samples for which no tables are made
constexpr int64_t in_cache = 24576;  // bytes of tables in use at a time
constexpr int64_t block_vectors = 4; // vectors of outputs whose weights are read together
constexpr int64_t together = 8;      // samples summed side by side, forward: one sum waits for itself
constexpr int64_t a_chunk = 512;     // samples whose upstream gradients are in use at a time
constexpr int64_t apart = 4;         // sums that a row's samples are dealt out to, backward

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
  int64_t stride;  // of a group's numbers: the samples and a line, lest lines of groups compete for a place
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

// The row of each sample in each group's table, (groups, samples): codes read as a number to the base S.
std::unique_ptr<uint16_t[], Free> number_groups(const uint8_t* codes, const Shape& s) {
  auto numbers = room<uint16_t>(s.stride * s.groups);
  uint16_t* out = numbers.get();
  each_row(s.samples, s.length, [=](int64_t n) {
    for (int64_t g = 0; g < s.groups; ++g) {
      int64_t number = 0;
      for (int64_t k = 0; k < s.group; ++k) {
        const int64_t at = g * s.group + k;
        number = number * s.symbols + (at < s.length ? codes[n * s.length + at] : 0);
      }
      out[g * s.stride + n] = static_cast<uint16_t>(number);
    }
  });
  return numbers;
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

// single (S): what each code at a position adds to the outputs [begin, begin + width); 0 past the end.
template <class T>
void rows_of_position(const T* weight, const T* table, const Shape& s, int64_t position, int64_t begin,
                      int64_t width, typename Wide<T>::type* single) {
  using W = typename Wide<T>::type;
  std::fill_n(single, s.symbols, W{});
  if (position >= s.length) return;
  for (int64_t a = 0; a < s.letters; ++a) {
    const W row = load(weight + (position * s.letters + a) * s.outputs + begin, width);
    for (int64_t code = 0; code < s.symbols; ++code) {
      const T share = table[code * s.letters + a];
      if (share != T(0)) single[code] += share * row;
    }
  }
}

// sums (S^K) of the rows of a group's positions, the first position's code counting most.
template <class T>
void rows_of_group(const T* weight, const T* table, const Shape& s, int64_t g, int64_t begin, int64_t width,
                   typename Wide<T>::type* single, typename Wide<T>::type* sums) {
  rows_of_position(weight, table, s, g * s.group, begin, width, sums);
  for (int64_t k = 1, known = s.symbols; k < s.group; ++k, known *= s.symbols) {
    rows_of_position(weight, table, s, g * s.group + k, begin, width, single);
    for (int64_t old = known - 1; old >= 0; --old)  // from the end, as the sums grow in place
      for (int64_t code = s.symbols - 1; code >= 0; --code)
        sums[old * s.symbols + code] = sums[old] + single[code];
  }
}

// The gradient of a group's weights from what its rows have gathered, sums (S^K).
template <class T>
void share_out(const typename Wide<T>::type* sums, const T* table, const Shape& s, int64_t g, int64_t begin,
               int64_t width, typename Wide<T>::type* single, T* gradient) {
  for (int64_t k = 0, below = s.rows / s.symbols; k < s.group; ++k, below /= s.symbols) {
    const int64_t position = g * s.group + k;
    if (position >= s.length) break;
    // what each code at this position has gathered, over all codes of the others
    std::fill(single, single + s.symbols, typename Wide<T>::type{});
    const auto* row = sums;
    for (int64_t above = s.rows / below / s.symbols; above > 0; --above)
      for (int64_t code = 0; code < s.symbols; ++code)
        for (int64_t other = 0; other < below; ++other) single[code] += *row++;
    for (int64_t a = 0; a < s.letters; ++a) {
      typename Wide<T>::type sum = {};
      for (int64_t code = 0; code < s.symbols; ++code) {
        const T part = table[code * s.letters + a];
        if (part != T(0)) sum += part * single[code];
      }
      store(sum, gradient + (position * s.letters + a) * s.outputs + begin, width);
    }
  }
}

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

template <class T>
void forward(const uint16_t* numbers, const T* weight, const T* table, const T* bias, T* out,
             const Shape& s) {
  using W = typename Wide<T>::type;
  constexpr int64_t B = Wide<T>::size;
  const int64_t blocks = Block::count(s, B);
  const int64_t at_once = std::max<int64_t>(1, in_cache / (s.rows * int64_t{sizeof(W)}));
  const int64_t shares = std::max<int64_t>({1, (at::get_num_threads() + blocks - 1) / blocks, s.samples / 1024});
  const int64_t share = (s.samples + shares - 1) / shares;
  at::parallel_for(0, blocks * shares, 1, [&](int64_t first, int64_t last) {
    auto sums = room<W>(block_vectors * at_once * s.rows), single = room<W>(s.symbols);
    auto totals = room<W>(block_vectors * share);
    for (int64_t task = first; task < last; ++task) {
      const Block block(task / shares, s, B);
      const int64_t n0 = task % shares * share, here = std::min(share, s.samples - n0);
      if (here <= 0) continue;
      for (int64_t v = 0; v < block.vectors; ++v)
        std::fill_n(&totals[v * share], here, bias ? load(bias + block.at(v), block.width(v)) : W{});
      for (int64_t g0 = 0; g0 < s.groups; g0 += at_once) {
        const int64_t g1 = std::min(s.groups, g0 + at_once);
        for (int64_t g = g0; g < g1; ++g)
          for (int64_t v = 0; v < block.vectors; ++v)
            rows_of_group(weight, table, s, g, block.at(v), block.width(v), single.get(),
                          &sums[(v * at_once + g - g0) * s.rows]);
        for (int64_t v = 0; v < block.vectors; ++v) {
          W* total = &totals[v * share];
          const W* rows = &sums[v * at_once * s.rows];
          int64_t n = 0;
          for (; n + together <= here; n += together) {
            W some[together];
#pragma GCC unroll 8
            for (int64_t m = 0; m < together; ++m) some[m] = total[n + m];
            const W* own = rows;
            for (int64_t g = g0; g < g1; ++g, own += s.rows) {
              const uint16_t* number = numbers + g * s.stride + n0 + n;
#pragma GCC unroll 8
              for (int64_t m = 0; m < together; ++m) some[m] += own[number[m]];
            }
#pragma GCC unroll 8
            for (int64_t m = 0; m < together; ++m) total[n + m] = some[m];
          }
          for (; n < here; ++n)
            for (int64_t g = g0; g < g1; ++g)
              total[n] += rows[(g - g0) * s.rows + numbers[g * s.stride + n0 + n]];
        }
      }
      for (int64_t n = 0; n < here; ++n)
        for (int64_t v = 0; v < block.vectors; ++v)
          store(totals[v * share + n], out + (n0 + n) * s.outputs + block.at(v), block.width(v));
    }
  });
}

// The samples of each chunk in the order of their rows, group by group; a row's samples are filled up
// to a multiple of `apart` by the number of a sample that is not there.
struct Buckets {
  int64_t rows, chunks, size;  // size: places of a group in a chunk
  std::unique_ptr<uint16_t[], Free> places, ends;

  const uint16_t* places_of(int64_t chunk, int64_t group) const { return &places[(group * chunks + chunk) * size]; }
  const uint16_t* ends_of(int64_t chunk, int64_t group) const { return &ends[(group * chunks + chunk) * rows]; }
};

Buckets sort_samples(const uint16_t* numbers, const Shape& s) {
  const int64_t chunks = (s.samples + a_chunk - 1) / a_chunk, most = std::min(a_chunk, s.samples);
  const int64_t size = most + (apart - 1) * std::min(s.rows, most);
  Buckets sorted{s.rows, chunks, size, room<uint16_t>(s.groups * chunks * size),
                 room<uint16_t>(s.groups * chunks * s.rows)};
  each_row(s.groups, s.samples, [&](int64_t g) {
    std::vector<uint16_t> next(s.rows);
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const uint16_t* own = numbers + g * s.stride + chunk * a_chunk;
      const int64_t here = std::min(a_chunk, s.samples - chunk * a_chunk);
      uint16_t* places = &sorted.places[(g * chunks + chunk) * size];
      uint16_t* ends = &sorted.ends[(g * chunks + chunk) * s.rows];
      std::fill(ends, ends + s.rows, 0);
      for (int64_t n = 0; n < here; ++n) ++ends[own[n]];
      int64_t begin = 0;
      for (int64_t row = 0; row < s.rows; ++row) {
        next[row] = begin;
        begin += (ends[row] + apart - 1) / apart * apart;
        ends[row] = begin;
      }
      std::fill(places, places + begin, static_cast<uint16_t>(a_chunk));
      for (int64_t n = 0; n < here; ++n) places[next[own[n]]++] = n;
    }
  });
  return sorted;
}

template <class T>
void backward(const uint16_t* numbers, const T* upstream, const T* table, T* gradient, const Shape& s) {
  using W = typename Wide<T>::type;
  constexpr int64_t B = Wide<T>::size, most = a_chunk + 1;
  const Buckets sorted = sort_samples(numbers, s);
  const int64_t blocks = Block::count(s, B);
  const int64_t parts = std::min(s.groups, (at::get_num_threads() + blocks - 1) / blocks);
  const int64_t part = (s.groups + parts - 1) / parts;
  at::parallel_for(0, blocks * parts, 1, [&](int64_t first, int64_t last) {
    auto sums = room<W>(block_vectors * part * s.rows), single = room<W>(s.symbols);
    auto packed = room<W>(block_vectors * most);  // the upstream gradient of a chunk, then 0
    for (int64_t task = first; task < last; ++task) {
      const Block block(task / parts, s, B);
      const int64_t g0 = task % parts * part, g1 = std::min(s.groups, g0 + part);
      std::fill_n(sums.get(), block_vectors * part * s.rows, W{});
      std::fill_n(packed.get(), block_vectors * most, W{});
      for (int64_t chunk = 0; chunk < sorted.chunks; ++chunk) {
        const int64_t n0 = chunk * a_chunk, here = std::min(a_chunk, s.samples - n0);
        for (int64_t n = 0; n < here; ++n)
          for (int64_t v = 0; v < block.vectors; ++v)
            packed[v * most + n] = load(upstream + (n0 + n) * s.outputs + block.at(v), block.width(v));
        for (int64_t v = 0; v < block.vectors; ++v) {
          const W* u = &packed[v * most];
          W* sum = &sums[v * part * s.rows];
          for (int64_t g = g0; g < g1; ++g) {
            const uint16_t *place = sorted.places_of(chunk, g), *ends = sorted.ends_of(chunk, g);
            const uint16_t* const start = place;
            for (int64_t row = 0; row < s.rows; ++row) {
              W some[apart] = {};
              for (const uint16_t* end = start + ends[row]; place < end; place += apart)
#pragma GCC unroll 4
                for (int64_t k = 0; k < apart; ++k) some[k] += u[place[k]];
              *sum++ += (some[0] + some[1]) + (some[2] + some[3]);
            }
          }
        }
      }
      for (int64_t g = g0; g < g1; ++g)
        for (int64_t v = 0; v < block.vectors; ++v)
          share_out(&sums[(v * part + g - g0) * s.rows], table, s, g, block.at(v), block.width(v), single.get(),
                    gradient);
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

// As many positions a group, up to a number, as the samples are many beside the rows of a table.
Shape shape_of(int64_t samples, int64_t length, int64_t letters, int64_t outputs, int64_t symbols, int64_t most) {
  int64_t group = 1, rows = symbols;
  for (; group < most && rows * symbols * 4 * group <= samples; ++group) rows *= symbols;
  return {samples, length, letters, outputs, symbols, group, (length + group - 1) / group, rows, samples + 32};
}

template <class T>
void value(const uint8_t* codes, const T* weight, const T* table, const T* bias, T* out, const Shape& s) {
  if (s.samples < few) return forward_few(codes, weight, table, bias, out, s);
  forward(number_groups(codes, s).get(), weight, table, bias, out, s);
}

template <class T>
void chain(const uint8_t* codes, const T* upstream, const T* table, T* gradient, const Shape& s) {
  if (s.samples < few) return backward_few(codes, upstream, table, gradient, s);
  backward(number_groups(codes, s).get(), upstream, table, gradient, s);
}

}  // namespace

#define ONEHOT(T, name)                                                                              \
  BIONN_API void name##_value(const uint8_t* codes, const T* weight, const T* table, const T* bias, \
                              T* out, int64_t samples, int64_t length, int64_t letters,             \
                              int64_t outputs, int64_t symbols) {                                   \
    value<T>(codes, weight, table, bias, out, shape_of(samples, length, letters, outputs, symbols, 3)); \
  }                                                                                                 \
  BIONN_API void name##_chain(const uint8_t* codes, const T* upstream, const T* table, T* gradient, \
                              int64_t samples, int64_t length, int64_t letters, int64_t outputs,    \
                              int64_t symbols) {                                                    \
    chain<T>(codes, upstream, table, gradient, shape_of(samples, length, letters, outputs, symbols, 2)); \
  }

ONEHOT(float, onehot_float32)
ONEHOT(double, onehot_float64)
