"""What variants of a genome do to a model's predictions, each allele by windows of both sequences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bionn.errors import InputError, did_you_mean
from bionn.explain.trained import output_names
from bionn.formats.genome import Genome
from bionn.formats.variants import Variant
from bionn.models.ensemble import Ensemble
from bionn.predict import Predictor
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.alphabet import SymbolError

SCORED = "scored"

REASONS = {
    "no_alternative": "the row has no alternative",
    "symbolic": "an allele such as <DEL> that is not spelled out",
    "spanning_deletion": "*: the base is deleted by another variant",
    "breakend": "a breakend, which joins two places",
    "not_dna": "an allele with other symbols than A, C, G, T and N",
    "unknown_chromosome": "the genome has no sequence of that name",
    "past_end": "REF begins or reaches beyond the chromosome",
    "reference_mismatch": "REF is not what the genome has there",
    "no_change": "REF and ALT are the same",
    "unreadable_window": "the window holds a symbol that the model does not take",
}
"""Why an allele is not scored, by the status that says so."""

BLOCK = 1024
"""Alleles that are scored together."""


@dataclass(frozen=True)
class Allele:
    """One alternative of a row, or a row without any.

    Attributes:
        variant: the row.
        alternative: as written; ``.`` where there is none.
        status: ``scored``, or a key of :data:`REASONS`.
        note: what else there is to know of it.
        windows: the reference's window and the alternative's; None where it is not scored.
    """

    variant: Variant
    alternative: str
    status: str
    note: str = ""
    windows: tuple[str, str] | None = None


class Windows:
    """Cuts windows of a model's length around variants, from an indexed genome.

    Where REF and ALT begin or end alike, what they share is set aside. The first base that differs
    then stands in the middle, at L // 2 from 0, in both windows, so that what is before it is the
    same. Behind it follows what the genome has after REF, cut where an insertion leaves no room and
    longer by what a deletion takes away. Beyond a chromosome's ends stands N.

    Args:
        genome: the reference.
        encoder: of the model.

    Raises:
        InputError: a model that takes no DNA or RNA sequences.
    """

    def __init__(self, genome: Genome, encoder: object) -> None:
        if not isinstance(encoder, SequenceEncoder) or encoder.symbols.name not in ("dna", "rna"):
            raise InputError(
                "variants: a model of DNA or RNA sequences needed, another found; name one that was "
                "trained on sequences"
            )
        self.genome = genome
        self.length = encoder.length
        self._taken = {symbol for symbol in map(chr, range(33, 127)) if _takes(encoder, symbol)}

    def alleles(self, variant: Variant) -> list[Allele]:
        """One for each alternative of a row, at least one."""
        if not variant.alts:
            return [Allele(variant, ".", "no_alternative")]
        problem = self._problem(variant)
        return [
            Allele(variant, alt, *problem) if problem else self._allele(variant, alt)
            for alt in variant.alts
        ]

    def _problem(self, variant: Variant) -> tuple[str, str] | None:
        """What is wrong with the row's place or REF."""
        name, start = variant.chromosome, variant.position - 1
        if name not in self.genome.lengths:
            return "unknown_chromosome", did_you_mean(name, self.genome.lengths).strip(" ()")
        length = self.genome.lengths[name]
        if start < 0 or start + len(variant.ref) > length:
            return "past_end", f"{name} has {length} bases"
        if not re.fullmatch("[ACGTNacgtn]+", variant.ref):
            return "not_dna", f"REF {variant.ref[:20]}"
        there = self.genome.fetch(name, start, start + len(variant.ref))
        if there.upper() != variant.ref.upper():
            return "reference_mismatch", f"the genome has {there[:20].upper()}"
        return None

    def _allele(self, variant: Variant, alt: str) -> Allele:
        if alt == "*":
            return Allele(variant, alt, "spanning_deletion")
        if alt.startswith("<"):
            return Allele(variant, alt, "symbolic")
        if re.search(r"[\[\]]|^\.|\.$", alt):
            return Allele(variant, alt, "breakend")
        if not re.fullmatch("[ACGTNacgtn]+", alt):
            return Allele(variant, alt, "not_dna")
        if alt.upper() == variant.ref.upper():
            return Allele(variant, alt, "no_change")
        start, ref, new = trimmed(variant.position - 1, variant.ref.upper(), alt.upper())
        windows, note = self._cut(variant.chromosome, start, ref, new)
        if set("".join(windows)) - self._taken:
            return Allele(variant, alt, "unreadable_window", note)
        return Allele(variant, alt, SCORED, note, windows)

    def _cut(self, name: str, start: int, ref: str, new: str) -> tuple[tuple[str, str], str]:
        """Both windows around the first base that differs, and what is odd about them."""
        left = self.length // 2
        right, end = self.length - left, self.genome.lengths[name]
        before = self._bases(name, start - left, start)
        windows = (
            before + self._bases(name, start, start + right),
            (before + new + self._bases(name, start + len(ref), start + len(ref) + right))[
                : self.length
            ],
        )
        notes = []
        if start < left or start + right > end:
            notes.append("the window reaches beyond the chromosome")
        if max(len(ref), len(new)) > right:
            notes.append("the allele reaches beyond the window")
        return windows, "; ".join(notes)

    def _bases(self, name: str, start: int, end: int) -> str:
        """The genome's bases, N beyond its ends."""
        low, high = max(start, 0), min(end, self.genome.lengths[name])
        found = self.genome.fetch(name, low, high) if low < high else ""
        before = min(max(-start, 0), end - start)
        return ("N" * before + found).ljust(end - start, "N").upper()


def trimmed(start: int, ref: str, alt: str) -> tuple[int, str, str]:
    """A variant without what REF and ALT share, from the end first.

    Example:
        >>> trimmed(9, "CAG", "CAGAG")  # an insertion of AG behind C
        (10, '', 'AG')
    """
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    shared = 0
    while shared < min(len(ref), len(alt)) and ref[shared] == alt[shared]:
        shared += 1
    return start + shared, ref[shared:], alt[shared:]


def _takes(encoder: SequenceEncoder, symbol: str) -> bool:
    try:
        encoder.symbols.encode_flat([symbol], unknown=encoder.unknown, iupac=encoder.iupac)
    except SymbolError:
        return False
    return True


def variant_effects(
    predictor: Predictor, genome: Genome, variants: Iterable[Variant], *, block: int = BLOCK
) -> Iterator[tuple[list[Allele], pd.DataFrame]]:
    """Alleles in the order of the file, and what they do, block by block.

    Args:
        predictor: the model; over both strands, effects are those of the mean of the strands' logits.
        genome: the reference that the variants are of.
        variants: the rows.
        block: alleles that are scored together, about.

    Yields:
        Alleles, and a row each of ``reference_X``, ``alternative_X`` (probability, or value in the
        target's units) and ``effect_X`` for each output X: the difference of log-odds (natural
        logarithm) for classes, of values for numbers; NaN where an allele is not scored. Of an
        ensemble, those of its mean prediction, and ``spread_X``: the standard deviation of the effects
        on its networks.

    Raises:
        InputError: a model that takes no DNA or RNA sequences.
    """
    windows, source = Windows(genome, predictor.encoder), iter(variants)
    while rows := list(islice(source, block)):
        alleles = [allele for variant in rows for allele in windows.alleles(variant)]
        yield alleles, _effects(predictor, alleles)


def effect_columns(predictor: Predictor) -> list[str]:
    """The columns of numbers that :func:`variant_effects` yields."""
    kinds = ["reference", "alternative", "effect"]
    kinds += ["spread"] * (isinstance(predictor.model, Ensemble))
    return [f"{kind}_{name}" for name in output_names(predictor) for kind in kinds]


def _effects(predictor: Predictor, alleles: list[Allele]) -> pd.DataFrame:
    scored = [row for row, allele in enumerate(alleles) if allele.windows is not None]
    pairs = [allele.windows for allele in alleles if allele.windows is not None]
    numbers = {text: place for place, text in enumerate(dict.fromkeys(w for p in pairs for w in p))}
    frame = pd.DataFrame(
        np.nan, index=range(len(alleles)), columns=pd.Index(effect_columns(predictor))
    )
    if not scored:
        return frame
    places = np.array([[numbers[window] for window in pair] for pair in pairs])
    encoder = predictor.encoder
    assert isinstance(encoder, SequenceEncoder)
    members = predictor.member_logits(torch.from_numpy(encoder.encode(list(numbers))))
    model = predictor.model
    pooled = model.pooled(members) if isinstance(model, Ensemble) else members[0]
    values = predictor.outputs_of(pooled).reshape(len(numbers), -1)
    of_all = _log_odds(predictor, pooled)
    of_each = np.stack([_log_odds(predictor, logits) for logits in members])
    effect = of_all[places[:, 1]] - of_all[places[:, 0]]
    spread = (of_each[:, places[:, 1]] - of_each[:, places[:, 0]]).std(0)
    for column, name in enumerate(output_names(predictor)):
        found = {
            "reference": values[places[:, 0], column],
            "alternative": values[places[:, 1], column],
            "effect": effect[:, column],
            "spread": spread[:, column],
        }
        for kind, numbers_of_kind in found.items():
            if f"{kind}_{name}" in frame:
                frame.loc[scored, f"{kind}_{name}"] = numbers_of_kind
    return frame


def _log_odds(predictor: Predictor, logits: Tensor) -> np.ndarray:
    """What effects are differences of, ``(N, out)``: log-odds of each class, or values."""
    if predictor.task == "regression":
        return predictor.outputs_of(logits)
    wide = predictor.tempered(logits).double()
    if predictor.task == "binary":
        return wide.numpy()
    # ln p / (1 - p) = z_k - ln sum over the others of exp z
    others = [
        wide[:, [k for k in range(wide.shape[1]) if k != own]].logsumexp(1)
        for own in range(wide.shape[1])
    ]
    return (wide - torch.stack(others, 1)).numpy()
