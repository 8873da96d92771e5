// Loops shared by the kernels, run by torch's own threads.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#define BIONN_API extern "C" __attribute__((visibility("default")))

namespace bionn {

constexpr int64_t grain = 32768;  // elements worth a thread's while
constexpr int64_t block = 4096;   // elements summed together, whatever the number of threads

// f(i) for each element; the elements must not depend on each other.
template <class F>
void each(int64_t n, const F& f) {
  at::parallel_for(0, n, grain, [&](int64_t begin, int64_t end) {
    const F own = f;  // a copy that no store can alias
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) own(i);
  });
}

constexpr int64_t lanes = 16;         // words of a mask that are filled side by side
constexpr int64_t span = 32 * lanes;  // elements that they tell of
constexpr int64_t apace = 4;          // vectors read before any is written

typedef float Floats __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(4 * lanes), aligned(4), may_alias));

// out = f(in, words, bit) for each vector of elements, with the bits of a mask that belong to it.
//
// Neighbours lie in neighbouring words, at the same bit; a mask has ceil(n / span) * lanes words. As
// f takes them it may read or set them. Several vectors are read before any is written: a processor
// that tells addresses apart by their last twelve bits would otherwise wait at each load for a store
// that lies a little ahead, which is how malloc places large arrays.
template <class Word, class F>
void each_with_bit(int64_t n, const float* in, float* out, Word* mask, const F& f) {
  at::parallel_for(0, (n + span - 1) / span, grain / span, [&](int64_t begin, int64_t end) {
    const F own = f;
    for (int64_t k = begin; k < end; ++k) {
      Words words = {};
      Word* kept = mask + k * lanes;
      if (std::is_const_v<Word>) std::memcpy(&words, kept, sizeof words);
      const auto some = [&](const float* from, float* to, uint32_t bit) {
        Floats values[apace];
#pragma GCC unroll 4
        for (int v = 0; v < apace; ++v) values[v] = reinterpret_cast<const Floats*>(from)[v];
#pragma GCC unroll 4
        for (int v = 0; v < apace; ++v)
          reinterpret_cast<Floats*>(to)[v] = own(values[v], words, bit << v);
      };
      const int64_t stop = std::min(n, (k + 1) * span);
      uint32_t bit = 1;
      int64_t i = k * span;
      for (; i + apace * lanes <= stop; i += apace * lanes, bit <<= apace) some(in + i, out + i, bit);
      if (i < stop) {  // the last ones, with room for a whole number of vectors
        float ends[apace * lanes] = {};
        std::copy(in + i, in + stop, ends);
        some(ends, ends, bit);
        std::copy(ends, ends + (stop - i), out + i);
      }
      if constexpr (!std::is_const_v<Word>) std::memcpy(kept, &words, sizeof words);
    }
  });
}

// The sum of f(i), the same to the last bit whatever the number of threads.
template <class F>
double sum_each(int64_t n, const F& f) {
  std::vector<double> sums((n + block - 1) / block);
  at::parallel_for(0, sums.size(), grain / block, [&](int64_t begin, int64_t end) {
    const F own = f;
    for (int64_t k = begin; k < end; ++k) {
      const int64_t stop = std::min(n, (k + 1) * block);
      double sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = k * block; i < stop; ++i) sum += own(i);
      sums[k] = sum;
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

// f(row) for each row of a given length.
template <class F>
void each_row(int64_t rows, int64_t length, const F& f) {
  at::parallel_for(0, rows, std::max<int64_t>(1, grain / std::max<int64_t>(1, length)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) f(row);
                   });
}

}  // namespace bionn
