// The linear layer on one-hot sequences as a node in autograd's graph.
#pragma once
#include <ATen/ops/addmm.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>

#include "node.h"

namespace {

// The linear layer on one-hot sequences: codes (N, L) below S, weight (H, A, L) laid out (L, A, H),
// bias (H), table (S, A).
struct OneHotNode : Function<OneHotNode> {
  // What the codes stand for, (N, L * A), where a product of it is faster than the kernels.
  static Given rows(const Tensor& codes, const Tensor& table, int64_t outputs) {
    const int64_t samples = codes.size(0), inputs = codes.size(1) * table.size(1);
    if (onehot_pays(samples, inputs, outputs)) return {};
    return at::embedding(table, codes.to(at::kInt)).view({samples, inputs});
  }

  static Tensor value(const Tensor& weight, const Given& bias, const Tensor& codes, const Tensor& table,
                      int64_t symbols, bool rectify = false) {
    at::AutoDispatchBelowADInplaceOrView within;  // a node of ours stands for all that is called
    if (const Given x = rows(codes, table, weight.size(0))) {
      const Tensor matrix = weight.permute({2, 1, 0}).view({x->size(1), weight.size(0)});
      const Tensor out = bias ? at::addmm(*bias, *x, matrix) : at::mm(*x, matrix);
      if (rectify) relu_value(numbers(out), numbers(out), out.numel(), 0, 0);
      return out;
    }
    const Tensor out = at::empty({codes.size(0), weight.size(0)}, weight.options());
    onehot_float32_value(bytes(codes), numbers(weight), numbers(table), bias ? numbers(*bias) : nullptr, numbers(out),
                         codes.size(0), codes.size(1), weight.size(1), weight.size(0), symbols, rectify);
    return out;
  }

  // With the output of a rectifier behind the layer, upstream is the gradient by that, and may be written to. The
  // bias's gradient is written where there is a place for it.
  static Tensor by_weight(const Tensor& upstream, const Tensor& codes, const Tensor& table, int64_t symbols,
                          const Given& output = {}, const Given& by_bias = {}) {
    const int64_t length = codes.size(1), letters = table.size(1), outputs = upstream.size(1);
    if (const Given x = rows(codes, table, outputs)) {
      if (output) relu_chain(numbers(upstream), numbers(*output), numbers(upstream), upstream.numel(), 0, 0);
      if (by_bias) by_bias->copy_(at::sum(upstream, 0));
      return at::mm(x->t(), upstream).view({length, letters, outputs}).permute({2, 1, 0});
    }
    const Tensor u = upstream.contiguous();
    const Tensor gradient = at::empty({length, letters, outputs}, u.options());
    onehot_float32_chain(bytes(codes), numbers(u), output ? numbers(*output) : nullptr, numbers(table),
                         numbers(gradient), by_bias ? numbers(*by_bias) : nullptr, codes.size(0), length, letters,
                         outputs, symbols);
    return gradient.permute({2, 1, 0});
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
      const Tensor& u = upstream[0];
      const variable_list kept = ctx->get_saved_variables();
      const Tensor &codes = kept[0], &table = kept[1];
      if (last(u)) {
        gradients[0] = by_weight(u, codes, table, ctx->saved_data["symbols"].toInt());
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

// Codes are below this many.
int64_t symbols_of(const Tensor& codes, const Tensor& table) {
  return codes.numel() ? onehot_largest(bytes(codes), codes.numel()) + 1 : table.size(0);
}

Given onehot_linear(const Tensor& codes, const Tensor& weight, const Given& bias, const Tensor& table) {
  if (!fit(codes, weight, bias, table)) return {};
  const int64_t symbols = symbols_of(codes, table);
  if (symbols > table.size(0)) return {};
  if (asks(weight) || (bias && asks(*bias))) return OneHotNode::apply(weight, bias, codes, table, symbols);
  return OneHotNode::value(weight, bias, codes, table, symbols);
}

}  // namespace
