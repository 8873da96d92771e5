// A step of AdamW: torch's fused kernel, and around it no more than what changes from step to step.
#pragma once
#include <ATen/ops/_fused_adamw.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "node.h"

namespace {

// Parameters, their gradients, both averages.
using Four = std::array<Tensor, 4>;

// torch's kernel copies what is not contiguous. Where one order of dimensions makes all four so, they are
// given as views in that order: a step is the same number by number.
Four as_stored(const Four& four) {
  const Tensor& first = four[0];
  if (first.is_contiguous()) return four;
  std::vector<int64_t> order(first.dim());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t k) { return first.stride(i) > first.stride(k); });
  Four views;
  for (size_t place = 0; place < four.size(); ++place) {
    views[place] = four[place].permute(order);
    if (!views[place].is_contiguous()) return four;
  }
  return views;
}

// Take a step of parameters that have gradients, or give false and do nothing: some are none for this.
//
// The parameters of all groups come one behind the other; sizes says how many each group has, and options
// its rate, both shares of the averages, decay and epsilon.
bool adamw(at::TensorList parameters, at::TensorList averages, at::TensorList squares, at::TensorList counts,
           at::IntArrayRef sizes, at::ArrayRef<double> options) {
  std::vector<std::array<std::vector<Tensor>, 5>> groups(sizes.size());
  size_t next = 0;
  for (size_t number = 0; number < groups.size(); ++number) {
    for (int64_t left = sizes[number]; left > 0; --left, ++next) {
      const Tensor& gradient = parameters[next].grad();
      if (!gradient.defined()) continue;
      const Four four{parameters[next], gradient, averages[next], squares[next]};
      for (const Tensor& each : four)
        if (!plain(each) || each.sizes() != four[0].sizes()) return false;
      if (!plain(counts[next]) || counts[next].numel() != 1) return false;
      const Four stored = as_stored(four);
      for (size_t place = 0; place < stored.size(); ++place) groups[number][place].push_back(stored[place]);
      groups[number][4].push_back(counts[next]);
    }
  }
  for (size_t number = 0; number < groups.size(); ++number) {
    const auto& [weights, gradients, means, variances, steps] = groups[number];
    if (weights.empty()) continue;
    for (const Tensor& step : steps) *numbers(step) += 1;
    const auto of = options.slice(5 * number, 5);
    at::_fused_adamw_(weights, gradients, means, variances, {}, steps, of[0], of[1], of[2], of[3], of[4],
                      /*amsgrad=*/false, /*maximize=*/false);
  }
  return true;
}

}  // namespace
