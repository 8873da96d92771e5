// Loops shared by the kernels, run by torch's own threads.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
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
