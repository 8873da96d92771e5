"""Classes that are not alike in number: weights in the loss, honest probabilities, the decision.

A network that is trained with weights ``w``, or on rows drawn in such shares, learns probabilities in
proportion to ``w_k p_k`` where ``p_k`` is that of class k among rows as they come. Taking ``ln w_k``
off its logits gives ``p`` back (Elkan 2001, "The foundations of cost-sensitive learning", theorem 2;
Saerens, Latinne and Decaestecker 2002). What the weights were meant for is the decision: the class
with the largest ``w_k p_k``; of two classes, the positive one above a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bionn.errors import InputError, did_you_mean

MORE_PROBABLE = "the most probable class"
"""The rule where nothing is asked for."""


class Decision(NamedTuple):
    """How probabilities become a class: the one with the largest weight times probability.

    Attributes:
        weights: one a class.
        rule: where they are from, in words.
    """

    weights: tuple[float, ...]
    rule: str = MORE_PROBABLE

    @classmethod
    def plain(cls, classes: int) -> Decision:
        """The most probable class."""
        return cls((1.0,) * classes)

    @classmethod
    def at(cls, threshold: float, rule: str) -> Decision:
        """Of two classes the positive one, where its probability is above a threshold."""
        return cls((threshold, 1 - threshold), rule)

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any]) -> Decision:
        """The decision that a manifest describes."""
        return cls(tuple(manifest["weights"]), manifest["rule"])

    @property
    def is_plain(self) -> bool:
        """Whether nothing was asked for: the most probable class is the one."""
        return self.rule == MORE_PROBABLE

    @property
    def threshold(self) -> float | None:
        """Of two classes, the probability above which the positive one is chosen."""
        return self.weights[0] / sum(self.weights) if len(self.weights) == 2 else None

    def classes_of(self, probabilities: np.ndarray) -> np.ndarray:
        """Class indices ``(N,)`` for probabilities ``(N,)`` of the positive class, or ``(N, K)``."""
        if probabilities.ndim == 1:
            return (probabilities > self.threshold).astype(np.int64)
        return (probabilities * np.array(self.weights)).argmax(axis=1)

    def to_manifest(self) -> dict[str, Any]:
        """Plain data from which :meth:`from_manifest` makes an equal decision."""
        return {"rule": self.rule, "threshold": self.threshold, "weights": list(self.weights)}


def called(probabilities: np.ndarray, decision: Decision | None) -> np.ndarray:
    """The predicted classes ``(N,)``; without a decision the most probable ones.

    Args:
        probabilities: of the positive class ``(N,)``, or ``(N, K)``.
        decision: how they become classes.
    """
    if decision is None:
        decision = Decision.plain(2 if probabilities.ndim == 1 else probabilities.shape[1])
    return decision.classes_of(probabilities)


def class_weights(
    asked: str | Sequence[float], classes: Sequence[str], counts: np.ndarray
) -> np.ndarray | None:
    """A weight a class, in units in which the training rows weigh 1 on average.

    Args:
        asked: ``none``; ``balanced``: each class weighs as much as any other in total;
            ``A=1,B=5``; or one number a class.
        classes: K names.
        counts: training rows of each class.

    Raises:
        InputError: not of this form, a class that is not there, or a weight not above 0.

    Example:
        >>> class_weights("balanced", ["no", "yes"], np.array([90, 10])).round(3).tolist()
        [0.556, 5.0]
    """
    if isinstance(asked, str) and asked == "none":
        return None
    if isinstance(asked, str) and asked == "balanced":
        weights = 1 / counts.clip(min=1)
    elif isinstance(asked, str):
        weights = _named_weights(asked, classes)
    else:
        weights = np.asarray(asked, dtype=np.float64)
    if len(weights) != len(classes) or not (np.isfinite(weights) & (weights > 0)).all():
        raise InputError(
            f"class-weight: a number above 0 for each of the {len(classes)} classes needed, "
            f"{asked!r} found; write balanced, or {classes[0]}=1,{classes[-1]}=5"
        )
    return weights * counts.sum() / (weights @ counts)


def _named_weights(text: str, classes: Sequence[str]) -> np.ndarray:
    found = dict.fromkeys(classes, 1.0)
    for part in text.split(","):
        name, _, number = (word.strip() for word in part.rpartition("="))
        if name not in found:
            raise InputError(
                f"class-weight: none, balanced or CLASS=WEIGHT,... needed, {part!r} found"
                f"{did_you_mean(name or number, [*classes, 'balanced', 'none'])}; the classes are "
                f"{', '.join(classes)}"
            )
        try:
            found[name] = float(number)
        except ValueError:
            raise InputError(
                f"class-weight: a number for class {name!r} needed, {number!r} found; write {name}=5"
            ) from None
    return np.array(list(found.values()))


def logit_shift(weights: np.ndarray) -> np.ndarray:
    """What weights add to the logits: ``ln w_1 - ln w_0 (1,)`` of two classes, else ``ln w (K,)``."""
    logarithms = np.log(weights)
    return logarithms[1:] - logarithms[:1] if len(weights) == 2 else logarithms


def take_off(model: torch.nn.Module, shift: np.ndarray) -> bool:
    """Take a shift off a network's logits by way of its last bias, so that it needs no correction.

    Args:
        model: a network whose last layer with parameters has a bias, one number a logit.
        shift: ``(out,)``.

    Returns:
        Whether the network is such.
    """
    layers = [m for m in model.modules() if isinstance(getattr(m, "weight", None), Tensor)]
    bias = getattr(layers[-1], "bias", None) if layers else None
    if not isinstance(bias, Tensor) or bias.shape != shift.shape:
        return False
    with torch.no_grad():
        bias -= torch.as_tensor(shift, dtype=bias.dtype, device=bias.device)
    return True


def best_threshold(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The threshold with the largest Matthews correlation coefficient.

    Args:
        probabilities: of the positive class, ``(N,)``.
        targets: 0 or 1, ``(N,)``.

    Returns:
        The middle between two neighbouring probabilities; of thresholds that are as good the one
        nearest to 1/2, and 1/2 where none is better than a constant guess.
    """
    order = np.argsort(probabilities, kind="stable")
    values, truth = probabilities[order], targets[order].astype(np.float64)
    ends = np.flatnonzero(np.diff(values) > 0) + 1  # rows below each candidate
    if not ends.size:
        return 0.5
    rows, positives = len(truth), truth.sum()
    called = rows - ends
    hits = positives - np.cumsum(truth)[ends - 1]
    spread = np.sqrt(called * ends * positives * (rows - positives))
    scores = np.divide(
        rows * hits - called * positives, spread, out=np.zeros(len(ends)), where=spread > 0
    )
    if scores.max() <= 0:
        return 0.5
    middles = (values[ends - 1] + values[ends]) / 2
    best = middles[scores >= scores.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - 0.5))])


def choose_decision(
    asked: str | float | None,
    weights: np.ndarray | None,
    probabilities: np.ndarray,
    targets: np.ndarray,
) -> Decision:
    """The decision that options ask for.

    Args:
        asked: ``auto``: the best threshold on these rows; a threshold; None: as the weights say.
        weights: one a class, as in training, or None.
        probabilities: of validation rows, ``(N,)`` or ``(N, K)``.
        targets: class indices ``(N,)``.
    """
    if asked == "auto":
        return Decision.at(best_threshold(probabilities, targets), "best MCC on validation rows")
    if asked is not None:
        return Decision.at(float(asked), "as given")
    if weights is not None:
        return Decision(tuple(weights.tolist()), "as the classes were weighted")
    return Decision.plain(2 if probabilities.ndim == 1 else probabilities.shape[1])
