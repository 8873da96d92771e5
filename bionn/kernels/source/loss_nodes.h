// Losses as nodes in autograd's graph.
//
// A reduction is a number as torch counts them: each loss (0), their mean (1), their sum (2).
#pragma once
#include <ATen/core/Reduction.h>

#include <algorithm>
#include <limits>

#include "node.h"

namespace {

Tensor room_for(const Tensor& each, int64_t reduction) {
  const auto options = each.options().dtype(at::kFloat);
  return reduction ? at::empty({}, options) : at::empty(each.sizes(), options);
}

struct Loss {
  const char* name;
  const char* by_target;  // its derivative by the target, which nobody asks for in training
  LossValue* value;
  LossChain* chain;
};

const Loss losses[] = {
    {"squared_error", "squared_error_target", squared_error_value, squared_error_chain},
    {"binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits_target", logits_value, logits_chain}};

// A loss of one number an element: y (*) and target (*), c the constant of the formula.
struct LossNode : Function<LossNode> {
  static double factor(const Tensor& y, int64_t reduction) {
    if (reduction != at::Reduction::Mean) return 1;
    return y.numel() ? 1.0 / y.numel() : std::numeric_limits<double>::quiet_NaN();
  }

  static Tensor value(const Tensor& y, const Tensor& target, int64_t at, int64_t reduction, double c) {
    const Tensor loss = room_for(y, reduction);
    losses[at].value(numbers(y), numbers(target), numbers(loss), y.numel(), reduction, factor(y, reduction), c);
    return loss;
  }

  static Tensor forward(AutogradContext* ctx, const Tensor& y, const Tensor& target, int64_t at, int64_t reduction,
                        double c) {
    ctx->save_for_backward({y, target});
    ctx->set_materialize_grads(false);
    ctx->saved_data["loss"] = at;
    ctx->saved_data["reduction"] = reduction;
    ctx->saved_data["constant"] = c;
    return value(y, target, at, reduction, c);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& upstream) {
    const Tensor& u = upstream[0];
    variable_list gradients(5);
    if (!u.defined()) return gradients;
    const variable_list kept = ctx->get_saved_variables();
    const Tensor &y = kept[0], &target = kept[1];
    const Loss& loss = losses[ctx->saved_data["loss"].toInt()];
    const int64_t reduction = ctx->saved_data["reduction"].toInt();
    const double c = ctx->saved_data["constant"].toDouble();
    const auto constants = {static_cast<double>(reduction), c};
    if (ctx->needs_input_grad(1)) gradients[1] = again(loss.by_target, u, kept, constants);
    if (!ctx->needs_input_grad(0)) return gradients;
    if (last(u) && u.is_contiguous() && in_order(y) && in_order(target)) {
      gradients[0] = at::empty_like(y);
      loss.chain(numbers(u), numbers(y), numbers(target), numbers(gradients[0]), y.numel(), reduction,
                 factor(y, reduction), c);
    } else {
      gradients[0] = again(loss.name, u, kept, constants);
    }
    return gradients;
  }
};

Given loss(int64_t at, const Tensor& y, const Tensor& target, int64_t reduction, double c) {
  if (!in_order(y) || !in_order(target) || y.sizes() != target.sizes()) return {};
  if (asks(y) || asks(target)) return LossNode::apply(y, target, at, reduction, c);
  return LossNode::value(y, target, at, reduction, c);
}

// Softmax cross-entropy of logits z (N, C) and class indices (N) with a weight a class, or none.
//
// The logarithms of the probabilities are a second, hidden output, in which the derivative is written,
// so that it can be differentiated again.
struct CrossEntropyNode : Function<CrossEntropyNode> {
  static variable_list value(const Tensor& z, const Tensor& target, const Given& weight, int64_t ignored,
                             int64_t reduction) {
    const Tensor log_y = at::empty_like(z), loss = room_for(target, reduction);
    cross_entropy_value(numbers(z), indices(target), weight ? numbers(*weight) : nullptr, numbers(log_y), numbers(loss),
                        z.size(0), z.size(1), ignored, reduction, reduction == at::Reduction::Mean);
    return {loss, log_y};
  }

  static variable_list forward(AutogradContext* ctx, const Tensor& z, const Tensor& target, const Given& weight,
                               int64_t ignored, int64_t reduction) {
    const variable_list outputs = value(z, target, weight, ignored, reduction);
    ctx->save_for_backward({outputs[1], target, weight ? *weight : Tensor()});
    ctx->set_materialize_grads(false);
    ctx->saved_data["ignored"] = ignored;
    ctx->saved_data["reduction"] = reduction;
    return outputs;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& upstream) {
    const Tensor &u = upstream[0], &u_log = upstream[1];
    const variable_list kept = ctx->get_saved_variables();
    variable_list gradients(5);
    if (u.defined()) gradients[0] = by_logits(ctx, u, kept);
    if (u_log.defined()) {
      const Tensor through_log = again("log_softmax", u_log, kept[0], {});
      gradients[0] = u.defined() ? gradients[0].add(through_log) : through_log;
    }
    return gradients;
  }

  static Tensor by_logits(AutogradContext* ctx, const Tensor& u, const variable_list& kept) {
    const Tensor &log_y = kept[0], &target = kept[1], &weight = kept[2];
    const int64_t ignored = ctx->saved_data["ignored"].toInt(), reduction = ctx->saved_data["reduction"].toInt();
    const bool known = in_order(log_y) && in_order(target, at::kLong) && (!weight.defined() || in_order(weight));
    if (!last(u) || !u.is_contiguous() || !known) {
      const auto constants = {static_cast<double>(ignored), static_cast<double>(reduction)};
      return again("cross_entropy", u, at::TensorList(kept).slice(0, weight.defined() ? 3 : 2), constants);
    }
    const Tensor d = at::empty_like(log_y);
    cross_entropy_chain(numbers(u), numbers(log_y), indices(target), weight.defined() ? numbers(weight) : nullptr,
                        numbers(d), log_y.size(0), log_y.size(1), ignored, reduction,
                        reduction == at::Reduction::Mean);
    return d;
  }
};

// Whether each index is that of a class, or the one that counts for nothing.
bool among(const Tensor& target, int64_t classes, int64_t ignored) {
  const int64_t *begin = indices(target), *end = begin + target.numel();
  return std::all_of(begin, end, [=](int64_t t) { return t >= 0 && t < classes || t == ignored; });
}

Given cross_entropy(const Tensor& z, const Tensor& target, const Given& weight, int64_t ignored, int64_t reduction) {
  if (!in_order(z) || z.dim() != 2 || !in_order(target, at::kLong)) return {};
  if (target.sizes() != z.sizes().slice(0, 1) || !among(target, z.size(1), ignored)) return {};
  if (weight && !(in_order(*weight) && !asks(*weight) && weight->sizes() == z.sizes().slice(1))) return {};
  if (asks(z)) return CrossEntropyNode::apply(z, target, weight, ignored, reduction)[0];
  return CrossEntropyNode::value(z, target, weight, ignored, reduction)[0];
}

}  // namespace
