"""Training rows altered anew at each step: the other strand, a shift, masked positions.

A label does not change by these, so that a network learns not to mind them. What a step draws is a
function of (seed, epoch, step) alone: a run that is taken up again goes on with the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bionn.errors import InputError
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.transforms import mask, shift

NEED = "reverse-complement, shift:N (positions) or mask:P (a share from 0 to below 1)"


@dataclass(frozen=True)
class Augmentation:
    """Alters codes at random, one alteration after another.

    Attributes:
        encoder: whose codes they are.
        steps: each alteration and its size.

    Example:
        >>> encoder = SequenceEncoder.fit(["ACGT"])
        >>> augment = Augmentation.parse(["reverse-complement", "mask:0.1"], encoder)
        >>> codes = torch.from_numpy(encoder.encode(["AACC"]))
        >>> encoder.symbols.decode(augment(codes, seed=0, epoch=0, step=5).numpy())
        ['GNTT']
    """

    encoder: SequenceEncoder
    steps: tuple[tuple[str, float], ...]

    @classmethod
    def parse(cls, options: Sequence[str], encoder: object) -> Augmentation:
        """Read the option ``augment``.

        Args:
            options: ``reverse-complement``, ``shift:N``, ``mask:P``, in the order of their use.
            encoder: of the inputs.

        Raises:
            InputError: another word, one given twice, a number out of its range, or inputs that have
                no such thing.
        """
        if not isinstance(encoder, SequenceEncoder):
            raise InputError("augment: sequences needed, a table of features found; leave it out")
        steps: list[tuple[str, float]] = []
        for option in options:
            kind = option.partition(":")[0]
            if kind in dict(steps):
                raise InputError(f"augment: {kind} is given twice ({option}); give it once")
            if option == "reverse-complement":
                _ = encoder.symbols.complement
                steps.append((option, 0.5))
            elif found := re.fullmatch(r"shift:([0-9]{1,6})", option):
                if int(found[1]) >= encoder.length:
                    raise InputError(
                        f"augment: a shift below the sequences' length of {encoder.length} needed, "
                        f"{option!r} found; choose a shorter one"
                    )
                steps.append(("shift", int(found[1])))
            elif (found := re.fullmatch(r"mask:([0-9.]+)", option)) and _is_share(found[1]):
                steps.append(("mask", float(found[1])))
            else:
                raise InputError(f"augment: {NEED} needed, {option!r} found; choose some of these")
        return cls(encoder, tuple(steps))

    def __call__(self, codes: Tensor, *, seed: int, epoch: int, step: int) -> Tensor:
        """Altered codes ``(B, L)``; the argument stays as it was.

        Numbers are drawn on the CPU: the same for every device.
        """
        # A hash of all three: neighbouring steps and epochs must not draw alike.
        state = np.random.SeedSequence([seed, epoch, step]).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0]) >> 1)
        symbols = self.encoder.symbols
        for name, size in self.steps:
            if name == "reverse-complement":
                turned = torch.rand(len(codes), 1, generator=generator) < size
                codes = torch.where(
                    turned.to(codes.device), self.encoder.other_strand(codes), codes
                )
            elif name == "shift":
                offsets = torch.randint(
                    -int(size), int(size) + 1, (len(codes),), generator=generator
                )
                codes = shift(codes, offsets, padding=symbols.padding_code)
            else:
                where = torch.rand(codes.shape, generator=generator) < size
                unknown, padding = symbols.unknown_code, symbols.padding_code
                codes = mask(codes, where, unknown=unknown, padding=padding)
        return codes


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) < 1
    except ValueError:
        return False
