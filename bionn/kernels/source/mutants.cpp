// The second layer's pre-activations of a sequence's mutants, straight from the first layer's one z.
//
// A substitution at position l changes the first pre-activation by a difference of two weight rows:
// z' = z - w[l, old] + w[l, new]. A tile of mutants is activated into a block that stays in the first
// cache and multiplied from there, skipping the units that are 0 in the whole tile: with ReLU about half.
// A third layer of few outputs is applied while the tile is still there.
#include "loops.h"
#include "numeric.h"

#include <cstdlib>
#include <memory>

using namespace bionn;

namespace {

constexpr int64_t tile = 6;  // mutants multiplied together: 6 x 4 vectors of sums fit the registers

typedef float Vector __attribute__((vector_size(64), aligned(4)));
constexpr int64_t in_vector = 16;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

template <class T>
std::unique_ptr<T[], Free> room(int64_t size) {
  const size_t bytes = (size * sizeof(T) + 63) / 64 * 64;
  return std::unique_ptr<T[], Free>(static_cast<T*>(std::aligned_alloc(64, std::max<size_t>(bytes, 64))));
}

struct Shape {
  int64_t mutants, length, letters, units, outputs, last;
};

// z above 0 and a slope times z below, as ReLU and leaky ReLU are.
BIONN_INLINE float bent(float z, float slope) { return z > 0.0f ? z : slope * z; }

// sums[r, o] += hidden[r, k] * second[k, o] over the units k that count, for a panel of V vectors.
template <int64_t V>
void multiply(const float* hidden, const int32_t* counted, int64_t number, const float* panel, int64_t units,
              Vector (&sums)[tile][V]) {
  Vector own[tile][V] = {};  // in registers
  for (int64_t i = 0; i < number; ++i) {
    const int64_t k = counted[i];
    const Vector* row = reinterpret_cast<const Vector*>(panel + k * V * in_vector);
    Vector weights[V];
#pragma GCC unroll 4
    for (int64_t v = 0; v < V; ++v) weights[v] = row[v];
#pragma GCC unroll 6
    for (int64_t r = 0; r < tile; ++r) {
      const float h = hidden[r * units + k];
#pragma GCC unroll 4
      for (int64_t v = 0; v < V; ++v) own[r][v] += h * weights[v];
    }
  }
#pragma GCC unroll 6
  for (int64_t r = 0; r < tile; ++r)
#pragma GCC unroll 4
    for (int64_t v = 0; v < V; ++v) sums[r][v] = own[r][v];
}

template <int64_t V>
void values(const float* z, const float* weight, const float* table, const uint8_t* codes,
            const int64_t* sequences, const int64_t* positions, const int64_t* letters, const float* second,
            const float* bias, float slope, const float* third, const float* last_bias, float last_slope,
            float* out, const Shape& s) {
  constexpr int64_t width = V * in_vector;
  const int64_t panels = (s.outputs + width - 1) / width;
  // the second weight (outputs, units) as panels (units, width), zeros beyond the last output
  auto packed = room<float>(panels * s.units * width);
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t k = 0; k < s.units; ++k)
      for (int64_t o = 0; o < width; ++o)
        packed[(p * s.units + k) * width + o] =
            p * width + o < s.outputs ? second[(p * width + o) * s.units + k] : 0.0f;
  const int64_t tiles = (s.mutants + tile - 1) / tile;
  at::parallel_for(0, tiles, 8, [&](int64_t first, int64_t last) {
    const int64_t units = s.units, outputs = s.outputs;  // copies that no store can alias
    const float below = slope;
    auto hidden = room<float>(tile * units), without = room<float>(units);
    auto any = room<int32_t>(units), counted = room<int32_t>(units);
    auto after = room<float>(tile * outputs);
    for (int64_t t = first; t < last; ++t) {
      const int64_t begin = t * tile, rows = std::min(tile, s.mutants - begin);
      std::fill(any.get(), any.get() + units, 0);
      if (rows < tile) std::fill(hidden.get(), hidden.get() + tile * units, 0.0f);
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t n = sequences[begin + r], at = positions[begin + r];
        float* base = without.get();
        if (r == 0 || n != sequences[begin + r - 1] || at != positions[begin + r - 1]) {
          // z without what the symbol that is there adds
          std::copy(z + n * units, z + (n + 1) * units, base);
          const float* shares = table + codes[n * s.length + at] * s.letters;
          for (int64_t a = 0; a < s.letters; ++a) {
            const float share = shares[a];
            if (share == 0.0f) continue;
            const float* row = weight + (at * s.letters + a) * units;
#pragma omp simd
            for (int64_t k = 0; k < units; ++k) base[k] -= share * row[k];
          }
        }
        const float* row = weight + (at * s.letters + letters[begin + r]) * units;
        float* own = hidden.get() + r * units;
        int32_t* seen = any.get();
#pragma omp simd
        for (int64_t k = 0; k < units; ++k) {
          const float a = base[k] + row[k];
          const float h = bent(a, below);
          own[k] = h;
          seen[k] |= to_bits(h) & 0x7fffffff;  // 0 and -0 leave no bit
        }
      }
      int64_t number = 0;
      for (int64_t k = 0; k < units; ++k) {
        counted[number] = static_cast<int32_t>(k);
        number += any[k] != 0;
      }
      Vector sums[tile][V];
      for (int64_t p = 0; p < panels; ++p) {
        multiply<V>(hidden.get(), counted.get(), number, packed.get() + p * units * width, units, sums);
        const int64_t from = p * width, upto = std::min(width, outputs - from);
        for (int64_t r = 0; r < rows; ++r) {
          const float* sum = reinterpret_cast<const float*>(sums[r]);
          float* to = third ? after.get() + r * outputs + from : out + (begin + r) * outputs + from;
          for (int64_t o = 0; o < upto; ++o) to[o] = sum[o] + (bias ? bias[from + o] : 0.0f);
        }
      }
      if (!third) continue;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t q = 0; q < s.last; ++q) {
          const float *a = after.get() + r * outputs, *row = third + q * outputs;
          float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
          for (int64_t o = 0; o < outputs; ++o) sum += bent(a[o], last_slope) * row[o];
          out[(begin + r) * s.last + q] = sum + (last_bias ? last_bias[q] : 0.0f);
        }
    }
  });
}

}  // namespace

// With a third layer (last, outputs) its pre-activations are what is written, else the second's.
BIONN_API void mutants_value(const float* z, const float* weight, const float* table, const uint8_t* codes,
                             const int64_t* sequences, const int64_t* positions, const int64_t* letters,
                             const float* second, const float* bias, const float* third,
                             const float* last_bias, float* out, int64_t mutants, int64_t length,
                             int64_t alphabet, int64_t units, int64_t outputs, int64_t last, float slope,
                             float last_slope) {
  const Shape s{mutants, length, alphabet, units, outputs, last};
  decltype(&values<4>) run = &values<1>;
  if (outputs > in_vector) run = &values<2>;
  if (outputs > 2 * in_vector) run = &values<4>;
  run(z, weight, table, codes, sequences, positions, letters, second, bias, slope, third, last_bias,
      last_slope, out, s);
}
