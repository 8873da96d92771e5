"""Files that rotted: each is refused or passed over, or what is read from it is what was written."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

from bionn import artifact
from bionn.errors import InputError
from bionn.loading import load
from bionn.training import checkpoints
from tests.faults.harness import Figures, finished, small_run

SEQUENCES = ["ACGT" * 15, "TTGACA" * 10]


def damaged(raw: bytes, number: int, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Copies of a file with a bit flipped, cut short, or with a block of zeros, as a lost page is."""
    for _ in range(number):
        place = rng.randrange(len(raw))
        yield (
            "flipped",
            raw[:place] + bytes([raw[place] ^ 1 << rng.randrange(8)]) + raw[place + 1 :],
        )
    for _ in range(number // 4):
        yield "truncated", raw[: rng.randrange(len(raw))]
    for _ in range(number // 8):
        size = min(len(raw), 512)
        place = rng.randrange(len(raw) - size + 1)
        if any(raw[place : place + size]):
            yield "zeroed", raw[:place] + bytes(size) + raw[place + size :]


def test(folder: Path, *, short: bool) -> Figures:
    """Damage each file of a model and each checkpoint, many times."""
    figures, rng = Figures(), random.Random(0)
    ended = finished(small_run("run"), folder)
    if not figures.check(ended.code == 0, f"no run to begin with: {ended.error[-500:]}"):
        return figures
    number = 60 if short else 1000
    _models(folder / "run" / "model", number, rng, figures)
    _checkpoints(folder / "run", folder / "two", number, rng, figures)
    return figures


def _models(model: Path, number: int, rng: random.Random, figures: Figures) -> None:
    expected = load(model).predict(SEQUENCES)
    manifest = artifact.load(model)[1]
    for name in (artifact.WEIGHTS, artifact.MANIFEST):
        whole = (model / name).read_bytes()
        for how, raw in damaged(whole, number, rng):
            (model / name).write_bytes(raw)
            figures.count("model files damaged")
            try:
                found = artifact.load(model)[1]
            except InputError as error:
                figures.count("refused")
                figures.check("\n" not in str(error), f"{name} {how}: several lines: {error}")
            else:
                same = found == manifest and load(model).predict(SEQUENCES).equals(expected)
                figures.count("read as they were written (a damage without a meaning)")
                figures.check(same, f"{name} {how}: read, and something else")
        (model / name).write_bytes(whole)


def _checkpoints(run: Path, two: Path, number: int, rng: random.Random, figures: Figures) -> None:
    """The newest of two is damaged: the one before is taken; alone, it is refused."""
    source = max((run / "checkpoints").rglob("*.ckpt"), key=lambda path: path.stat().st_size)
    two.mkdir()
    good = two / checkpoints.PREVIOUS
    shutil.copyfile(source, good)
    whole = source.read_bytes()
    if not figures.check(checkpoints.is_whole(good), f"{source} is not whole"):
        return
    for how, raw in damaged(whole, number, rng):
        newest = two / checkpoints.LAST
        newest.write_bytes(raw)
        figures.count("checkpoints damaged")
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            taken = checkpoints.newest(two)
        if taken == good and any("damaged" in str(note.message) for note in told):
            figures.count("passed over with a warning")
        else:
            figures.check(False, f"checkpoint {how}: {taken} taken")
        if how != "truncated" and not checkpoints.is_marked(newest):
            continue  # without its mark it is a stranger's; see hostile.py
        try:
            checkpoints.read_checkpoint(newest)
        except InputError:
            figures.count("refused by name")
        else:
            figures.check(False, f"checkpoint {how}: read by name")
