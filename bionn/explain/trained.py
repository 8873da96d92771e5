"""The verbs of this room for a trained model: its encoding, its strands, its outputs by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from bionn.errors import InputError, did_you_mean
from bionn.explain.backgrounds import shuffled
from bionn.explain.deep_lift import deep_lift
from bionn.explain.expected_gradients import expected_gradients
from bionn.explain.input_x_gradient import input_x_gradient
from bionn.explain.integrated_gradients import integrated_gradients
from bionn.explain.mutagenesis import mutagenesis
from bionn.models.ensemble import Ensemble
from bionn.models.layers import feed
from bionn.predict import Predictor
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.onehot import one_hot

GRADIENT_METHODS = (
    "deep_lift",
    "expected_gradients",
    "integrated_gradients",
    "input_x_gradient",
)
"""Methods that follow gradients back to letters by position."""

METHODS = (*GRADIENT_METHODS, "mutagenesis")
"""Methods by the names of options."""


class SequenceScores(NamedTuple):
    """What the letters of N sequences add to an output.

    Attributes:
        contributions: ``(N, L)``: of the letter that is there, 0 at padding.
        hypothetical: ``(N, A, L)``: of each letter, if it were there.
    """

    contributions: Tensor
    hypothetical: Tensor


def output_names(predictor: Predictor) -> list[str]:
    """What can be explained: the positive class of two, each of several, each target."""
    if predictor.task == "regression":
        return list(predictor.target_names)
    return predictor.classes[1:] if predictor.task == "binary" else list(predictor.classes)


def output_weights(predictor: Predictor, name: str | None = None) -> Tensor:
    """The weights ``(out,)`` by which the logits become the quantity explained.

    It is the logit of the positive class of two (of the other with its sign turned); of several, the
    class's logit less the mean of all, as only their differences count; or the target in its own
    units (of its logarithm, where that was learned).

    Args:
        predictor: the model.
        name: a class or target; the first of :func:`output_names` when None.

    Raises:
        InputError: there is none of that name; offers the nearest.
    """
    names = output_names(predictor)
    name = names[0] if name is None else name
    if predictor.task == "binary" and name == predictor.classes[0]:
        return torch.tensor([-1.0])
    if name not in names:
        known = predictor.classes if predictor.task == "binary" else names
        raise InputError(
            f"output: one of {', '.join(known)} needed, {name!r} found{did_you_mean(name, known)}; "
            "choose one"
        )
    weights = torch.zeros(len(names))
    weights[names.index(name)] = 1
    if predictor.task == "multiclass":
        weights -= 1 / len(names)
    if predictor.target_scaler is not None:
        weights *= torch.from_numpy(predictor.target_scaler.std).float()
    return weights


def members_of(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The networks of an ensemble, or the one."""
    return list(model.members) if isinstance(model, Ensemble) else [model]


class SequenceExplainer:
    """Attributions and mutagenesis of a model of sequences.

    Args:
        predictor: the model.
        method: one of :data:`METHODS`; DeepLIFT over shuffles where letters by position are the inputs,
            and mutagenesis for k-mers, when None. ``mutagenesis`` contributes a letter's effect less
            the mean effect of all letters at its position.
        backgrounds: shuffles a sequence that keep the counts of neighbouring pairs: the baselines of
            every method but ``input_x_gradient`` and ``mutagenesis``. With 0 the one baseline is the
            frequencies of the letters in the sequences explained: much faster.
        seed: of the shuffles.

    Of an ensemble the mean of its networks' logits is explained.

    Raises:
        InputError: a model of features, an unknown method, or one that follows gradients to letters
            for a model of k-mers.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        method: str | None = None,
        backgrounds: int = 20,
        seed: int = 0,
    ) -> None:
        encoder = predictor.encoder
        if not isinstance(encoder, SequenceEncoder):
            raise InputError(
                "explain: a model of sequences needed, one of features found; take feature_table"
            )
        features = encoder.features()
        method = method or ("deep_lift" if features is None else "mutagenesis")
        if method not in METHODS:
            raise InputError(
                f"method: one of {', '.join(METHODS)} needed, {method!r} found"
                f"{did_you_mean(method, METHODS)}; choose one"
            )
        if features is not None and method != "mutagenesis":
            raise InputError(
                f"method: mutagenesis needed for a model of k-mers, whose counts have no gradient, "
                f"{method!r} found; leave it out"
            )
        self.predictor = predictor
        self.encoder = encoder
        self.method = method
        self.backgrounds = backgrounds
        self.seed = seed
        self.table = torch.from_numpy(encoder.code_table).to(predictor.device)
        self._features = None if features is None else features.to(predictor.device)
        self._padding = encoder.symbols.padding_code

    def effects(self, codes: Tensor, output: Tensor) -> Tensor:
        """What every substitution does to an output, ``(N, A, L)``.

        Of an ensemble, to the logits of its mean prediction.

        Args:
            codes: ``(N, L)``.
            output: weights of the logits; see :func:`output_weights`.
        """
        model = self.predictor.model
        members = [partial(self._mutated, member) for member in members_of(model)]
        changes = torch.stack([self._over_strands(codes, member) for member in members])
        output = output.cpu()
        if not isinstance(model, Ensemble):
            return torch.einsum("onal,o->nal", changes[0], output)
        reference = self.predictor.member_logits(codes)
        before = model.pooled(reference) @ output
        mutants = changes.permute(0, 2, 3, 4, 1) + reference[:, :, None, None]
        after = model.pooled(mutants.flatten(1, 3)).view(mutants.shape[1:]) @ output
        return (after - before[:, None, None]) * (changes != 0).any(0).any(0)

    def scores(
        self, codes: Tensor, output: Tensor, *, effects: Tensor | None = None
    ) -> SequenceScores:
        """What every letter adds to an output; of an ensemble, the mean over its networks.

        Args:
            codes: ``(N, L)``.
            output: weights of the logits; see :func:`output_weights`.
            effects: what :meth:`effects` gives, if that is known already.
        """
        there = self._one_hot(codes)
        if self.method == "mutagenesis":
            effects = self.effects(codes, output) if effects is None else effects
            hypothetical = effects - effects.mean(1, keepdim=True)
            return SequenceScores((there * hypothetical).sum(1), hypothetical)
        of_members = [
            self._over_strands(codes, partial(self._attributed, member, output=output))
            for member in members_of(self.predictor.model)
        ]
        one = len(of_members) == 1  # needs no copy
        both = of_members[0] if one else torch.stack(of_members).mean(0)
        contributions, hypothetical = both
        return SequenceScores(contributions.sum(1), hypothetical)

    def work(self, length: int) -> int:
        """Multiplications that the mutagenesis of one sequence takes where every mutant is run."""
        shape = self.encoder.input_shape
        width = shape if isinstance(shape, int) else math.prod(shape)
        units = [
            next((p.shape[0] for p in m.parameters()), 1) for m in members_of(self.predictor.model)
        ]
        return length * (len(self.encoder.symbols.letters) - 1) * width * sum(units)

    def _one_hot(self, codes: Tensor) -> Tensor:
        return one_hot(codes.to(self.predictor.device), self.table).cpu()

    def _mutated(self, model: torch.nn.Module, codes: Tensor) -> Tensor:
        """What every substitution does to every logit of a network, ``(out, N, A, L)``."""
        network_input = partial(feed, model, table=self.table, features=self._features)
        found = mutagenesis(
            model,
            codes.to(self.predictor.device),
            table=self.table,
            padding=self._padding,
            encode=network_input if self._features is not None else None,
        )
        return found.effects.permute(3, 0, 1, 2).cpu()

    def _attributed(self, model: torch.nn.Module, codes: Tensor, *, output: Tensor) -> Tensor:
        """Contributions and hypothetical contributions, ``(2, N, A, L)``."""
        x = one_hot(codes.to(self.predictor.device), self.table)
        if self.method == "input_x_gradient":
            found = input_x_gradient(model, x, output=output)
        else:
            generator = torch.Generator().manual_seed(self.seed)
            background = self._background(codes.to(self.predictor.device), x, generator)
            if self.method == "expected_gradients":
                found = expected_gradients(model, x, background, output=output, generator=generator)
            else:
                method = deep_lift if self.method == "deep_lift" else integrated_gradients
                found = method(model, x, background, output=output)
        return torch.stack([found.contributions, found.hypothetical]).cpu()

    def _background(self, codes: Tensor, x: Tensor, generator: torch.Generator) -> Tensor:
        """Baselines ``(N, B, A, L)`` for codes and their one-hot form."""
        if self.backgrounds:
            return shuffled(
                codes,
                self.table,
                count=self.backgrounds,
                generator=generator,
                padding=self._padding,
            )
        frequencies = x.sum((0, 2)) / x.sum().clamp(min=1e-30)
        there = (codes != self._padding)[:, None, None]
        return frequencies[:, None] * there

    def _over_strands(self, codes: Tensor, explain: Callable[[Tensor], Tensor]) -> Tensor:
        """The mean over both strands where the model averages over them, else the one."""
        if not self.encoder.both_strands:
            return explain(codes)
        other = explain(self.encoder.other_strand(codes))
        return (explain(codes) + self._turned(other, codes)) / 2

    def _turned(self, values: Tensor, codes: Tensor) -> Tensor:
        """Values ``(K, N, A, L)`` of the other strand where this strand's codes stand."""
        alphabet = self.encoder.symbols
        letters = torch.from_numpy(alphabet.complement[: len(alphabet.letters)]).to(torch.int64)
        there = (codes != self._padding).cpu()
        first = there.int().argmax(1, keepdim=True)
        last = codes.shape[1] - 1 - there.int().flip(1).argmax(1, keepdim=True)
        partner = (first + last - torch.arange(codes.shape[1])).clamp(0, max(codes.shape[1] - 1, 0))
        turned = values[:, :, letters].gather(3, partner[:, None].expand_as(values))
        return turned * there[:, None]
