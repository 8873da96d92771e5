"""New samples as a stream of network inputs: encoded, cut into windows, in blocks of equal size."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from bionn.data.new_samples import Block
from bionn.data.prepared import Encoder, located
from bionn.errors import FormatError, InputError
from bionn.formats.texts import TEXT, Texts
from bionn.preprocess.encoding import Encoding
from bionn.preprocess.sequences import LengthError, SequenceEncoder
from bionn.preprocess.steps import RowError
from bionn.sequences.alphabet import SymbolError
from bionn.sequences.packed import lengths_of
from bionn.sequences.windows import Cut, WindowCutter, Windows

T = TypeVar("T")
U = TypeVar("U")

_WINDOW_SYMBOLS = 1 << 22
"""Symbols of windows that are cut out at a time."""

_PATIENCE = 1.0
"""Seconds in which an item is made, unless the input it is made of may never come."""


@dataclass(frozen=True)
class Encoded:
    """N rows of what a network predicts, in order.

    Attributes:
        ids: the samples' ids, N of them.
        inputs: codes ``uint8 (N, L)`` or features ``float32 (N, F)``.
        places: columns that tell where each row is from, ``(N,)`` by name. Of windows ``start``, from
            0, in its sequence, and ``end``, the position behind it; of the regions of a genome
            ``chromosome``, ``start``, ``end`` and ``strand``.
    """

    ids: pa.ChunkedArray
    inputs: np.ndarray
    places: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: slice) -> Encoded:
        places = {name: column[rows] for name, column in self.places.items()}
        return Encoded(self.ids[rows], self.inputs[rows], places)


def encoded_blocks(
    blocks: Iterable[Block],
    encoder: Encoder,
    *,
    windows: Windows | None = None,
    notes: list[str] | None = None,
) -> Iterator[Encoded]:
    """Samples to network inputs, or to those of the windows over their sequences.

    Args:
        blocks: what :func:`bionn.data.unlabelled.read_unlabelled` yields.
        encoder: text or numbers to network inputs.
        windows: of sequences; a row a sample when None.
        notes: is given sentences about what was left out, or is unlike the training data, at the end.

    Raises:
        FormatError: a symbol outside the alphabet, or a length that does not fit; says file and line.
        InputError: windows of a size that the encoder does not take, or over features.
    """
    if windows is not None:
        yield from _windows(blocks, encoder, windows, [] if notes is None else notes)
        return
    longer = 0
    for block in blocks:
        if isinstance(encoder, SequenceEncoder):
            assert block.sequences is not None
            longer += _much_longer(encoder, block.sequences)
            try:
                inputs = encoder.encode(block.sequences)
            except (SymbolError, LengthError) as error:
                raise located(error, block.ids, block.where) from None
        else:
            assert block.features is not None
            try:
                inputs = encoder.transform(block.features)
            except RowError as error:
                raise FormatError(f"{block.where(error.row)}: {error}") from None
        yield Encoded(arrow_ids(block.ids), inputs, block.places)
    if longer and notes is not None and isinstance(encoder, SequenceEncoder):
        notes.append(
            f"{longer} sequences are more than twice as long as the longest of the training data "
            f"({encoder.length}): the network has not learned what so many k-mers mean"
        )


def _much_longer(encoder: SequenceEncoder, sequences: Sequence[str]) -> int:
    """How many sequences are far longer than any of training, where k-mers alone take any length."""
    if encoder.crop or Encoding.parse(encoder.encoding).one_hot:
        return 0
    return int((lengths_of(sequences) > 2 * encoder.length).sum())


def _windows(
    blocks: Iterable[Block], encoder: Encoder, windows: Windows, notes: list[str]
) -> Iterator[Encoded]:
    if not isinstance(encoder, SequenceEncoder):
        raise InputError(
            "window: a model of sequences needed, this one takes features; leave it out"
        )
    try:
        encoder.encode([encoder.symbols.letters[0] * windows.size])
    except LengthError as error:
        raise InputError(f"window: {error}") from None
    cutter, rows = WindowCutter(windows), max(1, _WINDOW_SYMBOLS // windows.size)
    short, first_short = 0, ""
    before = 0  # how much of an unfinished sequence was in earlier blocks
    for block in blocks:
        assert block.sequences is not None
        before = before if block.continues else 0
        codes, lengths = _flat_codes(encoder, block, before)
        before = int(lengths[-1]) + (before if len(lengths) == 1 else 0)
        cut = cutter.cut(codes, lengths, continues=block.continues, unfinished=block.unfinished)
        ids = arrow_ids(block.ids)
        too_short = cut.lengths < windows.size
        if encoder.align is None and too_short.any():
            first = int(cut.sequences[np.argmax(too_short)])
            first_short = first_short or f"{block.where(first)}: {block.ids[first]!r}"
            short += int(too_short.sum())
            cut = Cut(cut.codes, *(column[~too_short] for column in cut[1:]))
        for begin in range(0, len(cut.starts), rows):
            part = Cut(cut.codes, *(column[begin : begin + rows] for column in cut[1:]))
            inputs = encoder.fitted(part.flat_codes(), part.lengths)
            places = {"start": part.starts, "end": part.starts + part.lengths}
            yield Encoded(ids.take(pa.array(part.sequences)), inputs, places)
    if short:
        notes.append(
            f"left out: {short} sequences shorter than the window ({windows.size}); the first is "
            f"{first_short}"
        )


def _flat_codes(
    encoder: SequenceEncoder, block: Block, before: int
) -> tuple[np.ndarray, np.ndarray]:
    """The codes of a block's sequences, one after another, and how many belong to each."""
    sequences = block.sequences or []
    try:
        codes = encoder.symbols.encode_flat(sequences, unknown=encoder.unknown, iupac=encoder.iupac)
    except SymbolError as error:
        position = error.position + (before if error.record == 0 else 0)
        error = SymbolError(error.symbol, error.record, position, error.remedy)
        raise located(error, block.ids, block.where) from None
    return codes, lengths_of(sequences)


def arrow_ids(ids: Sequence[str]) -> pa.ChunkedArray:
    """Ids as Arrow holds them; not copied where it does already."""
    return ids.held if isinstance(ids, Texts) else pa.chunked_array([ids], type=TEXT)


def regrouped(blocks: Iterable[Encoded], rows: int, *, padding: int) -> Iterator[Encoded]:
    """The same rows in blocks of exactly so many, but for the last.

    So what a row is computed together with does not depend on how its file was cut, and neither do
    the last bits of its prediction.

    Args:
        blocks: of any size.
        rows: how many a block has.
        padding: the code that shorter rows end in where blocks of different lengths meet.
    """
    held: list[Encoded] = []
    count = 0
    for block in blocks:
        while count + len(block) >= rows:
            yield _joined([*held, block[: rows - count]], padding)
            block = block[rows - count :]
            held, count = [], 0
        if len(block):
            held.append(block)
            count += len(block)
    if held:
        yield _joined(held, padding)


def _joined(blocks: list[Encoded], padding: int) -> Encoded:
    if len(blocks) == 1:
        return blocks[0]
    width = max(block.inputs.shape[1] for block in blocks)
    inputs = [
        np.pad(x, ((0, 0), (0, width - x.shape[1])), constant_values=padding)
        if x.shape[1] < width
        else x
        for x in (block.inputs for block in blocks)
    ]
    places = {
        name: np.concatenate([block.places[name] for block in blocks]) for name in blocks[0].places
    }
    chunks = [chunk for block in blocks for chunk in block.ids.chunks]
    return Encoded(pa.chunked_array(chunks, type=TEXT), np.concatenate(inputs), places)


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items, each made in a second thread while the one before is in use.

    Who stops early waits a second for the item that is being made, and no longer, as it may be of input
    that never comes: the threads are daemons.

    Example:
        >>> list(ahead(range(3)))
        [0, 1, 2]
    """
    iterator, end = iter(items), object()

    def make(into: Future[Any]) -> None:
        try:
            into.set_result(next(iterator, end))
        except BaseException as error:
            into.set_exception(error)

    def start() -> Future[Any]:
        future: Future[Any] = Future()
        threading.Thread(target=make, args=(future,), name="ahead", daemon=True).start()
        return future

    coming = start()
    try:
        while (item := coming.result()) is not end:
            coming = start()
            yield item
    finally:
        # A daemon inside compiled code when the interpreter ends would abort the process.
        wait([coming], _PATIENCE)


def mapped(function: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
    """What a function makes of each item, in three threads: one makes items, one computes, one uses.

    An item is made while the one before is computed and the one before that is in use. Who stops early
    waits for what is being computed, as that has an end.

    Example:
        >>> list(mapped(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    computing = ThreadPoolExecutor(1, "mapped")
    try:
        for coming in ahead(ahead(computing.submit(function, item) for item in items)):
            yield coming.result()
    finally:
        computing.shutdown(cancel_futures=True)
