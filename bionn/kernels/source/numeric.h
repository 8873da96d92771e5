// Elementary functions of float in plain arithmetic, so that a loop over them becomes vector code.
//
// Each is accurate to about one unit in the last place over its whole range, subnormal results
// included, tanh to two; NaN gives NaN. The polynomials are weighted least-squares fits, reweighted towards the
// smallest largest relative error, of the function that the comment above each names.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

// A call that is not inlined would keep its loop from becoming vector code.
#define BIONN_INLINE inline __attribute__((always_inline))

namespace bionn {

BIONN_INLINE float from_bits(int32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

BIONN_INLINE int32_t to_bits(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

// exp(x) = 2^n (1 + fraction), where x = n ln 2 + r with |r| <= ln(2) / 2; ln 2 is taken off in two parts.
struct Reduced {
  float power;  // 2^(n + 64), a normal number for n down to -190
  float fraction;
};

BIONN_INLINE Reduced reduce(float x) {
  // 1.5 * 2^23 + 191: the sum is a whole number whose last nine bits are n + 64 in a float's exponent
  constexpr float shift = 12583103.0f;
  const float shifted = std::fma(x, 1.44269504f, shift);
  const float n = shifted - shift;
  float r = std::fma(n, -0.693145752f, x);
  r = std::fma(n, -1.42860677e-6f, r);
  // (exp(r) - 1 - r) / r^2, to 3e-9 of exp(r)
  float q = 0.00139505942f;
  q = std::fma(q, r, 0.00836895430f);
  q = std::fma(q, r, 0.0416662042f);
  q = std::fma(q, r, 0.166665183f);
  q = std::fma(q, r, 0.500000010f);
  return {from_bits(static_cast<int32_t>(static_cast<uint32_t>(to_bits(shifted)) << 23)),
          std::fma(q, r * r, r)};
}

// factor * exp(x) for x <= 0; a product next to 0 is rounded once, not twice.
BIONN_INLINE float times_exp_negative(float factor, float x) {
  const Reduced e = reduce(x < -120.0f ? -120.0f : x);
  return std::fma(factor, e.fraction, factor) * e.power * 0x1p-64f;
}

// exp(x) for x <= 0.
BIONN_INLINE float exp_negative(float x) { return times_exp_negative(1.0f, x); }

// exp(x) - 1 for x <= 0: near 0 the fraction alone, whose digits are all there.
BIONN_INLINE float expm1_negative(float x) {
  const Reduced e = reduce(x < -20.0f ? -20.0f : x);
  const float power = e.power * 0x1p-64f;
  return std::fma(e.fraction, power, power - 1.0f);
}

// A quotient t / (c + t) in two parts, for c = 1 or 2 and |t| <= c: its rounded value and the rest.
struct Quotient {
  float value, rest;
};

BIONN_INLINE Quotient over_sum(float t, float c) {
  const float sum = c + t, lost = t - (sum - c);
  const float inverse = 1.0f / sum, value = t * inverse;
  return {value, inverse * std::fma(-value, lost, std::fma(-value, sum, t))};
}

// tanh(z) with |z| = n ln(2) / 2 + r, |r| <= ln(2) / 4, by the addition theorem: tanh(n ln(2) / 2) is
// (2^n - 1) / (2^n + 1), so one quotient is enough, and for n = 0 it is tanh(r) itself.
BIONN_INLINE float tanh(float z) {
  const float size = 10.0f < std::fabs(z) ? 10.0f : std::fabs(z);  // beyond, it is 1
  constexpr float shift = 12583039.0f;                             // 1.5 * 2^23 + 127, as in `reduce`
  const float shifted = std::fma(size, 2.88539008f, shift);
  const float r = std::fma(shifted - shift, -0.346573591f, size), v = r * r;
  const float power = from_bits(static_cast<int32_t>(static_cast<uint32_t>(to_bits(shifted)) << 23));
  // (tanh(r) / r - 1) / r^2
  float p = -0.0527260378f;
  p = std::fma(p, v, 0.133311808f);
  p = std::fma(p, v, -0.333333224f);
  const float t = std::fma(p, r * v, r), less = power - 1.0f, more = power + 1.0f;
  return std::copysign(std::fma(more, t, less) / std::fma(less, t, more), z);
}

// log(1 + e) for 0 <= e <= 1, as 2 artanh(w) with w = e / (2 + e) <= 1/3.
BIONN_INLINE float log1p_fraction(float e) {
  const Quotient q = over_sum(e, 2.0f);
  const float w = q.value, v = w * w;
  // (artanh(w) / w - 1) / w^2, to 2e-11 of the whole
  float p = 0.121504672f;
  p = std::fma(p, v, 0.107138284f);
  p = std::fma(p, v, 0.143084425f);
  p = std::fma(p, v, 0.199994389f);
  p = std::fma(p, v, 0.333333378f);
  const float twice = w + w;
  return twice + std::fma(twice * v, p, q.rest + q.rest);
}

// 1 / (1 + exp(-z)): the exponential never overflows, and the small side keeps its digits.
BIONN_INLINE float sigmoid(float z) {
  const float e = exp_negative(-std::fabs(z));
  return (z < 0.0f ? e : 1.0f) / (1.0f + e);
}

// z times the sigmoid of a, which is of z's sign; NaN, as -inf * 0 is, at z = -inf.
BIONN_INLINE float times_sigmoid(float z, float a) {
  const float x = -std::fabs(a), negative = z < 0.0f ? z : 0.0f;
  const float left = times_exp_negative(z < -120.0f ? -120.0f : z, x) + negative * 0.0f;
  return (z < 0.0f ? left : z) / (1.0f + exp_negative(x));
}

// The normal distribution left of -x is exp(-x^2 / 2) times a slowly falling ratio.
struct NormalTail {
  float x;            // |z|, at most 15: beyond, the tail is 0 in float
  float half_square;  // x^2 / 2, rounded
  float correction;   // exp(what the rounding lost)
  float ratio;        // Phi(-x) exp(x^2 / 2)

  BIONN_INLINE float times_bell(float factor) const {  // factor exp(-x^2 / 2)
    return times_exp_negative(factor * correction, -half_square);
  }
};

BIONN_INLINE NormalTail normal_tail(float z) {
  const float x = std::fabs(z) > 15.0f ? 15.0f : std::fabs(z);
  const float square = x * x, rest = std::fma(x, x, -square);
  // the ratio as a polynomial in t = 1 / (1 + .3 x) about 1/4, to 3e-9
  const float t = 1.0f / std::fma(0.3f, x, 1.0f) - 0.25f;
  float p = -0.0200198611f;
  p = std::fma(p, t, 0.0588413913f);
  p = std::fma(p, t, -0.0303910898f);
  p = std::fma(p, t, -0.0524555430f);
  p = std::fma(p, t, -0.0116162366f);
  p = std::fma(p, t, 0.0791014405f);
  p = std::fma(p, t, 0.179408075f);
  p = std::fma(p, t, 0.239797664f);
  p = std::fma(p, t, 0.244621092f);
  p = std::fma(p, t, 0.206684765f);
  p = std::fma(p, t, 0.0395066942f);
  return {x, 0.5f * square, std::fma(-0.5f, rest, 1.0f), p};
}

}  // namespace bionn
