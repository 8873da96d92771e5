"""The functions users call: torch.nn.functional's names, over derivatives written by hand.

Arguments, defaults and errors follow torch, without the ``inplace`` of activations and the
deprecated ``size_average`` and ``reduce``. Under autocast each casts as torch's twin does on that
device. Every function takes reverse and forward differentiation of any order, ``torch.func``
transforms and ``torch.compile``.
"""

import warnings

import torch
from torch import Tensor

from bionn.ops import activations
from bionn.ops import cross_entropy as cross_entropy_ops
from bionn.ops import dropout as dropout_ops
from bionn.ops import linear as linear_ops
from bionn.ops import losses as loss_ops
from bionn.ops import onehot_linear as onehot_ops
from bionn.ops import softmax as softmax_ops
from bionn.ops.base import cast_for_loss, cast_for_product


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply ``x W^T + b``: input ``(*, in)``, weight ``(out, in)`` or ``(in,)``, bias ``(out,)``.

    Returns:
        ``(*, out)``, or ``(*)`` for a weight of one dimension.

    Raises:
        RuntimeError: The shapes or dtypes do not fit.

    Example:
        >>> linear(torch.tensor([13.0, 2.0, 7.0]), torch.tensor([[-0.4, 0.5, 0.8]]))
        tensor([1.4000])
    """
    output = linear_ops.compiled(input, weight, bias)
    if output is not None:
        return output
    if input.dim() == 0 or weight.dim() == 0:
        raise RuntimeError(
            "both arguments to linear need to be at least 1D, "
            f"but they are {input.dim()}D and {weight.dim()}D"
        )
    x, w, b = cast_for_product(input), cast_for_product(weight), cast_for_product(bias)
    if weight.dim() == 1:
        return linear_ops.linear(x, w[None], None if b is None else b.reshape(1)).squeeze(-1)
    return linear_ops.linear(x, w, b)


def onehot_linear(
    codes: Tensor, weight: Tensor, bias: Tensor | None = None, *, table: Tensor | None = None
) -> Tensor:
    """Apply a linear layer to one-hot sequences given as codes, without keeping the one-hot.

    Equals ``linear(table[codes].transpose(1, 2).flatten(1), weight.flatten(1), bias)``.

    Args:
        codes: ``(*, L)`` uint8 or int64, each in ``[0, S)``; or the one-hot form itself
            ``(*, A, L)`` in floating point, in which the result is then differentiable.
        weight: ``(out, A, L)``; no copy is made if it is laid out with (L, A, out) contiguous.
        bias: ``(out,)``.
        table: ``(S, A)``, what each code stands for; a constant. By default the A letters, then
            one row of zeros. Not used for floating-point input.

    Returns:
        ``(*, out)``.

    Raises:
        IndexError: A code is not in ``[0, S)`` (on an accelerator: a device-side assertion).
        TypeError: The codes are neither uint8 nor int64.
        ValueError: The shapes do not fit.

    Example:
        >>> weight = torch.arange(8.0).reshape(1, 4, 2)  # one output, ACGT, length 2
        >>> onehot_linear(torch.tensor([[0, 3], [4, 4]]), weight)  # "AT" and "NN"
        tensor([[7.],
                [0.]])
    """
    output = onehot_ops.compiled(codes, weight, bias, table)
    if output is not None:
        return output
    onehot_ops.check(codes, weight)
    if codes.is_floating_point():
        return linear(codes.transpose(-1, -2).flatten(-2), onehot_ops.position_major(weight), bias)
    table = onehot_ops.table_of(codes, weight, table)
    w = cast_for_product(weight)
    return onehot_ops.onehot_linear(codes, w, cast_for_product(bias), table.to(w.dtype))


def sigmoid(input: Tensor) -> Tensor:
    """Apply ``1 / (1 + exp(-z))`` to each element; 1.4 becomes .80."""
    return activations.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """Apply the hyperbolic tangent to each element."""
    return activations.tanh(input)


def relu(input: Tensor) -> Tensor:
    """Apply ``max(0, z)`` to each element; the derivative at 0 is taken as 0.

    Example:
        >>> relu(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return activations.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Apply ``z`` for ``z > 0``, else ``negative_slope * z``, to each element."""
    return activations.leaky_relu(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Apply ``z`` for ``z > 0``, else ``alpha * (exp(z) - 1)``, to each element."""
    return activations.elu(input, alpha)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Apply ``log(1 + exp(beta z)) / beta``, or ``z`` where ``beta z > threshold``."""
    if input.device.type == "cuda":
        input = cast_for_loss(input)
    return activations.softplus(input, beta, threshold)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Apply ``z * Phi(z)``, Phi the normal distribution function, to each element.

    Args:
        input: Any shape.
        approximate: ``"none"``, or ``"tanh"`` for the approximation of Phi by a tanh.

    Raises:
        RuntimeError: ``approximate`` is neither.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return (activations.gelu_tanh if approximate == "tanh" else activations.gelu)(input)


def silu(input: Tensor) -> Tensor:
    """Apply ``z * sigmoid(z)`` (also called swish) to each element."""
    return activations.silu(input)


def step(input: Tensor) -> Tensor:
    """Apply 1 for ``z > 0``, else 0, to each element, in the input's dtype.

    Not a trainable activation: its derivative is zero wherever it exists and it does not exist at
    0, so the gradient that comes back is zero everywhere and nothing below the step learns.

    Example:
        >>> step(torch.tensor([-1.0, 0.0, 0.5]))
        tensor([0., 0., 1.])
    """
    return activations.step(input)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to 0 with probability p and scale the others by ``1 / (1 - p)``.

    On the CPU it draws several times faster than torch, and in another way: for the same random state,
    torch drops other elements.

    Args:
        input: Any shape.
        p: From 0 to 1.
        training: Whether to drop at all.
        inplace: Write to the input.

    Raises:
        ValueError: ``p`` is not in [0, 1].
    """
    mask = dropout_ops.mask(input, p) if training else None
    if mask is not None:
        return input.mul_(mask) if inplace else input * mask
    return torch.nn.functional.dropout(input, p, training, inplace)


def softmax(input: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """Turn logits into probabilities: ``exp(z_k) / sum_l exp(z_l)`` along ``dim``.

    Args:
        input: Any shape, floating point.
        dim: The dimension that sums to 1. None is deprecated, as in torch, and warns.
        dtype: Cast the input to this dtype first.

    Raises:
        IndexError: ``dim`` is out of range.

    Example:
        >>> softmax(torch.tensor([0.0, 0.0]), dim=0)
        tensor([0.5000, 0.5000])
    """
    dim = softmax_ops.dim_of("softmax", input, dim)
    return softmax_ops.softmax(softmax_ops.cast(input, dtype), dim)


def log_softmax(input: Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> Tensor:
    """Logarithm of `softmax`, to full relative accuracy also next to 0; arguments as there."""
    dim = softmax_ops.dim_of("log_softmax", input, dim)
    return softmax_ops.log_softmax(softmax_ops.cast(input, dtype), dim)


def mse_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", weight: Tensor | None = None
) -> Tensor:
    """Squared error ``(y - y*)^2``.

    Args:
        input: Predictions, any shape.
        target: Targets of the same shape; another one is broadcast, with a warning.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        weight: A weight for each element, of the input's shape; the mean divides by its sum.

    Returns:
        A scalar, or the elements' losses for ``"none"``.

    Raises:
        ValueError: Unknown reduction, or a weight of another shape.

    Example:
        >>> mse_loss(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0]))
        tensor(2.)
    """
    if weight is None:
        output = loss_ops.compiled("squared_error", input, target, reduction, 1.0)
        if output is not None:
            return output
    loss_ops.check_reduction(reduction)
    input, target = _error_arguments(input, target)
    if weight is None:
        return loss_ops.mse_loss(input, target, reduction)
    if weight.shape != input.shape:
        raise ValueError("Weights and input must have the same size.")
    values = loss_ops.mse_loss(input, target, "none") * weight
    if reduction == "none":
        return values
    return values.sum() / weight.sum() if reduction == "mean" else values.sum()


def half_squared_error(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Half the squared error, ``(y - y*)^2 / 2``, whose derivative is ``y - y*``.

    Arguments, result and errors as `mse_loss`, without its weight.

    Example:
        >>> half_squared_error(torch.tensor([3.0]), torch.tensor([1.0]))
        tensor(2.)
    """
    output = loss_ops.compiled("squared_error", input, target, reduction, 0.5)
    if output is not None:
        return output
    loss_ops.check_reduction(reduction)
    return loss_ops.half_squared_error(*_error_arguments(input, target), reduction)


def _error_arguments(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )
    return _same_dtype(cast_for_loss(input), cast_for_loss(target))


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Binary cross-entropy ``-(y* log y + (1 - y*) log(1 - y))`` of probabilities.

    Prefer `binary_cross_entropy_with_logits`, which is exact where a sigmoid saturates. Here the
    logarithms are held above -100 and ``y (1 - y)`` in the gradient above 1e-12.

    Args:
        input: Probabilities y, any shape.
        target: Targets y* in [0, 1], of the same shape and dtype.
        weight: A constant that scales each element, broadcast to the input.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: Shapes differ, or unknown reduction.
        RuntimeError: A value lies outside [0, 1] (seen on the CPU only), dtypes differ, or the
            weight asks for a gradient.

    Example:
        >>> binary_cross_entropy(torch.tensor([0.5]), torch.tensor([1.0]))
        tensor(0.6931)
    """
    loss_ops.check_reduction(reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    input, target, weight = cast_for_loss(input), cast_for_loss(target), cast_for_loss(weight)
    if target.dtype != input.dtype:
        raise RuntimeError(f"Found dtype {target.dtype} for target but expected {input.dtype}")
    loss_ops.check_weight("binary_cross_entropy", "weight", weight, input)
    loss_ops.check_probabilities("input", input)
    loss_ops.check_probabilities("target", target)
    return loss_ops.binary_cross_entropy(input, target, weight, None, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of logits: ``max(z, 0) - z y* + log1p(exp(-|z|))``.

    Args:
        input: Logits z, any shape.
        target: Targets y* in [0, 1], of the same shape.
        weight: A constant that scales each element, broadcast to the input.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        pos_weight: A constant that scales the positive part, broadcast to the input.

    Raises:
        ValueError: Shapes differ, or unknown reduction.
        RuntimeError: A weight asks for a gradient.

    Example:
        >>> binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1.0]))
        tensor(0.6931)
    """
    name = "binary_cross_entropy_with_logits"
    if weight is pos_weight is None:
        output = loss_ops.compiled(name, input, target, reduction)
        if output is not None:
            return output
    loss_ops.check_reduction(reduction)
    if target.shape != input.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    loss_ops.check_weight(name, "weight", weight, input)
    loss_ops.check_weight(name, "pos_weight", pos_weight, input)
    input, target = _same_dtype(cast_for_loss(input), cast_for_loss(target))
    weight, pos_weight = cast_for_loss(weight), cast_for_loss(pos_weight)
    return loss_ops.binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy ``-sum_k y*_k log softmax(z)_k`` of logits against classes.

    Args:
        input: Logits ``(C)`` or ``(N, C, *)``.
        target: Class indices ``()`` or ``(N, *)``, int64 or uint8; or class probabilities of the
            input's shape, floating point.
        weight: ``(C)``, scales each class; the mean over indices divides by the weights used. A
            constant, except with class probabilities.
        ignore_index: Positions with this class index count for nothing.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        label_smoothing: In [0, 1]: how much of the target is shared out among all classes.

    Raises:
        ValueError: Shapes differ in the batch, or unknown reduction.
        IndexError: A class index is not in ``[0, C)``.
        RuntimeError: Other shapes or dtypes do not fit, or ``label_smoothing`` is not in [0, 1].

    Example:
        >>> cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]))
        tensor(1.3863)
    """
    options = cross_entropy_ops.IndexOptions(ignore_index, label_smoothing, reduction)
    output = cross_entropy_ops.compiled(input, target, weight, options)
    if output is not None:
        return output
    loss_ops.check_reduction(reduction)
    cross_entropy_ops.check_classes(input, weight, label_smoothing)
    input, weight = cast_for_loss(input), cast_for_loss(weight)
    if target.shape == input.shape and input.dim() > 0:
        cross_entropy_ops.check_probabilities(target, ignore_index)
        return cross_entropy_ops.cross_entropy_probabilities(
            *_same_dtype(input, cast_for_loss(target)), weight, label_smoothing, reduction
        )[0]
    cross_entropy_ops.check_indices(input, target, ignore_index)
    loss_ops.check_constant("cross_entropy", "weight", weight)
    if weight is not None and weight.dtype != input.dtype:
        raise RuntimeError(f"expected weight of dtype {input.dtype} but found {weight.dtype}")
    return cross_entropy_ops.cross_entropy_indices(input, target, weight, options)[0]


def _same_dtype(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    dtype = torch.promote_types(input.dtype, target.dtype)
    return input.to(dtype), target.to(dtype)
