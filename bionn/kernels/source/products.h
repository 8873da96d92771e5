// The three products of a linear layer: x (N, in), W (out, in), b (out), u = dJ/da (N, out).
//
// Plain float32 tensors of the CPU, of any strides; nothing here is differentiated.
#pragma once
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include "node.h"

namespace {

// a = x W^T + b
Tensor linear_value(const Tensor& x, const Tensor& weight, const Given& bias) {
  return bias ? at::addmm(*bias, x, weight.t()) : at::mm(x, weight.t());
}

// dJ/dx = u W
Tensor linear_by_input(const Tensor& u, const Tensor& weight) { return at::mm(u, weight); }

// dJ/dW = u^T x
Tensor linear_by_weight(const Tensor& u, const Tensor& x) { return at::mm(u.t(), x); }

}  // namespace
