// Elementwise activations: value y(z), and the chain rule u * dy/dz, one pass each.
//
// z is the input, y the output, u the direction that the chain rule multiplies. a and b are the
// constants of an activation. bionn/ops/README.md derives the formulas.
#include "loops.h"
#include "numeric.h"

using namespace bionn;

#define VALUE(name, value_of)                                                                  \
  BIONN_API void name##_value(const float* in, float* out, int64_t n, float a, float b) {      \
    each(n, [=](int64_t i) {                                                                   \
      const float z = in[i];                                                                   \
      out[i] = value_of;                                                                       \
    });                                                                                        \
  }

#define ACTIVATION(name, kept, value_of, chain_of)                                             \
  VALUE(name, value_of)                                                                        \
  BIONN_API void name##_chain(const float* upstream, const float* in, float* out, int64_t n,   \
                              float a, float b) {                                              \
    each(n, [=](int64_t i) {                                                                   \
      const float u = upstream[i], kept = in[i];                                               \
      out[i] = chain_of;                                                                       \
    });                                                                                        \
  }

// An activation of two slopes, the upper of which is 1: the chain rule wants but a bit an element, or the
// output, which lies on the same side of the kink as the input if the lower slope is not negative.
#define SWITCH(name, upper, lower)                                                             \
  VALUE(name, (upper) ? z : lower(z, a))                                                       \
  BIONN_API void name##_chain(const float* upstream, const float* kept, float* out, int64_t n, \
                              float a, float) {                                                \
    each(n, [=](int64_t i) {                                                                   \
      const float u = upstream[i], z = kept[i];                                                \
      out[i] = (upper) ? u : lower(u, a);                                                      \
    });                                                                                        \
  }                                                                                            \
  BIONN_API void name##_switch_value(const float* in, float* out, uint32_t* bits, int64_t n,   \
                                     float a) {                                                \
    each_with_bit(n, in, out, bits, [=](Floats z, Words& words, uint32_t bit) {                \
      const auto on = upper;                                                                   \
      words |= (Words)on & bit;                                                                \
      return on ? z : lower(z, a);                                                             \
    });                                                                                        \
  }                                                                                            \
  BIONN_API void name##_switch_chain(const float* upstream, const uint32_t* bits, float* out,  \
                                     int64_t n, float a) {                                     \
    each_with_bit(n, upstream, out, bits, [=](Floats u, const Words& words, uint32_t bit) {    \
      return (words & bit) != 0 ? u : lower(u, a);                                             \
    });                                                                                        \
  }

namespace {

// what lies below the kink, of a float or of a vector of them
template <class T>
BIONN_INLINE T nothing(T, float) {
  return T{};
}

template <class T>
BIONN_INLINE T scaled(T x, float a) {
  return x * a;
}

BIONN_INLINE float elu(float z, float alpha) { return z > 0.0f ? z : alpha * expm1_negative(z > 0.0f ? 0.0f : z); }

BIONN_INLINE float elu_slope(float z, float alpha) {
  return z > 0.0f ? 1.0f : alpha * exp_negative(z > 0.0f ? 0.0f : z);
}

BIONN_INLINE float softplus(float z, float beta, float threshold) {
  const float s = z * beta;
  const float curve = log1p_fraction(exp_negative(-std::fabs(s)));
  const float top = s < 0.0f ? 0.0f : s;
  return s > threshold ? z : (top + curve) / beta;
}

BIONN_INLINE float softplus_slope(float z, float beta, float threshold) {
  const float s = z * beta;
  return s > threshold ? 1.0f : sigmoid(s);
}

BIONN_INLINE float gelu(float z) {
  const NormalTail tail = normal_tail(z);
  const float left = tail.times_bell(tail.x * tail.ratio);  // |z| Phi(-|z|)
  return (z < 0.0f ? 0.0f : z) - left;
}

BIONN_INLINE float gelu_slope(float z) {
  // dy/dz = Phi(z) + z phi(z), where phi(z) = exp(-z^2 / 2) / sqrt(2 pi); both odd about 1/2
  const NormalTail tail = normal_tail(z);
  const float left = tail.times_bell(std::fma(tail.x, -0.398942280f, tail.ratio));
  return z < 0.0f ? left : 1.0f - left;
}

// s = (1 + tanh(k (z + c z^3))) / 2 is the sigmoid of twice the argument, k = sqrt(2 / pi). The
// argument is taken in two parts, as an error in it counts in proportion to its size.
struct TanhGate {
  float argument, rest;
};

BIONN_INLINE TanhGate gelu_tanh_gate(float z) {
  z = z < -15.0f ? -15.0f : z > 15.0f ? 15.0f : z;  // there the sigmoid is 0 or 1
  const double scale = 2.0 * 0.79788456080286536, cubic = scale * 0.044715, wide = z;
  const double argument = wide * (scale + cubic * (wide * wide));
  const float rounded = static_cast<float>(argument);
  return {rounded, static_cast<float>(argument - rounded)};
}

BIONN_INLINE float gelu_tanh(float z) {
  const TanhGate gate = gelu_tanh_gate(z);
  const float part = times_sigmoid(z, gate.argument);
  // d sigmoid = sigmoid (1 - sigmoid)
  return std::fma(part, gate.rest * sigmoid(-gate.argument), part);
}

BIONN_INLINE float gelu_tanh_slope(float z) {
  const TanhGate gate = gelu_tanh_gate(z);
  const float rounded = sigmoid(gate.argument);
  const float s = std::fma(rounded, gate.rest * (1.0f - rounded), rounded);
  constexpr float scale = 2.0f * 0.797884561f;
  const float inner = scale * std::fma(3.0f * 0.044715f, z * z, 1.0f);
  return s * std::fma(z * inner, 1.0f - s, 1.0f);
}

BIONN_INLINE float silu_slope(float z) {
  const float s = sigmoid(z);
  return s * std::fma(z, 1.0f - s, 1.0f);
}

}  // namespace

ACTIVATION(sigmoid, y, bionn::sigmoid(z), u * (y * (1.0f - y)))
ACTIVATION(tanh, y, bionn::tanh(z), u * ((1.0f - y) * (1.0f + y)))
SWITCH(relu, (z <= 0.0f) == 0, nothing)  // NaN stays NaN
SWITCH(leaky_relu, z > 0.0f, scaled)
ACTIVATION(elu, z, elu(z, a), u * elu_slope(z, a))
ACTIVATION(softplus, z, softplus(z, a, b), u * softplus_slope(z, a, b))
ACTIVATION(gelu, z, gelu(z), u * gelu_slope(z))
ACTIVATION(gelu_tanh, z, gelu_tanh(z), u * gelu_tanh_slope(z))
ACTIVATION(silu, z, times_sigmoid(z, z), u * silu_slope(z))
