"""Augmentation: what each alteration may do, what decides it, and the rows that it never touches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from Bio.Seq import reverse_complement

from bionn.data.augment import Augmentation
from bionn.data.batches import ResidentBatches
from bionn.data.resident import ResidentDataModule
from bionn.preprocess.sequences import ALIGNMENTS, Align, SequenceEncoder
from tests.small_sets import prepared, sequences
from tests.support.refusals import refused

TEXTS = [text[: 6 + row % 7] for row, text in enumerate(sequences()["sequence"])]
STEP: dict[str, int] = {"seed": 3, "epoch": 5, "step": 7}


def made(*options: str, align: Align = "left") -> tuple[Augmentation, torch.Tensor]:
    encoder = SequenceEncoder.fit(TEXTS, align=align, length=12)
    return Augmentation.parse(options, encoder), torch.from_numpy(encoder.encode(TEXTS))


@pytest.mark.parametrize("align", ALIGNMENTS)
def test_a_sequence_becomes_its_reverse_complement_or_stays(align: Align) -> None:
    augment, codes = made("reverse-complement", align=align)
    other = torch.from_numpy(augment.encoder.encode([reverse_complement(text) for text in TEXTS]))
    altered = augment(codes, **STEP)
    turned = (altered != codes).any(dim=1)
    assert torch.equal(altered, torch.where(turned[:, None], other, codes))
    assert 25 < int(turned.sum()) < 65  # of 90, each with chance 1/2


def test_a_shift_moves_each_sequence_by_at_most_n_and_every_offset_comes() -> None:
    augment, codes = made("shift:2")
    altered = augment(codes, **STEP)
    padding = augment.encoder.symbols.padding_code
    moved = {
        offset: torch.nn.functional.pad(codes, (2, 2), value=padding)[:, 2 - offset : 14 - offset]
        for offset in range(-2, 3)
    }
    found = torch.stack([(altered == rows).all(dim=1) for rows in moved.values()])
    assert bool(found.any(dim=0).all())
    assert bool(found.any(dim=1).all())


def test_masking_hides_the_share_asked_for_and_no_padding() -> None:
    augment, codes = made("mask:0.3")
    symbols = augment.encoder.symbols
    altered = augment(codes, **STEP)
    hidden = altered != codes
    assert bool((altered[hidden] == symbols.unknown_code).all())
    there = (codes != symbols.padding_code) & (codes != symbols.unknown_code)
    assert not hidden[~there].any()
    share, spread = 0.3, np.sqrt(0.3 * 0.7 / int(there.sum()))
    assert abs(float(hidden[there].float().mean()) - share) < 4 * spread
    assert torch.equal(made("mask:0")[0](codes, **STEP), codes)


def test_an_alteration_is_a_function_of_seed_epoch_and_step_alone() -> None:
    options = ("reverse-complement", "shift:3", "mask:0.1")
    augment, codes = made(*options)
    before = codes.clone()
    first = augment(codes, **STEP)
    torch.manual_seed(123)
    state = torch.get_rng_state()
    assert torch.equal(made(*options)[0](codes, **STEP), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(codes, before)
    for name in STEP:
        for other in (STEP[name] - 1, STEP[name] + 1):
            assert not torch.equal(augment(codes, **STEP | {name: other}), first)


def test_what_a_shift_lets_in_is_padding_and_never_masked() -> None:
    encoder = SequenceEncoder.fit(["A" * 12], length=12)
    codes = torch.from_numpy(encoder.encode(["A" * 12] * 50))
    for options in (("shift:5", "mask:0.5"), ("mask:0.5", "shift:5")):
        altered = Augmentation.parse(options, encoder)(codes, **STEP)
        symbols = encoder.symbols
        ends = altered == symbols.padding_code
        assert int(ends.sum(dim=1).max()) == 5
        inside = altered[~ends]
        assert set(inside.unique().tolist()) == {0, symbols.unknown_code}


def test_only_training_batches_are_altered_and_no_label(monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepared("multiclass")
    module = ResidentDataModule(lambda: data, batch_size=16, seed=4, augment=["mask:0.5"])
    plain = ResidentDataModule(lambda: data, batch_size=16, seed=4)
    for part in ("val", "test", "predict"):
        for batch in getattr(module, f"{part}_dataloader")():
            assert torch.equal(batch.inputs, data.inputs[batch.ids])
            assert torch.equal(batch.targets, data.outputs[batch.ids])
    changed = 0
    loaders = (module.train_dataloader(), plain.train_dataloader())
    for altered, batch in zip(*loaders, strict=True):
        assert torch.equal(altered.ids, batch.ids)
        assert torch.equal(altered.targets, batch.targets)
        changed += int((altered.inputs != batch.inputs).sum())
    assert changed > 100


def test_a_batch_can_be_made_again_from_its_epoch_and_step() -> None:
    augment, codes = made("reverse-complement", "mask:0.2")
    rows = torch.arange(len(codes))
    batches = ResidentBatches(
        codes, rows, rows, batch_size=8, shuffle=True, seed=9, augment=augment
    )
    batches.batch_sampler.sampler.set_epoch(6)
    seen = list(batches)
    batches.batch_sampler.sampler.set_epoch(2)
    list(batches)
    batch = seen[4]
    again = augment(codes[batch.ids], seed=9, epoch=6, step=4)
    assert torch.equal(batch.inputs, again)


WRONG = ("reverse", "shift", "shift:", "shift:-1", "shift:2.5", "mask", "mask:1", "mask:-0.1")
ALSO_WRONG = ("mask:1.2.3", "mask:half", "mask:.", "", "reverse-complement:2", "shift:3,mask:0.1")


@pytest.mark.parametrize("option", WRONG + ALSO_WRONG)
def test_what_is_no_augmentation_is_refused(option: str) -> None:
    with refused("augment: reverse-complement, shift:N", repr(option)):
        made(option)


def test_the_same_alteration_twice_is_refused() -> None:
    for twice in (["reverse-complement"] * 2, ["shift:1", "mask:0.1", "shift:2"]):
        with refused(f"augment: {twice[0].partition(':')[0]} is given twice", "give it once"):
            made(*twice)


def test_a_shift_that_leaves_nothing_of_a_sequence_is_refused() -> None:
    encoder = SequenceEncoder.fit(["ACGTAC"])
    assert Augmentation.parse(["shift:5"], encoder).steps == (("shift", 5),)
    with refused("augment: a shift below the sequences' length of 6 needed, 'shift:6' found"):
        Augmentation.parse(["shift:6"], encoder)


def test_inputs_without_another_strand_are_refused() -> None:
    encoder = SequenceEncoder.fit(["MKV"], alphabet="protein")
    with refused("dna or rna alphabet needed, protein found"):
        Augmentation.parse(["reverse-complement"], encoder)
    assert Augmentation.parse(["mask:0.1", "shift:1"], encoder).steps
    table: Any = prepared("regression").encoder
    with refused("augment: sequences needed", "features"):
        Augmentation.parse(["mask:0.1"], table)
