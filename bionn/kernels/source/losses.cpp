// Losses of one number per element: their sum or each of them, and the gradient by the input.
//
// y is the prediction or the logit z, t the target, g the upstream gradient: one number for a
// reduced loss, one an element otherwise. bionn/ops/README.md derives the formulas.
#include "loops.h"
#include "numeric.h"

using namespace bionn;

namespace {

template <class F>
BIONN_INLINE void loss(float* out, int64_t n, bool reduced, double factor, const F& value) {
  if (reduced) {
    *out = static_cast<float>(sum_each(n, value) * factor);
  } else {
    each(n, [=](int64_t i) { out[i] = value(i); });
  }
}

template <class F>
BIONN_INLINE void gradient(const float* g, float* out, int64_t n, bool reduced, double factor,
                           const F& slope) {
  if (reduced) {
    const float scale = static_cast<float>(*g * factor);
    each(n, [=](int64_t i) { out[i] = slope(i) * scale; });
  } else {
    each(n, [=](int64_t i) { out[i] = slope(i) * g[i]; });
  }
}

}  // namespace

// J = c (y - t)^2;  dJ/dy = 2 c (y - t)
BIONN_API void squared_error_value(const float* y, const float* t, float* out, int64_t n, bool reduced,
                                   double factor, float c) {
  loss(out, n, reduced, factor, [=](int64_t i) {
    const float error = y[i] - t[i];
    return error * error * c;
  });
}

BIONN_API void squared_error_chain(const float* g, const float* y, const float* t, float* out,
                                   int64_t n, bool reduced, double factor, float c) {
  const float twice = 2.0f * c;
  gradient(g, out, n, reduced, factor, [=](int64_t i) { return (y[i] - t[i]) * twice; });
}

// J = t softplus(-z) + (1 - t) softplus(z);  dJ/dz = (1 - t) sigmoid(z) - t sigmoid(-z)
BIONN_API void logits_value(const float* z, const float* t, float* out, int64_t n, bool reduced,
                            double factor, float) {
  loss(out, n, reduced, factor, [=](int64_t i) {
    const float curve = log1p_fraction(exp_negative(-std::fabs(z[i])));
    const float rising = (z[i] > 0.0f ? z[i] : 0.0f) + curve;
    const float falling = (z[i] < 0.0f ? -z[i] : 0.0f) + curve;
    return std::fma(t[i], falling, (1.0f - t[i]) * rising);
  });
}

BIONN_API void logits_chain(const float* g, const float* z, const float* t, float* out, int64_t n,
                            bool reduced, double factor, float) {
  gradient(g, out, n, reduced, factor, [=](int64_t i) {
    const float e = exp_negative(-std::fabs(z[i]));
    const float larger = 1.0f / (1.0f + e), smaller = e * larger;
    const float up = z[i] < 0.0f ? smaller : larger, down = z[i] < 0.0f ? larger : smaller;
    return (1.0f - t[i]) * up - t[i] * down;
  });
}
