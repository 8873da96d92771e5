// Activations and softmax as nodes in autograd's graph: y from z, and dJ/dz from u = dJ/dy.
#pragma once
#include <functional>
#include <string>

#include "node.h"

namespace {

constexpr int64_t span = 512;  // elements whose bits are kept together; loops.h has the same

enum class Keeps { input, output, bits };

// A function of one tensor: y from z, and dJ/dz from u = dJ/dy and what is kept.
struct Op {
  const char* name;
  Keeps keeps;
  std::function<void(const Tensor& z, const Tensor& y, float a, float b)> value;
  std::function<void(const Tensor& u, const Tensor& kept, const Tensor& d, float a, float b)> chain;
  SwitchValue* value_and_bits = nullptr;
  Chain* chain_of_output = nullptr;  // of one that keeps bits: the same from the output
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

Op of_two_slopes(const char* name, Value* value, SwitchValue* value_and_bits, SwitchChain* chain,
                 Chain* chain_of_output) {
  Op op = elementwise(name, Keeps::bits, value, nullptr);
  op.value_and_bits = value_and_bits;
  op.chain_of_output = chain_of_output;
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
    of_two_slopes("relu", relu_value, relu_switch_value, relu_switch_chain, relu_chain),
    of_two_slopes("leaky_relu", leaky_relu_value, leaky_relu_switch_value, leaky_relu_switch_chain,
                  leaky_relu_chain),
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
    if (!last(u) || !u.is_contiguous()) return {again(op.name, u, kept, constants), {}, {}};
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

}  // namespace
