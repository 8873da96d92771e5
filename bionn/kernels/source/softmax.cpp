// Softmax, its logarithm and the cross-entropy of rows of logits (rows, classes), one row at a time.
//
// z is a logit, y a probability, u the upstream gradient. bionn/ops/README.md derives the formulas.
#include "loops.h"
#include "numeric.h"

using namespace bionn;

namespace {

BIONN_INLINE float largest(const float* z, int64_t classes) {
  float top = z[0];
#pragma omp simd reduction(max : top)
  for (int64_t k = 0; k < classes; ++k) top = z[k] > top ? z[k] : top;
  return top;
}

// log y, with its digits also where y is near 1: the logarithm is that of 1 + the other terms.
BIONN_INLINE void log_softmax(const float* z, float* log_y, int64_t classes) {
  const float top = largest(z, classes);
  double others = -1;  // for the one term that is the 1
#pragma omp simd reduction(+ : others)
  for (int64_t k = 0; k < classes; ++k) others += exp_negative(z[k] - top);
  if (others < 1e-6) {  // the -1 has cost digits: leave out the largest term itself
    others = 0;
#pragma omp simd reduction(+ : others)
    for (int64_t k = 0; k < classes; ++k) others += z[k] == top ? 0.0f : exp_negative(z[k] - top);
  }
  // top - top is 0, or NaN for an infinite logit, whose row has no softmax
  const double rest = std::log1p(others) + static_cast<double>(top - top);
  const float high = static_cast<float>(rest), low = static_cast<float>(rest - high);
#pragma omp simd
  for (int64_t k = 0; k < classes; ++k) log_y[k] = (z[k] - top) - high - low;
}

}  // namespace

BIONN_API void softmax_value(const float* in, float* out, int64_t rows, int64_t classes) {
  each_row(rows, classes, [=](int64_t row) {
    const float* z = in + row * classes;
    float* y = out + row * classes;
    const float top = largest(z, classes);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < classes; ++k) {
      y[k] = exp_negative(z[k] - top);
      sum += y[k];
    }
    const float share = static_cast<float>(1.0 / sum);
#pragma omp simd
    for (int64_t k = 0; k < classes; ++k) y[k] *= share;
  });
}

// dJ/dz_k = y_k (u_k - sum_l u_l y_l)
BIONN_API void softmax_chain(const float* upstream, const float* kept, float* out, int64_t rows,
                             int64_t classes) {
  each_row(rows, classes, [=](int64_t row) {
    const float *u = upstream + row * classes, *y = kept + row * classes;
    float* d = out + row * classes;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < classes; ++k) sum += u[k] * y[k];
    const float inner = static_cast<float>(sum);
#pragma omp simd
    for (int64_t k = 0; k < classes; ++k) d[k] = y[k] * (u[k] - inner);
  });
}

BIONN_API void log_softmax_value(const float* in, float* out, int64_t rows, int64_t classes) {
  each_row(rows, classes, [=](int64_t row) {
    log_softmax(in + row * classes, out + row * classes, classes);
  });
}

// dJ/dz_k = u_k - y_k sum_l u_l
BIONN_API void log_softmax_chain(const float* upstream, const float* kept, float* out, int64_t rows,
                                 int64_t classes) {
  each_row(rows, classes, [=](int64_t row) {
    const float *u = upstream + row * classes, *log_y = kept + row * classes;
    float* d = out + row * classes;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < classes; ++k) sum += u[k];
    const float total = static_cast<float>(sum);
#pragma omp simd
    for (int64_t k = 0; k < classes; ++k) d[k] = std::fma(-exp_negative(log_y[k]), total, u[k]);
  });
}

// J_n = -w_t log y_t, 0 where the target is ignored; w is the weight of each class, or null for 1.
// Writes log y, and either each J_n or one number: their sum, or their mean over the weights used.
BIONN_API void cross_entropy_value(const float* in, const int64_t* target, const float* w, float* log_y,
                                   float* out, int64_t rows, int64_t classes, int64_t ignored,
                                   bool reduced, bool mean) {
  std::vector<double> values(rows);
  each_row(rows, classes, [&, out](int64_t row) {
    float* own = log_y + row * classes;
    log_softmax(in + row * classes, own, classes);
    const int64_t t = target[row];
    values[row] = t == ignored ? 0.0 : -(w ? double{w[t]} : 1.0) * own[t];
    if (!reduced) out[row] = static_cast<float>(values[row]);
  });
  if (!reduced) return;
  double sum = 0, weight = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t t = target[row];
    sum += values[row];
    weight += t == ignored ? 0.0 : w ? w[t] : 1.0;
  }
  *out = static_cast<float>(mean ? sum / weight : sum);
}

// dJ/dz_k = w_t (y_k - [k = t]); at the label y_t - 1 = expm1(log y_t), which keeps its digits
BIONN_API void cross_entropy_chain(const float* g, const float* kept, const int64_t* target,
                                   const float* w, float* out, int64_t rows, int64_t classes,
                                   int64_t ignored, bool reduced, bool mean) {
  double weight = 1;
  if (mean) {
    weight = 0;
    for (int64_t row = 0; row < rows; ++row)
      weight += target[row] == ignored ? 0.0 : w ? w[target[row]] : 1.0;
  }
  each_row(rows, classes, [=](int64_t row) {
    const float* log_y = kept + row * classes;
    float* d = out + row * classes;
    const int64_t t = target[row];
    if (t == ignored) {
      std::fill(d, d + classes, 0.0f);
      return;
    }
    const float scale = static_cast<float>((w ? w[t] : 1.0f) * (reduced ? *g : g[row]) / weight);
#pragma omp simd
    for (int64_t k = 0; k < classes; ++k) d[k] = exp_negative(log_y[k]) * scale;
    d[t] = expm1_negative(log_y[t]) * scale;
  });
}
