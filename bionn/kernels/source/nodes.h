// The kernels that nodes.cpp calls; the files named by them say what they compute.
#pragma once
#include <cstdint>

extern "C" {

typedef void Value(const float* z, float* y, int64_t n, float a, float b);
typedef void Chain(const float* u, const float* kept, float* d, int64_t n, float a, float b);
Value sigmoid_value, tanh_value, relu_value, leaky_relu_value, elu_value, softplus_value, gelu_value,
    gelu_tanh_value, silu_value;
Chain sigmoid_chain, tanh_chain, relu_chain, leaky_relu_chain, elu_chain, softplus_chain, gelu_chain,
    gelu_tanh_chain, silu_chain;

typedef void SwitchValue(const float* z, float* y, uint32_t* bits, int64_t n, float a);
typedef void SwitchChain(const float* u, const uint32_t* bits, float* d, int64_t n, float a);
SwitchValue relu_switch_value, leaky_relu_switch_value;
SwitchChain relu_switch_chain, leaky_relu_switch_chain;

typedef void RowsValue(const float* z, float* y, int64_t rows, int64_t classes);
typedef void RowsChain(const float* u, const float* y, float* d, int64_t rows, int64_t classes);
RowsValue softmax_value, log_softmax_value;
RowsChain softmax_chain, log_softmax_chain;

typedef void LossValue(const float* y, const float* t, float* out, int64_t n, bool reduced, double factor, float c);
typedef void LossChain(const float* g, const float* y, const float* t, float* out, int64_t n, bool reduced,
                       double factor, float c);
LossValue squared_error_value, logits_value;
LossChain squared_error_chain, logits_chain;

void cross_entropy_value(const float* z, const int64_t* target, const float* w, float* log_y, float* out,
                         int64_t rows, int64_t classes, int64_t ignored, bool reduced, bool mean);
void cross_entropy_chain(const float* g, const float* log_y, const int64_t* target, const float* w, float* d,
                         int64_t rows, int64_t classes, int64_t ignored, bool reduced, bool mean);

void dropout_mask_value(float* out, int64_t n, uint64_t key, int64_t first, uint32_t threshold, float scale);
void dropout_codes_value(const uint8_t* codes, uint8_t* out, int64_t n, uint64_t key, int64_t first, uint32_t threshold,
                         uint8_t blank);

bool onehot_pays(int64_t samples, int64_t inputs, int64_t outputs);
int64_t onehot_largest(const uint8_t* codes, int64_t n);
void onehot_float32_value(const uint8_t* codes, const float* weight, const float* table, const float* bias,
                          float* out, int64_t samples, int64_t length, int64_t letters, int64_t outputs,
                          int64_t symbols, bool rectify);
void onehot_float32_chain(const uint8_t* codes, const float* u, const float* output, const float* table,
                          float* gradient, float* by_bias, int64_t samples, int64_t length, int64_t letters,
                          int64_t outputs, int64_t symbols);
}
