// What dropout draws, as ops. Nothing is differentiated.
#pragma once
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <mutex>

#include "node.h"

namespace {

// What a draw is a function of: a number of the generator from which torch draws on the CPU.
uint64_t key_of(std::optional<int64_t> given) {
  if (given) return *given;
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

bool is_share(double p) { return p > 0 && p < 1; }

// Words below this are those of a share p.
uint32_t threshold_of(double p) {
  return static_cast<uint32_t>(std::min(std::nearbyint(p * 4294967296.0), 4294967295.0));
}

// 0 for the share p of elements, else 1 / (1 - p), float32. The first row is number `row` of those that are drawn
// for, or nothing if p is no share.
Given dropout_mask(at::IntArrayRef size, double p, int64_t row, std::optional<int64_t> key) {
  if (!is_share(p)) return {};
  const Tensor mask = at::empty(size, at::kFloat);
  const int64_t first = size.empty() || !size[0] ? 0 : row * (mask.numel() / size[0]);
  dropout_mask_value(numbers(mask), mask.numel(), key_of(key), first, threshold_of(p), static_cast<float>(1 / (1 - p)));
  return mask;
}

// Codes of which the share p is blank; nothing if p is no share or they are not bytes of the CPU in a row.
Given dropout_codes(const Tensor& codes, double p, int64_t blank, int64_t row, std::optional<int64_t> key) {
  if (!in_order(codes, at::kByte) || !is_share(p) || blank < 0 || blank > 255) return {};
  const Tensor out = at::empty_like(codes);
  const int64_t first = !codes.dim() || !codes.size(0) ? 0 : row * (codes.numel() / codes.size(0));
  dropout_codes_value(bytes(codes), bytes(out), codes.numel(), key_of(key), first, threshold_of(p), blank);
  return out;
}

}  // namespace
