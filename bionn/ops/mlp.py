"""A whole multi-layer perceptron as one op, where nobody looks at what lies between its layers.

The arithmetic is that of `linear`, `onehot_linear` and an activation, one after the other; the compiled
op keeps hidden layers where they are written and asks autograd for one node instead of one for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch._C._autograd import _top_saved_tensors_default_hooks

from bionn.kernels import nodes
from bionn.ops import activations
from bionn.ops.dropout import first_row
from bionn.ops.linear import linear
from bionn.ops.onehot_linear import letters_and_zero, onehot_linear

ACTIVATIONS: dict[str, Callable[..., Tensor]] = {
    "relu": activations.relu,
    "leaky_relu": activations.leaky_relu,
    "sigmoid": activations.sigmoid,
    "tanh": activations.tanh,
    "elu": activations.elu,
    "softplus": activations.softplus,
    "gelu": activations.gelu,
    "gelu_tanh": activations.gelu_tanh,
    "silu": activations.silu,
}
"""Activations that the op knows, by name."""


def compiled(
    input: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: str,
    constants: tuple[float, ...] = (),
    *,
    shares: Sequence[float] = (),
    table: Tensor | None = None,
) -> Tensor | None:
    """Apply linear layers with an activation between them, or give None where the op is not for that.

    Args:
        input: codes ``(N, L)``, bytes, or features ``(N, F)``, float32.
        weights: of each layer, ``(out, in)``; for codes the first is ``(out, A, L)`` with
            ``(L, A, out)`` contiguous.
        biases: of each layer, ``(out,)``; none for layers without.
        activation: a key of :data:`ACTIVATIONS`.
        constants: what the activation takes beside its input.
        shares: of what each hidden layer gives, the share that dropout drops; none to drop nothing.
        table: what each code stands for, ``(S, A)``; by default the letters and a row of zeros.

    Returns:
        ``(N, out)`` of the last layer.
    """
    if not nodes.reachable() or torch.is_autocast_enabled("cpu"):
        return None
    # hooks for saved tensors see what each layer keeps
    if _top_saved_tensors_default_hooks(True) is not None:
        return None
    # of a slope below 0 the output does not tell on which side of the kink its input was
    if activation == "leaky_relu" and constants[0] < 0:
        return None
    if input.is_floating_point():
        table = None
    elif weights[0].dim() != 3:
        return None
    elif table is None:
        table = letters_and_zero(weights[0].shape[1])
    options = activation, constants, list(shares), first_row(input)
    return nodes.apply_lists("mlp", (input, table), (list(weights), list(biases)), *options)


def _chains_of(activation: Callable[..., Tensor]) -> Callable[..., list[Tensor]]:
    """The derivatives by some of the arguments, in ops that can be differentiated again."""

    def chains(u: Tensor, *kept_and_numbers: Tensor | float) -> list[Tensor]:
        kept = [each for each in kept_and_numbers if isinstance(each, Tensor)]
        sizes, numbers = kept_and_numbers[len(kept) :][:4], kept_and_numbers[len(kept) + 4 :]
        layers, with_bias, codes, count = map(int, sizes)
        constants, wanted = numbers[:count], map(int, numbers[count:])
        with torch.enable_grad():
            # a view of each: a weight that two layers share has a derivative by either
            kept = [each.view_as(each) for each in kept]
            input, first = kept[0], 2 if codes else 1  # behind the table
            weights, biases = kept[first : first + layers], kept[first + layers :][:with_bias]
            masks = iter(kept[first + layers + with_bias :])
            bias = iter(biases or [None] * layers)
            if codes:
                z = onehot_linear(input, weights[0], next(bias), kept[1])
            else:
                z = linear(input, weights[0], next(bias))
            for weight in weights[1:]:
                y, mask = activation(z, *constants), next(masks, None)
                z = linear(y if mask is None else y * mask, weight, next(bias))
            arguments = (input, *weights, *biases)
            asked = [arguments[which] for which in wanted]
            return list(torch.autograd.grad(z, asked, u, create_graph=True))

    return chains


for _name, _activation in ACTIVATIONS.items():
    nodes.define_chain(f"mlp_{_name}", _chains_of(_activation))
