"""Softmax cross-entropy from logits, against class indices or class probabilities.

The loss is linear in log y = log softmax(z), so each Function returns ``(J, log y)``: the second
output is what the derivative needs, kept once, and being an output it can be differentiated again.
The functional hands on the first alone.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from bionn.kernels import nodes
from bionn.ops.base import FunctionPair, forward_rule, readable, refuse_tangent, save, widen
from bionn.ops.losses import REDUCTIONS
from bionn.ops.softmax import stable_log_softmax


@dataclass(frozen=True)
class IndexOptions:
    """The constants of cross-entropy against class indices; no tuple, which vmap would open."""

    ignore_index: int
    label_smoothing: float
    reduction: str


class _Labels(NamedTuple):
    """Class indices made safe to gather with.

    ``index (N, 1, *)`` with ignored positions sent to class 0, ``valid (N, *)``, and
    ``weight (N, *)``: the weight of each position's class, 0 where ignored.
    """

    index: Tensor
    valid: Tensor
    weight: Tensor


def class_dim(input: Tensor) -> int:
    """Return the dimension of the classes: 1 of ``(N, C, *)``, 0 of ``(C)``."""
    return 0 if input.dim() == 1 else 1


def check_classes(input: Tensor, weight: Tensor | None, label_smoothing: float) -> None:
    """Raise RuntimeError, as torch does, for arguments that do not fit the logits."""
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    num_classes = input.shape[class_dim(input)] if input.dim() > 0 else 1
    if weight is not None and weight.shape != (num_classes,):
        raise RuntimeError(
            "cross_entropy: weight tensor should be defined either for all "
            f"{num_classes} classes or no classes but got weight tensor of shape: "
            f"{list(weight.shape)}"
        )


def check_indices(input: Tensor, target: Tensor, ignore_index: int) -> None:
    """Raise what torch raises for class indices that do not fit the logits."""
    if input.dim() == 0 or target.is_floating_point():
        raise RuntimeError(
            f"cross_entropy needs class indices of shape (N, *) for logits (N, C, *), or class "
            f"probabilities of the logits' shape; input {tuple(input.shape)} and target "
            f"{tuple(target.shape)} {target.dtype} are neither"
        )
    if target.dtype not in (torch.int64, torch.uint8):
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {target.dtype}")
    dim = class_dim(input)
    expected = input.shape[:dim] + input.shape[dim + 1 :]
    if target.dim() > 0 and dim == 1 and target.shape[0] != input.shape[0]:
        raise ValueError(
            f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
            f"({target.shape[0]})."
        )
    if target.shape != expected:
        raise RuntimeError(
            f"Expected target size {list(expected)}, got {list(target.shape)} for input "
            f"{list(input.shape)}"
        )
    if readable(target) and target.numel() > 0:
        wrong = ((target < 0) | (target >= input.shape[dim])) & (target != ignore_index)
        if bool(wrong.any()):
            raise IndexError(f"Target {int(target[wrong][0])} is out of bounds.")


def check_probabilities(target: Tensor, ignore_index: int) -> None:
    """Raise RuntimeError, as torch does, for class probabilities of the wrong kind."""
    if not target.is_floating_point():
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {target.dtype}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")


def _per_class(weight: Tensor | None, like: Tensor) -> Tensor | None:
    """Shape ``weight (C)`` to broadcast against ``like (N, C, *)``."""
    if weight is None:
        return None
    return widen(weight).reshape(-1, *[1] * (like.dim() - class_dim(like) - 1))


def _labels(target: Tensor, weight: Tensor | None, log_y: Tensor, ignore_index: int) -> _Labels:
    indices = target.long()
    valid = indices != ignore_index
    safe = torch.where(valid, indices, 0)
    each = valid.to(log_y.dtype) if weight is None else torch.where(valid, widen(weight)[safe], 0)
    return _Labels(safe.unsqueeze(class_dim(log_y)), valid, each)


def _index_loss(
    log_y: Tensor, labels: _Labels, weight: Tensor | None, options: IndexOptions
) -> Tensor:
    """J of log y, to which it is linear: the same function maps d(log y) to dJ."""
    dim, smoothing = class_dim(log_y), options.label_smoothing
    # J_n = -(1 - s) w_t log y_t - s/C sum_c w_c log y_c
    picked = log_y.gather(dim, labels.index).squeeze(dim) * labels.weight
    values = torch.where(labels.valid, picked, 0) * (smoothing - 1)
    if smoothing > 0:
        classes = _per_class(weight, log_y)
        total = (log_y if classes is None else log_y * classes).sum(dim)
        values = values - torch.where(labels.valid, total, 0) * (smoothing / log_y.shape[dim])
    if options.reduction == "none":
        return values
    return values.sum() / labels.weight.sum() if options.reduction == "mean" else values.sum()


def _log_softmax_chain(grad: Tensor, y: Tensor, dim: int) -> Tensor:
    # dJ/dz_k = u_k - y_k sum_l u_l  for u = dJ/d(log y)
    return grad - y * grad.sum(dim, keepdim=True)


def _log_softmax_tangent(tangent: Tensor, log_y: Tensor, dim: int) -> Tensor:
    # d(log y_k) = dz_k - sum_l y_l dz_l
    return tangent - (log_y.exp() * tangent).sum(dim, keepdim=True)


def _index_slope(
    grad: Tensor, log_y: Tensor, target: Tensor, weight: Tensor | None, options: IndexOptions
) -> Tensor:
    """dJ/dz from log y."""
    dim = class_dim(log_y)
    y = log_y.exp()
    labels = _labels(target, weight, log_y, options.ignore_index)
    scale = widen(grad)
    if options.reduction == "mean":
        scale = scale / labels.weight.sum()
    # dJ/dz_k = (1 - s) w_t (y_k - [k = t]); at the label y_t - 1 = expm1(log y_t), which
    # keeps its digits where the answer is right and y_t near 1
    at_label = torch.expm1(log_y.gather(dim, labels.index))
    # (an ignored position gets 0 even from the mean of none, whose scale is 1/0)
    each = torch.where(labels.valid, labels.weight * scale, 0).unsqueeze(dim)
    each = each * (1 - options.label_smoothing)
    slope = y.scatter(dim, labels.index, at_label) * each
    if options.label_smoothing == 0:
        return slope
    # and s/C (y_k sum_c w_c - w_k) from the smoothing
    classes = _per_class(weight, log_y)
    share = options.label_smoothing / log_y.shape[dim]
    each = torch.where(labels.valid, scale * share, 0).unsqueeze(dim)
    if classes is None:
        return slope + (y * log_y.shape[dim] - 1) * each
    return slope + (y * classes.sum() - classes) * each


class CrossEntropyIndicesReverse(Function):
    """Cross-entropy of logits ``(N, C, *)`` and class indices ``(N, *)``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        input: Tensor, target: Tensor, weight: Tensor | None, options: IndexOptions
    ) -> tuple[Tensor, Tensor]:
        """Return the loss and the log-probabilities."""
        log_y = stable_log_softmax(widen(input), class_dim(input))
        labels = _labels(target, weight, log_y, options.ignore_index)
        return _index_loss(log_y, labels, weight, options).to(input.dtype), log_y.to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the log-probabilities and, by reference, targets and weights."""
        _, target, weight, ctx.options = inputs
        save(ctx, output[1], target, weight)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return dJ/dz."""
        grad, grad_log = grad_outputs
        log_y, target, weight = ctx.saved_tensors
        log_wide = widen(log_y)
        slope = None
        if grad is not None:
            slope = _index_slope(grad, log_wide, target, weight, ctx.options)
        if grad_log is not None:
            through_log = _log_softmax_chain(widen(grad_log), log_wide.exp(), class_dim(log_y))
            slope = through_log if slope is None else slope + through_log
        return None if slope is None else slope.to(log_y.dtype), None, None, None


class CrossEntropyIndices(CrossEntropyIndicesReverse):
    """Cross-entropy against class indices with forward mode."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return dJ and d(log y)."""
        with forward_rule(ctx) as (log_y, target, weight):
            refuse_tangent("cross_entropy", "weight", grad_inputs[2])
            log_wide = widen(log_y)
            labels = _labels(target, weight, log_wide, ctx.options.ignore_index)
            tangent = _log_softmax_tangent(widen(grad_inputs[0]), log_wide, class_dim(log_y))
            change = _index_loss(tangent, labels, weight, ctx.options)
            return change.to(log_y.dtype), tangent.to(log_y.dtype)


def _smooth(target: Tensor, label_smoothing: float, num_classes: int) -> Tensor:
    # q_k = (1 - s) y*_k + s/C
    return target * (1 - label_smoothing) + label_smoothing / num_classes


def _probability_loss(log_y: Tensor, goal: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """J of (log y, q, w), to each of which it is linear."""
    dim = class_dim(log_y)
    classes = _per_class(weight, log_y)
    # J_n = -sum_k w_k q_k log y_k
    terms = log_y * goal if classes is None else log_y * goal * classes
    if reduction == "none":
        return -terms.sum(dim)
    total = -terms.sum()
    return total / (log_y.numel() / log_y.shape[dim]) if reduction == "mean" else total


class CrossEntropyProbabilitiesReverse(Function):
    """Cross-entropy of logits ``(N, C, *)`` and class probabilities of the same shape."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        input: Tensor,
        target: Tensor,
        weight: Tensor | None,
        label_smoothing: float,
        reduction: str,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss and the log-probabilities."""
        dim = class_dim(input)
        log_y = stable_log_softmax(widen(input), dim)
        goal = _smooth(widen(target), label_smoothing, input.shape[dim])
        loss = _probability_loss(log_y, goal, weight, reduction)
        return loss.to(input.dtype), log_y.to(input.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        """Keep the log-probabilities and, by reference, targets and weights."""
        _, target, weight, ctx.label_smoothing, ctx.reduction = inputs
        save(ctx, output[1], target, weight)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return dJ/dz, dJ/dy* and dJ/dw, each only where asked for."""
        grad, grad_log = grad_outputs
        log_y, target, weight = ctx.saved_tensors
        dim, smoothing = class_dim(log_y), ctx.label_smoothing
        log_wide = widen(log_y)
        grad_input = grad_target = grad_weight = None
        if grad is not None:
            classes = _per_class(weight, log_wide)
            goal = _smooth(widen(target), smoothing, log_y.shape[dim])
            scale = widen(grad)
            if ctx.reduction == "none":
                scale = scale.unsqueeze(dim)
            elif ctx.reduction == "mean":
                scale = scale / (log_y.numel() / log_y.shape[dim])
            if ctx.needs_input_grad[0]:
                # r_k = w_k q_k:  dJ/dz_k = y_k sum_l r_l - r_k
                #                         = r_k expm1(log y_k) + y_k (sum_l r_l - r_k)
                pull = goal if classes is None else goal * classes
                rest = pull.sum(dim, keepdim=True) - pull
                grad_input = (pull * torch.expm1(log_wide) + log_wide.exp() * rest) * scale
            if ctx.needs_input_grad[1]:
                # dJ/dy*_k = -(1 - s) w_k log y_k
                slope = log_wide * (scale * (smoothing - 1))
                grad_target = (slope if classes is None else slope * classes).to(target.dtype)
            if weight is not None and ctx.needs_input_grad[2]:
                # dJ/dw_k = -sum_n q_nk log y_nk
                others = [axis for axis in range(log_y.dim()) if axis != dim]
                slope = -(log_wide * goal * scale)
                grad_weight = (slope.sum(others) if others else slope).to(weight.dtype)
        if grad_log is not None and ctx.needs_input_grad[0]:
            through_log = _log_softmax_chain(widen(grad_log), log_wide.exp(), dim)
            grad_input = through_log if grad_input is None else grad_input + through_log
        if grad_input is not None:
            grad_input = grad_input.to(log_y.dtype)
        return grad_input, grad_target, grad_weight, None, None


class CrossEntropyProbabilities(CrossEntropyProbabilitiesReverse):
    """Cross-entropy against class probabilities with forward mode."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return dJ and d(log y)."""
        with forward_rule(ctx) as (log_y, target, weight):
            d_input, d_target, d_weight = grad_inputs[:3]
            log_wide = widen(log_y)
            dim, reduction = class_dim(log_y), ctx.reduction
            goal = _smooth(widen(target), ctx.label_smoothing, log_y.shape[dim])
            tangent = torch.zeros_like(log_wide)
            if d_input is not None:
                tangent = _log_softmax_tangent(widen(d_input), log_wide, dim)
            # J is linear in log y, q and w: one term for each that moves
            change = _probability_loss(tangent, goal, weight, reduction)
            if d_target is not None:
                moved = widen(d_target) * (1 - ctx.label_smoothing)
                change = change + _probability_loss(log_wide, moved, weight, reduction)
            if d_weight is not None:
                change = change + _probability_loss(log_wide, goal, widen(d_weight), reduction)
            return change.to(log_y.dtype), tangent.to(log_y.dtype)


cross_entropy_indices = FunctionPair(CrossEntropyIndicesReverse, CrossEntropyIndices)
cross_entropy_probabilities = FunctionPair(
    CrossEntropyProbabilitiesReverse, CrossEntropyProbabilities
)


def _index_chain(u: Tensor, log_y: Tensor, target: Tensor, *others: Any) -> Tensor:
    *weight, ignore_index, reduction = others
    options = IndexOptions(int(ignore_index), 0.0, REDUCTIONS[int(reduction)])
    return _index_slope(u, log_y, target, weight[0] if weight else None, options)


nodes.define_chain("cross_entropy", _index_chain)


def compiled(
    input: Tensor, target: Tensor, weight: Tensor | None, options: IndexOptions
) -> Tensor | None:
    """Apply the loss by the library's op, or give None: where it is not for that, or an index is none.

    It takes float32 of the CPU: logits ``(N, C)``, and class indices ``(N,)``, int64, unsmoothed.
    """
    if options.reduction not in REDUCTIONS or options.label_smoothing or not nodes.reachable():
        return None
    reduction = REDUCTIONS.index(options.reduction)
    return nodes.apply("cross_entropy", (input, target, weight), options.ignore_index, reduction)
