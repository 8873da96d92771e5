// What nodes in autograd's graph share: which tensors they take, and who computes a derivative.
#pragma once
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/TorchDispatchModeTLS.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <optional>
#include <vector>

#include "nodes.h"

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;
using Constants = std::vector<double>;
using Given = std::optional<Tensor>;

float* numbers(const Tensor& tensor) { return static_cast<float*>(tensor.data_ptr()); }

uint32_t* words(const Tensor& tensor) { return static_cast<uint32_t*>(tensor.data_ptr()); }

int64_t* indices(const Tensor& tensor) { return static_cast<int64_t*>(tensor.data_ptr()); }

uint8_t* bytes(const Tensor& tensor) { return static_cast<uint8_t*>(tensor.data_ptr()); }

// Whether a tensor holds its own numbers, on the CPU.
bool plain(const Tensor& tensor, at::ScalarType type = at::kFloat) {
  const auto own = tensor.key_set() - c10::autograd_dispatch_keyset_with_ADInplaceOrView -
                   c10::autocast_dispatch_keyset;
  return own == c10::DispatchKeySet(c10::DispatchKey::CPU) && tensor.scalar_type() == type;
}

bool in_order(const Tensor& tensor, at::ScalarType type = at::kFloat) {
  return plain(tensor, type) && tensor.is_contiguous();
}

bool asks(const Tensor& tensor) { return at::GradMode::is_enabled() && tensor.requires_grad(); }

// Whether numbers are all that is wanted of a derivative by u: nobody differentiates, traces or maps it.
bool last(const Tensor& u) {
  return !at::GradMode::is_enabled() && plain(u) && !c10::impl::TorchDispatchModeTLS::any_modes_set() &&
         !c10::impl::tls_is_dispatch_key_included(c10::DispatchKey::Tracer);
}

// The same derivative in torch arithmetic.
Tensor again(const char* name, const Tensor& u, at::TensorList kept, at::ArrayRef<double> constants) {
  using Signature = Tensor(c10::string_view, const Tensor&, at::TensorList, at::ArrayRef<double>);
  static const auto chain =
      c10::Dispatcher::singleton().findSchemaOrThrow("bionn::chain", "").typed<Signature>();
  return chain.call(name, u, kept, constants);
}

// Several derivatives at once, likewise.
variable_list all_again(const char* name, const Tensor& u, at::TensorList kept, at::ArrayRef<double> constants) {
  using Signature = std::vector<Tensor>(c10::string_view, const Tensor&, at::TensorList, at::ArrayRef<double>);
  static const auto chains =
      c10::Dispatcher::singleton().findSchemaOrThrow("bionn::chains", "").typed<Signature>();
  return chains.call(name, u, kept, constants);
}

}  // namespace
