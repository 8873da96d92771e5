// Kernels as ops of torch's, each with a node of its own in autograd's graph.
//
// A node written in Python costs ten to thirty microseconds more than one of torch's own, which is what
// a small op takes. The ops here take plain float32 tensors of the CPU and give nothing for whatever
// else there is; they know neither forward mode nor transforms. A derivative that is to be
// differentiated again goes through `bionn::chain`, which Python defines.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <c10/core/impl/TorchDispatchModeTLS.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <functional>
#include <string>

#include "nodes.h"

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;
using Constants = std::vector<double>;
using Given = std::optional<Tensor>;

constexpr int64_t span = 512;  // elements whose bits are kept together; loops.h has the same

float* numbers(const Tensor& tensor) { return static_cast<float*>(tensor.data_ptr()); }

uint32_t* words(const Tensor& tensor) { return static_cast<uint32_t*>(tensor.data_ptr()); }

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

// Whether a kernel may compute a derivative from u: nobody differentiates, traces or maps it.
bool last(const Tensor& u) {
  return !at::GradMode::is_enabled() && in_order(u) &&
         !c10::impl::TorchDispatchModeTLS::any_modes_set() &&
         !c10::impl::tls_is_dispatch_key_included(c10::DispatchKey::Tracer);
}

// The same derivative in torch arithmetic.
Tensor again(const char* name, const Tensor& u, at::TensorList kept, at::ArrayRef<double> constants) {
  using Signature = Tensor(c10::string_view, const Tensor&, at::TensorList, at::ArrayRef<double>);
  static const auto chain =
      c10::Dispatcher::singleton().findSchemaOrThrow("bionn::chain", "").typed<Signature>();
  return chain.call(name, u, kept, constants);
}

enum class Keeps { input, output, bits };

// A function of one tensor: y from z, and dJ/dz from u = dJ/dy and what is kept.
struct Op {
  const char* name;
  Keeps keeps;
  std::function<void(const Tensor& z, const Tensor& y, float a, float b)> value;
  std::function<void(const Tensor& u, const Tensor& kept, const Tensor& d, float a, float b)> chain;
  SwitchValue* value_and_bits = nullptr;
};

Op elementwise(const char* name, Keeps keeps, Value* value, Chain* chain) {
  return {name, keeps,
          [=](const Tensor& z, const Tensor& y, float a, float b) {
            value(numbers(z), numbers(y), z.numel(), a, b);
          },
          [=](const Tensor& u, const Tensor& kept, const Tensor& d, float a, float b) {
            chain(numbers(u), numbers(kept), numbers(d), u.numel(), a, b);
          }};
}

Op of_two_slopes(const char* name, Value* value, SwitchValue* value_and_bits, SwitchChain* chain) {
  Op op = elementwise(name, Keeps::bits, value, nullptr);
  op.value_and_bits = value_and_bits;
  op.chain = [=](const Tensor& u, const Tensor& kept, const Tensor& d, float a, float) {
    chain(numbers(u), words(kept), numbers(d), u.numel(), a);
  };
  return op;
}

Op of_rows(const char* name, RowsValue* value, RowsChain* chain) {
  const auto rows = [](const Tensor& z) { return z.numel() / std::max<int64_t>(1, z.size(-1)); };
  return {name, Keeps::output,
          [=](const Tensor& z, const Tensor& y, float, float) {
            value(numbers(z), numbers(y), rows(z), z.size(-1));
          },
          [=](const Tensor& u, const Tensor& kept, const Tensor& d, float, float) {
            chain(numbers(u), numbers(kept), numbers(d), rows(u), u.size(-1));
          }};
}

const Op ops[] = {
    elementwise("sigmoid", Keeps::output, sigmoid_value, sigmoid_chain),
    elementwise("tanh", Keeps::output, tanh_value, tanh_chain),
    of_two_slopes("relu", relu_value, relu_switch_value, relu_switch_chain),
    of_two_slopes("leaky_relu", leaky_relu_value, leaky_relu_switch_value, leaky_relu_switch_chain),
    elementwise("elu", Keeps::input, elu_value, elu_chain),
    elementwise("softplus", Keeps::input, softplus_value, softplus_chain),
    elementwise("gelu", Keeps::input, gelu_value, gelu_chain),
    elementwise("gelu_tanh", Keeps::input, gelu_tanh_value, gelu_tanh_chain),
    elementwise("silu", Keeps::input, silu_value, silu_chain),
    of_rows("softmax", softmax_value, softmax_chain),
    of_rows("log_softmax", log_softmax_value, log_softmax_chain),
};

float constant(at::ArrayRef<double> constants, size_t place) {
  return place < constants.size() ? static_cast<float>(constants[place]) : 0.0f;
}

// Bits are a second, hidden output and pass for numbers, though nobody computes with them, so that a
// derivative hangs together with the input in a graph that is differentiated again, as one written in
// the output would.
struct OpNode : Function<OpNode> {
  static variable_list forward(AutogradContext* ctx, const Tensor& z, int64_t at, const Constants& constants) {
    const Op& op = ops[at];
    const Tensor y = at::empty_like(z);
    const float a = constant(constants, 0), b = constant(constants, 1);
    variable_list outputs{y};
    if (op.keeps == Keeps::bits) {
      outputs.push_back(at::empty({(z.numel() + span - 1) / span * (span / 32)}, z.options()));
      op.value_and_bits(numbers(z), numbers(y), words(outputs[1]), z.numel(), a);
      ctx->saved_data["shape"] = z.sizes();
    } else {
      op.value(z, y, a, b);
    }
    ctx->save_for_backward({op.keeps == Keeps::input ? z : outputs.back()});
    ctx->set_materialize_grads(false);
    ctx->saved_data["op"] = at;
    ctx->saved_data["constants"] = constants;
    return outputs;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& upstream) {
    const Tensor &u = upstream[0], kept = ctx->get_saved_variables()[0];
    const Op& op = ops[ctx->saved_data["op"].toInt()];
    if (!u.defined()) {
      if (op.keeps != Keeps::bits) return variable_list(3);
      // a derivative's derivative by the input: the slope does not change
      return {at::zeros(ctx->saved_data["shape"].toIntVector(), kept.options()), {}, {}};
    }
    const Constants constants = ctx->saved_data["constants"].toDoubleVector();
    if (!last(u)) return {again(op.name, u, kept, constants), {}, {}};
    const Tensor d = at::empty_like(u);
    op.chain(u, kept, d, constant(constants, 0), constant(constants, 1));
    return {d, {}, {}};
  }
};

Given apply(int64_t at, const Tensor& z, at::ArrayRef<double> constants) {
  if (!in_order(z) || z.dim() == 0 && ops[at].keeps == Keeps::output) return {};
  if (asks(z)) return OpNode::apply(z, at, constants.vec())[0];
  const Tensor y = at::empty_like(z);
  ops[at].value(z, y, constant(constants, 0), constant(constants, 1));
  return y;
}

// The linear layer on one-hot sequences: codes (N, L) below S, weight (H, A, L) laid out (L, A, H),
// bias (H), table (S, A).
struct OneHotNode : Function<OneHotNode> {
  static Tensor value(const Tensor& weight, const Given& bias, const Tensor& codes, const Tensor& table,
                      int64_t symbols) {
    const Tensor out = at::empty({codes.size(0), weight.size(0)}, weight.options());
    onehot_float32_value(bytes(codes), numbers(weight), numbers(table), bias ? numbers(*bias) : nullptr, numbers(out),
                         codes.size(0), codes.size(1), weight.size(1), weight.size(0), symbols);
    return out;
  }

  static Tensor forward(AutogradContext* ctx, const Tensor& weight, const Given& bias, const Tensor& codes,
                        const Tensor& table, int64_t symbols) {
    ctx->save_for_backward({codes, table});
    ctx->set_materialize_grads(false);
    ctx->saved_data["symbols"] = symbols;
    ctx->saved_data["bias"] = bias.has_value();
    return value(weight, bias, codes, table, symbols);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& upstream) {
    variable_list gradients(5);
    if (!upstream[0].defined()) return gradients;
    if (ctx->needs_input_grad(0)) {
      const Tensor u = upstream[0].contiguous();
      const variable_list kept = ctx->get_saved_variables();
      const Tensor &codes = kept[0], &table = kept[1];
      if (last(u)) {
        const Tensor gradient = at::empty({codes.size(1), table.size(1), u.size(1)}, u.options());
        onehot_float32_chain(bytes(codes), numbers(u), numbers(table), numbers(gradient), codes.size(0), codes.size(1),
                             table.size(1), u.size(1), ctx->saved_data["symbols"].toInt());
        gradients[0] = gradient.permute({2, 1, 0});
      } else {
        gradients[0] = again("onehot_linear", u, kept, {});
      }
    }
    if (ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(1)) gradients[1] = upstream[0].sum(0);
    return gradients;
  }
};

bool fit(const Tensor& codes, const Tensor& weight, const Given& bias, const Tensor& table) {
  if (!in_order(codes, at::kByte) || codes.dim() != 2 || !plain(weight) || weight.dim() != 3) return false;
  if (codes.size(1) != weight.size(2) || !weight.detach().permute({2, 1, 0}).is_contiguous()) return false;
  if (bias && !(in_order(*bias) && bias->sizes() == weight.sizes().slice(0, 1))) return false;
  return in_order(table) && !table.requires_grad() && table.sizes().slice(1) == weight.sizes().slice(1, 1);
}

Given onehot_linear(const Tensor& codes, const Tensor& weight, const Given& bias, const Tensor& table) {
  if (!fit(codes, weight, bias, table)) return {};
  const int64_t symbols = codes.numel() ? onehot_largest(bytes(codes), codes.numel()) + 1 : table.size(0);
  if (symbols > table.size(0)) return {};
  if (asks(weight) || (bias && asks(*bias))) return OneHotNode::apply(weight, bias, codes, table, symbols);
  return OneHotNode::value(weight, bias, codes, table, symbols);
}

}  // namespace

TORCH_LIBRARY(bionn, library) {
  library.def("chain(str name, Tensor u, Tensor[] kept, float[] constants) -> Tensor");
  library.def("onehot_linear(Tensor codes, Tensor weight, Tensor? bias, Tensor table) -> Tensor?", onehot_linear);
  for (const Op& op : ops) {
    const std::string schema = std::string(op.name) + "(Tensor z, float[] constants) -> Tensor?";
    library.def(schema.c_str(), [at = &op - ops](const Tensor& z, at::ArrayRef<double> constants) {
      return apply(at, z, constants);
    });
  }
}
