"""Predictions for a FASTA file by several processes that read shards of it: here, or on Ray."""

from __future__ import annotations

import os
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from bionn.cluster import ray_cluster
from bionn.data.batches import evaluation_rows
from bionn.data.new_samples import Block
from bionn.data.stream import encoded_blocks
from bionn.data.unlabelled import record_blocks, repeated_ids
from bionn.errors import InputError, did_you_mean
from bionn.formats.fasta import IdRule, read_blocks, read_pieces
from bionn.formats.fasta_shards import Shard, fasta_shards
from bionn.loading import load
from bionn.predict import Predictor
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.windows import Windows

ENGINES = ("local", "ray")

BATCHES = 4
"""Batches of the network in a shard, so that they are those that one process would make."""

WINDOWED_BYTES = 1 << 24
"""Bytes of a shard whose sequences are cut into windows."""


@dataclass(frozen=True)
class Work:
    """What every worker needs to know.

    Attributes:
        model: the model's folder, which every worker can read.
        path: the FASTA file, likewise.
        device: where a worker computes; ``auto`` or ``gpu``: one GPU a worker.
        both_strands: as in :func:`bionn.loading.load`.
        calibrate: likewise.
        id_rule: which part of a header is the id; as in the training data when None.
        windows: predict each window over each sequence.
    """

    model: Path
    path: Path
    device: str = "cpu"
    both_strands: bool | None = None
    calibrate: bool | None = None
    id_rule: IdRule | None = None
    windows: Windows | None = None


class Piece(NamedTuple):
    """What comes of a shard: its rows as :meth:`Predictor.blocks` gives them, and notes."""

    frame: pd.DataFrame
    notes: list[str]


class Worker:
    """Predicts shards; every process has one."""

    def __init__(self, work: Work, device: str | torch.device | None = None) -> None:
        self.work = work
        self.predictor = load(
            work.model,
            device=work.device if device is None else device,
            both_strands=work.both_strands,
            calibrate=work.calibrate,
        )

    def __call__(self, shard: Shard) -> Piece:
        """The predictions of a shard."""
        notes: list[str] = []
        windows, encoder = self.work.windows, self.predictor.encoder
        blocks = encoded_blocks(self._blocks(shard), encoder, windows=windows, notes=notes)
        frames = list(self.predictor.frames(blocks, windowed=windows is not None))
        return Piece(pd.concat(frames, ignore_index=True), notes)

    def _blocks(self, shard: Shard) -> Iterator[Block]:
        id_rule, numbers = id_rule_of(self.work, self.predictor), count()
        read = read_blocks if self.work.windows is None else read_pieces
        records = read(self.work.path, id_rule=id_rule, span=shard.span, first=shard.first)
        return record_blocks(
            records, lambda ids: [shard.renamed.get(next(numbers), name) for name in ids]
        )


def id_rule_of(work: Work, predictor: Predictor) -> IdRule:
    """Which part of a header is the id."""
    return work.id_rule or predictor.id_rule


def predicted(
    work: Work, *, workers: int, engine: str = "local", notes: list[str] | None = None
) -> Iterator[pd.DataFrame]:
    """The predictions for a file, shard by shard in its order, each record in one of them.

    Args:
        work: what is to be predicted with what.
        workers: how many processes.
        engine: ``local``: processes of this machine; ``ray``: of the cluster that ``RAY_ADDRESS``
            names, or of this machine. What a worker of Ray leaves undone when it dies is done again.
        notes: is given sentences about what was not as it should be, at the end.

    Raises:
        InputError: a file that cannot be cut, a model of features, or what reading and encoding
            raise; there is no such engine, or no Ray; a local process died.
    """
    if engine not in ENGINES:
        raise InputError(
            f"engine: local or ray needed, {engine!r} found{did_you_mean(engine, ENGINES)}; choose one"
        )
    if workers < 1:
        raise InputError(f"workers: a number from 1 needed, {workers} found; choose one")
    predictor = load(work.model)
    if not isinstance(predictor.encoder, SequenceEncoder):
        raise InputError(
            "workers: a model of sequences needed to share a file, one of features found; leave it out"
        )
    renamed, found = 0, dict[str, None]()

    def shards() -> Iterator[Shard]:
        nonlocal renamed
        for shard in fasta_shards(
            work.path,
            BATCHES * evaluation_rows(predictor.encoder.input_shape),
            id_rule=id_rule_of(work, predictor),
            symbols=None if work.windows is None else WINDOWED_BYTES,
        ):
            renamed += len(shard.renamed)
            yield shard

    for piece in (in_processes if engine == "local" else on_ray)(work, shards(), workers):
        yield piece.frame
        found |= dict.fromkeys(piece.notes)
    if notes is not None:
        notes += ([repeated_ids(renamed)] if renamed else []) + list(found)


_worker: Worker | None = None


def _begin(work: Work, workers: int, numbers: Any) -> None:
    """Make a process of the pool ready: its model, its device, its share of the processors."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // workers))
    device = None
    if work.device in ("auto", "gpu") and torch.cuda.is_available():
        device = torch.device("cuda", numbers.get() % torch.cuda.device_count())
    _worker = Worker(work, device)


def _predict(shard: Shard) -> Piece:
    assert _worker is not None
    return _worker(shard)


def in_processes(work: Work, shards: Iterator[Shard], workers: int) -> Iterator[Piece]:
    """The pieces of the shards, in order, by processes of this machine."""
    quick = "forkserver" in get_all_start_methods()  # imports what all need once
    context = get_context("forkserver" if quick else "spawn")
    context.set_forkserver_preload(["bionn.sharded"])
    numbers = context.SimpleQueue()
    for number in range(workers):
        numbers.put(number)
    pool = ProcessPoolExecutor(workers, context, _begin, (work, workers, numbers))
    coming: deque[Future[Piece]] = deque()
    try:
        for shard in shards:
            coming.append(pool.submit(_predict, shard))
            if len(coming) > 2 * workers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    except BrokenProcessPool:
        raise InputError(
            "workers: one of them was killed, for want of memory perhaps; take fewer"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


class _RayWorker:
    """A :class:`Worker` as Ray Data calls it: a batch of one shard in, one of its pickled piece out."""

    def __init__(self, make: Callable[[Work], Callable[[Shard], Piece]], work: Work) -> None:
        self.work = make(work)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        pieces = []
        for shard in batch["shard"]:
            try:
                pieces.append(pickle.dumps(self.work(pickle.loads(shard))))
            except InputError as error:  # not to be tried again, and told as it is
                pieces.append(pickle.dumps(error))
        return {"number": batch["number"], "piece": pieces}


def on_ray(
    work: Work,
    shards: Iterator[Shard],
    workers: int,
    make: Callable[[Work], Callable[[Shard], Piece]] = Worker,
) -> Iterator[Piece]:
    """The pieces of the shards, in order, by actors under Ray Data.

    Args:
        work: what is to be predicted with what.
        shards: what to predict.
        workers: how many actors.
        make: makes what an actor does of what it needs to know.
    """
    gpus = int(work.device in ("auto", "gpu") and torch.cuda.is_available())
    with ray_cluster(processes=workers) as ray:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        rows = [{"number": n, "shard": pickle.dumps(shard)} for n, shard in enumerate(shards)]
        pieces = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _RayWorker,
            fn_constructor_args=(make, work),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(rows))),
            num_cpus=1,
            num_gpus=gpus,
        )
        for number, row in enumerate(pieces.iter_rows()):
            assert row["number"] == number, "Ray Data keeps the order"
            piece = pickle.loads(row["piece"])
            if isinstance(piece, InputError):
                raise piece
            yield piece
