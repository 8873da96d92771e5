// What dropout draws: 32 random bits for each element, a pure function of a key and the element's place.
//
// Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, doi:10.1145/2063384.2063405) makes four random words of
// a counter and a key in ten rounds of multiplications. As no word needs the one before, a processor draws
// many at once, and neither the number of threads nor the rest of a batch changes what an element gets.
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "loops.h"
#include "nodes.h"
#include "numeric.h"

namespace bionn {
namespace {

constexpr int64_t counters = 256;        // taken side by side
constexpr int64_t drawn = 4 * counters;  // elements that they give words

typedef uint64_t Wides __attribute__((vector_size(64)));
typedef uint32_t Halves __attribute__((vector_size(32)));
constexpr int64_t wide = sizeof(Wides) / sizeof(uint64_t);

// The products of the lower halves.
BIONN_INLINE Wides product(Wides x, uint32_t factor) {
#ifdef __AVX512F__
  return (Wides)_mm512_mul_epu32((__m512i)x, _mm512_set1_epi64(factor));
#else
  return (x & 0xFFFFFFFF) * factor;
#endif
}

// The words of counters from 256 k on: word w of counter 256 k + c goes to place 256 w + c.
void draw(uint64_t key, uint64_t k, uint32_t* words) {
  for (int64_t c = 0; c < counters; c += wide) {
    Wides x[4] = {};  // upper halves do not count
    for (int64_t i = 0; i < wide; ++i) x[0][i] = k * counters + c + i;
    x[1] = x[0] >> 32;
    uint32_t first = key, second = key >> 32;
    for (int round = 0; round < 10; ++round) {
      const Wides p = product(x[0], 0xD2511F53), q = product(x[2], 0xCD9E8D57);
      x[0] = (q >> 32) ^ x[1] ^ uint64_t{first};
      x[2] = (p >> 32) ^ x[3] ^ uint64_t{second};
      x[1] = q;
      x[3] = p;
      first += 0x9E3779B9;
      second += 0xBB67AE85;
    }
    for (int64_t w = 0; w < 4; ++w) {
      const Halves word = __builtin_convertvector(x[w], Halves);
      std::memcpy(words + w * counters + c, &word, sizeof word);
    }
  }
}

// f(i, word) for elements first + i, with i from 0 to below n.
template <class F>
void each_drawn(uint64_t key, int64_t first, int64_t n, const F& f) {
  const int64_t end = first + n;
  at::parallel_for(first / drawn, (end + drawn - 1) / drawn, grain / drawn, [&](int64_t from, int64_t to) {
    const F own = f;
    uint32_t words[drawn];
    for (int64_t k = from; k < to; ++k) {
      draw(key, k, words);
      const int64_t start = std::max(first, k * drawn), some = std::min(end, (k + 1) * drawn) - start;
      const uint32_t* word = words + (start - k * drawn);
#pragma omp simd
      for (int64_t i = 0; i < some; ++i) own(start - first + i, word[i]);
    }
  });
}

}  // namespace
}  // namespace bionn

// out = 0 where the word is below a threshold, else a scale.
BIONN_API void dropout_mask_value(float* out, int64_t n, uint64_t key, int64_t first, uint32_t threshold, float scale) {
  bionn::each_drawn(key, first, n, [=](int64_t i, uint32_t word) { out[i] = word < threshold ? 0.0f : scale; });
}

// out = blank where the word is below a threshold, else the code.
BIONN_API void dropout_codes_value(const uint8_t* codes, uint8_t* out, int64_t n, uint64_t key, int64_t first,
                                   uint32_t threshold, uint8_t blank) {
  bionn::each_drawn(key, first, n,
                    [=](int64_t i, uint32_t word) { out[i] = word < threshold ? blank : codes[i]; });
}
