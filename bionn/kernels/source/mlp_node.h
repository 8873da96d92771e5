// A whole multi-layer perceptron as one node in autograd's graph: layers with an activation between them.
//
// What a layer gives is activated where it lies, and so is the gradient on its way back: a hidden layer is
// written once and read when it is needed, and what autograd costs is paid once.
#pragma once
#include <ATen/ops/mul.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <algorithm>

#include "draws.h"
#include "elementwise_node.h"
#include "onehot_node.h"
#include "products.h"

namespace {

// The first layer takes codes (N, L) and has a weight (H, A, L) laid out (L, A, H), or features (N, F); all
// others have weights (out, in). There is a bias (out) for each layer, or for none, and a mask (N, out) for what
// each hidden layer gives, or for none.
struct Perceptron {
  Tensor input;
  std::vector<Tensor> weights, biases, masks;
  Given table;      // of codes
  int64_t symbols;  // in use
  bool rectifies;   // the first layer does: it takes codes, and the activation is ReLU

  Given bias(size_t layer) const { return biases.empty() ? Given() : Given(biases[layer]); }

  Tensor value(size_t layer, const Tensor& x) const {
    if (layer || !table) return linear_value(x, weights[layer], bias(layer));
    return OneHotNode::value(weights[0], bias(0), input, *table, symbols, rectifies);
  }

  Tensor by_weight(size_t layer, const Tensor& u, const Tensor& x) const {
    return layer || !table ? linear_by_weight(u, x) : OneHotNode::by_weight(u, input, *table, symbols);
  }
};

// What is kept of a hidden layer: what the next one reads, and what the activation's derivative is told by, which may
// be the same.
int64_t kept_of(const Op& op, bool masked) {
  return op.keeps == Keeps::bits || (op.keeps == Keeps::output && !masked) ? 1 : 2;
}

// Autocast would make products of another type than the kernels behind them read.
using NoAutocast = c10::impl::ExcludeDispatchKeyGuard;

struct MlpNode : Function<MlpNode> {
  static Tensor value(const Perceptron& net, const Op& op, float a, float b, variable_list* kept) {
    at::AutoDispatchBelowADInplaceOrView within;  // a node of ours stands for all that is called
    const NoAutocast guard(c10::autocast_dispatch_keyset);
    Tensor y = net.input;
    for (size_t layer = 0;; ++layer) {
      const Tensor z = net.value(layer, y);
      if (layer + 1 == net.weights.size()) return z;
      y = kept && op.keeps == Keeps::input ? at::empty_like(z) : z;
      if (layer || !net.rectifies) op.value(z, y, a, b);
      const bool masked = !net.masks.empty(), two = kept && kept_of(op, masked) == 2;
      const Tensor known = op.keeps == Keeps::input ? z : y;
      if (masked) y = two && op.keeps == Keeps::output ? at::mul(y, net.masks[layer]) : y.mul_(net.masks[layer]);
      if (kept) kept->push_back(y);
      if (two) kept->push_back(known);
    }
  }

  static Tensor forward(AutogradContext* ctx, const Tensor& input, at::TensorList weights, at::TensorList biases,
                        at::TensorList masks, const Given& table, int64_t symbols, int64_t at,
                        const Constants& constants) {
    const Perceptron net{input, weights.vec(), biases.vec(), masks.vec(),
                         table, symbols,       rectifies(table, weights.size(), ops[at])};
    variable_list kept{input, table ? *table : Tensor()};
    kept.insert(kept.end(), weights.begin(), weights.end());
    kept.insert(kept.end(), biases.begin(), biases.end());
    kept.insert(kept.end(), masks.begin(), masks.end());
    const Tensor out = value(net, ops[at], constant(constants, 0), constant(constants, 1), &kept);
    ctx->save_for_backward(kept);
    ctx->set_materialize_grads(false);
    ctx->saved_data["layers"] = static_cast<int64_t>(weights.size());
    ctx->saved_data["bias"] = !biases.empty();
    ctx->saved_data["masks"] = static_cast<int64_t>(masks.size());
    ctx->saved_data["symbols"] = symbols;
    ctx->saved_data["op"] = at;
    ctx->saved_data["constants"] = constants;
    return out;
  }

  // In the order of the arguments: the input's, each weight's, each bias's, and none for the masks and the other four.
  static variable_list backward(AutogradContext* ctx, const variable_list& upstream) {
    const size_t layers = ctx->saved_data["layers"].toInt(), biases = ctx->saved_data["bias"].toBool() ? layers : 0;
    const size_t masks = ctx->saved_data["masks"].toInt();
    variable_list gradients(1 + layers + biases + masks + 4);
    if (!upstream[0].defined()) return gradients;
    const variable_list kept = ctx->get_saved_variables();
    const Op& op = ops[ctx->saved_data["op"].toInt()];
    const auto first = kept.begin() + 2, mask = first + layers + biases, hidden = mask + masks;
    const Given table = kept[1].defined() ? Given(kept[1]) : Given();
    const Perceptron net{kept[0], {first, first + layers},           {first + layers, mask}, {mask, hidden},
                         table,   ctx->saved_data["symbols"].toInt(), rectifies(table, layers, op)};
    const Constants constants = ctx->saved_data["constants"].toDoubleVector();
    const bool numbers_only = last(upstream[0]) && std::all_of(kept.begin(), kept.end(), [](const Tensor& each) {
      return !each.defined() || plain(each, each.scalar_type());
    });
    if (!numbers_only) {
      std::vector<size_t> wanted;
      for (size_t which = 0; which < 1 + layers + biases; ++which)
        if (ctx->needs_input_grad(which)) wanted.push_back(which);
      const variable_list found = in_torch(wanted, net, upstream[0], op, constants);
      for (size_t place = 0; place < wanted.size(); ++place) gradients[wanted[place]] = found[place];
      return gradients;
    }
    const NoAutocast guard(c10::autocast_dispatch_keyset);
    const size_t each = kept_of(op, masks);
    // nothing is asked of layers below the first that learns
    size_t lowest = 0;
    while (lowest < layers && !asked(ctx, lowest, layers, biases)) ++lowest;
    Tensor u = upstream[0];
    for (size_t layer = layers; layer-- > lowest;) {
      if (!layer && net.rectifies && ctx->needs_input_grad(1)) {
        const bool with_bias = biases && ctx->needs_input_grad(1 + layers);
        if (with_bias) gradients[1 + layers] = at::empty({u.size(1)}, u.options());
        gradients[1] = OneHotNode::by_weight(u, net.input, *table, net.symbols, hidden[0],
                                             with_bias ? Given(gradients[1 + layers]) : Given());
        break;
      }
      const Tensor x = layer ? hidden[(layer - 1) * each] : net.input;
      if (ctx->needs_input_grad(1 + layer)) gradients[1 + layer] = net.by_weight(layer, u, x);
      if (biases && ctx->needs_input_grad(1 + layers + layer)) gradients[1 + layers + layer] = at::sum(u, 0);
      if (layer == lowest && (layer || !ctx->needs_input_grad(0))) break;
      u = linear_by_input(u, net.weights[layer]);
      if (!layer) break;
      if (masks) u.mul_(net.masks[layer - 1]);
      if (layer == 1 && net.rectifies && ctx->needs_input_grad(1)) continue;  // done when it is read
      const Tensor& known = hidden[(layer - 1) * each + each - 1];
      const float a = constant(constants, 0), b = constant(constants, 1);
      if (op.keeps == Keeps::bits) op.chain_of_output(numbers(u), numbers(known), numbers(u), u.numel(), a, b);
      else op.chain(u, known, u, a, b);
    }
    if (ctx->needs_input_grad(0)) gradients[0] = u;
    return gradients;
  }

  // The gradients by some of the arguments, to be differentiated again.
  static variable_list in_torch(const std::vector<size_t>& wanted, const Perceptron& net, const Tensor& u,
                                const Op& op, const Constants& own) {
    variable_list arguments{net.input};
    if (net.table) arguments.push_back(*net.table);
    arguments.insert(arguments.end(), net.weights.begin(), net.weights.end());
    arguments.insert(arguments.end(), net.biases.begin(), net.biases.end());
    arguments.insert(arguments.end(), net.masks.begin(), net.masks.end());
    Constants constants{double(net.weights.size()), double(net.biases.size()), double(net.table.has_value()),
                        double(own.size())};
    constants.insert(constants.end(), own.begin(), own.end());
    constants.insert(constants.end(), wanted.begin(), wanted.end());
    return all_again(("mlp_" + std::string(op.name)).c_str(), u, arguments, constants);
  }

  static bool rectifies(const Given& table, size_t layers, const Op& op) {
    return table && layers > 1 && op.chain_of_output == relu_chain;
  }

  static bool asked(AutogradContext* ctx, size_t layer, size_t layers, size_t biases) {
    return (!layer && ctx->needs_input_grad(0)) || ctx->needs_input_grad(1 + layer) ||
           (biases && ctx->needs_input_grad(1 + layers + layer));
  }
};

const Op* op_named(c10::string_view name) {
  const auto found = std::find_if(std::begin(ops), std::end(ops), [&](const Op& op) { return name == op.name; });
  return found == std::end(ops) ? nullptr : found;
}

// input, weights and biases as told above, or nothing if they are not so. Shares are those that dropout drops of what
// each hidden layer gives, none to drop nothing; the first sample is number `row` of those that are drawn for.
Given mlp(const Tensor& input, const Given& table, at::TensorList weights, at::TensorList biases,
          c10::string_view activation, at::ArrayRef<double> constants, at::ArrayRef<double> shares, int64_t row) {
  const Op* op = op_named(activation);
  if (!op || weights.empty() || (!biases.empty() && biases.size() != weights.size())) return {};
  if (!shares.empty() && shares.size() + 1 != weights.size()) return {};
  if (!std::all_of(shares.begin(), shares.end(), is_share)) return {};
  const auto bias = [&](size_t layer) { return biases.empty() ? Given() : Given(biases[layer]); };
  int64_t symbols = 0;
  if (table) {
    if (!fit(input, weights[0], bias(0), *table)) return {};
    symbols = symbols_of(input, *table);
    if (symbols > table->size(0)) return {};
  } else if (input.dim() != 2 || !fit(input, weights[0], bias(0))) {
    return {};
  }
  bool wanted = asks(input) || asks(weights[0]);
  for (size_t layer = 1; layer < weights.size(); ++layer) {
    const Tensor& weight = weights[layer];
    if (!plain(weight) || weight.dim() != 2 || weight.size(1) != weights[layer - 1].size(0)) return {};
    if (!biases.empty() && !(plain(biases[layer]) && biases[layer].sizes() == weight.sizes().slice(0, 1))) return {};
    wanted |= asks(weight);
  }
  for (const Tensor& each : biases) wanted |= asks(each);
  variable_list masks;
  for (size_t layer = 0; layer < shares.size(); ++layer)
    masks.push_back(*dropout_mask({input.size(0), weights[layer].size(0)}, shares[layer], row, {}));
  const int64_t at = op - ops;
  if (wanted) return MlpNode::apply(input, weights, biases, at::TensorList(masks), table, symbols, at,
                                    constants.vec());
  const bool rectifies = MlpNode::rectifies(table, weights.size(), *op);
  const Perceptron net{input, weights.vec(), biases.vec(), masks, table, symbols, rectifies};
  return MlpNode::value(net, *op, constant(constants, 0), constant(constants, 1), nullptr);
}

}  // namespace
