// The linear layer as a node in autograd's graph: x (*, in), W (out, in), b (out).
#pragma once
#include "node.h"
#include "products.h"

namespace {

Tensor rows(const Tensor& tensor) { return tensor.dim() == 2 ? tensor : tensor.reshape({-1, tensor.size(-1)}); }

// A matrix with a row a sample in the shape of the samples.
Tensor unfolded(const Tensor& matrix, const Tensor& like) {
  if (like.dim() == 2) return matrix;
  std::vector<int64_t> sizes = like.sizes().vec();
  sizes.back() = matrix.size(1);
  return matrix.view(sizes);
}

struct LinearNode : Function<LinearNode> {
  static Tensor value(const Tensor& x, const Tensor& weight, const Given& bias) {
    at::AutoDispatchBelowADInplaceOrView within;  // a node of ours stands for all that is called
    return unfolded(linear_value(rows(x), weight, bias), x);
  }

  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, const Given& bias) {
    ctx->save_for_backward({x, weight});
    ctx->set_materialize_grads(false);
    ctx->saved_data["bias"] = bias.has_value();
    return value(x, weight, bias);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& upstream) {
    variable_list gradients(3);
    const Tensor& u = upstream[0];
    if (!u.defined()) return gradients;
    const variable_list kept = ctx->get_saved_variables();
    const Tensor &x = kept[0], &weight = kept[1];
    const bool numbers_only = last(u) && plain(x) && plain(weight);
    if (ctx->needs_input_grad(0)) {
      gradients[0] =
          numbers_only ? unfolded(linear_by_input(rows(u), weight), u) : again("linear_input", u, weight, {});
    }
    if (ctx->needs_input_grad(1)) {
      gradients[1] = numbers_only ? linear_by_weight(rows(u), rows(x)) : again("linear_weight", u, x, {});
    }
    const bool with_bias = ctx->saved_data["bias"].toBool();
    if (with_bias && ctx->needs_input_grad(2)) gradients[2] = u.sum_to_size(weight.sizes().slice(0, 1));
    return gradients;
  }
};

bool fit(const Tensor& x, const Tensor& weight, const Given& bias) {
  if (!plain(x) || !plain(weight) || x.dim() < 2 || weight.dim() != 2 || x.size(-1) != weight.size(1)) return false;
  // what has more dimensions and is not contiguous, or is empty, torch multiplies in other ways
  if (x.dim() > 2 && (!x.is_contiguous() || !x.numel() || !weight.numel())) return false;
  return !bias || plain(*bias) && bias->sizes() == weight.sizes().slice(0, 1);
}

Given linear(const Tensor& x, const Tensor& weight, const Given& bias) {
  if (!fit(x, weight, bias)) return {};
  if (asks(x) || asks(weight) || (bias && asks(*bias))) return LinearNode::apply(x, weight, bias);
  return LinearNode::value(x, weight, bias);
}

}  // namespace
