// The one-hot layer for a few samples, for which tables do not pay: each weight row that a code names is added
// where it belongs, position after position.
#pragma once
#include "onehot_tables.h"

namespace bionn {

constexpr int64_t in_second_cache = 262144;  // bytes of weights in use at a time
constexpr int64_t abreast = 4;               // vectors of outputs that are summed in registers

// What each code stands for without its zeros: the loop over a letter's shares is then as predictable as one.
template <class T>
struct Shares {
  struct Share {
    int64_t letter;
    T share;
  };
  std::vector<Share> all;
  std::vector<int64_t> first;  // of each code, and the end

  Shares(const T* table, const Shape& s) {
    for (int64_t code = 0; code < s.symbols; ++code) {
      first.push_back(all.size());
      for (int64_t a = 0; a < s.letters; ++a)
        if (const T share = table[code * s.letters + a]; share != T(0)) all.push_back({a, share});
    }
    first.push_back(all.size());
  }
  const Share* begin_of(uint8_t code) const { return all.data() + first[code]; }
  const Share* end_of(uint8_t code) const { return all.data() + first[code + 1]; }
};

template <class T>
void forward_few(const uint8_t* codes, const T* weight, const T* table, const T* bias, T* out,
                 const Shape& s) {
  using W = typename Wide<T>::type;
  constexpr int64_t B = Wide<T>::size, step = abreast * B;
  const Shares<T> shares(table, s);
  const int64_t bytes = std::max<int64_t>(1, s.letters * s.outputs * int64_t{sizeof(T)});  // a position
  const int64_t at_once = std::max<int64_t>(1, in_second_cache / bytes);
  at::parallel_for(0, s.samples, 1, [&](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) {
      if (bias) std::copy(bias, bias + s.outputs, out + n * s.outputs);
      else std::fill_n(out + n * s.outputs, s.outputs, T(0));
    }
    for (int64_t from = 0; from < s.length; from += at_once) {
      const int64_t to = std::min(s.length, from + at_once);
      for (int64_t n = first; n < last; ++n) {
        const uint8_t* own = codes + n * s.length;
        T* total = out + n * s.outputs;
        int64_t h = 0;
        for (; h + step <= s.outputs; h += step) {
          W some[abreast];
          std::memcpy(some, total + h, sizeof some);
          for (int64_t at = from; at < to; ++at)
            for (auto share = shares.begin_of(own[at]); share < shares.end_of(own[at]); ++share) {
              const T* row = weight + (at * s.letters + share->letter) * s.outputs + h;
#pragma GCC unroll 4
              for (int64_t v = 0; v < abreast; ++v) some[v] += share->share * load(row + v * B, B);
            }
          std::memcpy(total + h, some, sizeof some);
        }
        if (h == s.outputs) continue;
        for (int64_t at = from; at < to; ++at)
          for (auto share = shares.begin_of(own[at]); share < shares.end_of(own[at]); ++share) {
            const T* row = weight + (at * s.letters + share->letter) * s.outputs;
#pragma omp simd
            for (int64_t k = h; k < s.outputs; ++k) total[k] += share->share * row[k];
          }
      }
    }
  });
}

template <class T>
void backward_few(const uint8_t* codes, const T* upstream, const T* table, T* gradient, const Shape& s) {
  const Shares<T> shares(table, s);
  const int64_t step = s.letters * s.outputs;
  at::parallel_for(0, s.length, 16, [&](int64_t first, int64_t last) {
    for (int64_t at = first; at < last; ++at) {
      T* rows = gradient + at * step;
      std::fill_n(rows, step, T(0));
      for (int64_t n = 0; n < s.samples; ++n) {
        const uint8_t code = codes[n * s.length + at];
        const T* u = upstream + n * s.outputs;
        for (auto share = shares.begin_of(code); share < shares.end_of(code); ++share) {
          T* row = rows + share->letter * s.outputs;
#pragma omp simd
          for (int64_t h = 0; h < s.outputs; ++h) row[h] += share->share * u[h];
        }
      }
    }
  });
}

}  // namespace bionn
