"""What ``bionn run`` does: files in; a trained, tested model, its scores and predictions out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from rich.console import Console

from bionn import artifact
from bionn.baselines import baselines as fit_baselines
from bionn.data.audit import audit
from bionn.data.prepared import Prepared, prepare
from bionn.data.reading import as_list, read_samples
from bionn.data.samples import DataOptions, Samples, Source
from bionn.data.splits import Split, make_splits
from bionn.data.targets import find_targets
from bionn.errors import InputError, did_you_mean
from bionn.evaluate import evaluate, prediction_table
from bionn.formats.output import replacing, write_json, write_table
from bionn.metrics import CLASSIFICATION, REGRESSION
from bionn.predict import Predictor
from bionn.report.console import print_data, print_result, print_training
from bionn.training.fit import Trained, check, train
from bionn.training.options import TrainingOptions, choose

RUN_FILES = (
    "config.yaml",
    "metrics.json",
    "metrics.csv",
    "predictions.tsv",
    "splits.tsv",
    "audit.json",
    "report.html",
    "model",
    "checkpoints",
)
"""What a run leaves in its directory; with folds, also ``fold_0``, ``fold_1``, ..."""


@dataclass(frozen=True)
class RunResult:
    """What a run leaves.

    Attributes:
        directory: where its files are.
        metrics: the contents of ``metrics.json``.
        predictor: the trained model; with folds, that of fold 0.
    """

    directory: Path
    metrics: dict[str, Any]
    predictor: Predictor


def run(
    inputs: Source | Sequence[Source],
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    baselines: bool = True,
    progress: bool = True,
    **options: Any,
) -> RunResult:
    """Train and test a network on files, with no more options than the data force.

    Args:
        inputs: a FASTA file (with ``labels``), FASTA files of a class each, or a table.
        out: the run's directory; ``runs/<name of the input>`` when None.
        overwrite: replace the run that is there.
        baselines: fit and score the baselines too.
        progress: say what was chosen and draw progress bars.
        **options: the fields of :class:`bionn.data.samples.DataOptions` and of
            :class:`bionn.training.options.TrainingOptions`.

    Raises:
        InputError: bad input; nothing has been written then.
    """
    start = time.perf_counter()
    console = Console(quiet=not progress, highlight=False, soft_wrap=True)
    sources = as_list(inputs)
    data_options, training_options = split_options(options)
    directory = check_directory(out, sources, overwrite)

    samples, targets = find_targets(read_samples(sources, data_options), data_options)
    splits = make_splits(samples, targets, data_options)
    folds = [prepare(samples, targets, split, data_options) for split in splits[:1]]
    settled = choose(training_options, folds[0])
    check(folds[0], settled)
    print_data(console, samples, splits)
    print_training(console, folds[0], settled)

    clear(directory)
    write_config(directory, sources, data_options, settled)
    write_splits(directory, samples, splits)
    write_json(audit(samples, targets), directory / "audit.json")
    results, predictors, tables = [], [], []
    for number, split in enumerate(splits):
        prepared = folds[0] if number == 0 else prepare(samples, targets, split, data_options)
        own = directory if len(splits) == 1 else directory / f"fold_{number}"
        trained = train(prepared, settled, directory=own, console=console)
        predictor = Predictor(trained.model, prepared.manifest() | {"training": plain(settled)})
        artifact.save(own / "model", trained.model, predictor.manifest)
        metrics = score(predictor, prepared, trained, with_baselines=baselines)
        table = prediction_table(predictor, prepared)
        write_table(table, own / "predictions.tsv")
        if len(splits) > 1:
            write_json(metrics, own / "metrics.json")
        results.append(metrics)
        predictors.append(predictor)
        tables.append(table[table["split"] == "test"])
    metrics = results[0]
    if len(splits) > 1:
        metrics = average(results)
        write_table(pd.concat(tables, ignore_index=True), directory / "predictions.tsv")
    metrics["seconds"]["total"] = round(time.perf_counter() - start, 3)
    write_json(metrics, directory / "metrics.json")
    print_result(console, directory, metrics)
    return RunResult(directory, metrics, predictors[0])


def split_options(options: dict[str, Any]) -> tuple[DataOptions, TrainingOptions]:
    """Sort options by the stage that they belong to; ``seed`` belongs to both.

    Raises:
        InputError: an option that no stage knows.
    """
    data_names = {field.name for field in fields(DataOptions)}
    training_names = {field.name for field in fields(TrainingOptions)}
    for name in options:
        if name not in data_names | training_names:
            near = did_you_mean(name, data_names | training_names)
            raise InputError(f"no option {name!r}{near}")
    data = DataOptions(**{name: value for name, value in options.items() if name in data_names})
    training = {name: value for name, value in options.items() if name in training_names}
    return data, TrainingOptions(**training)


def check_directory(out: str | Path | None, sources: list[Source], overwrite: bool) -> Path:
    """Where the run goes; nothing is made yet.

    Raises:
        InputError: the directory holds a run, or something else is in the way.
    """
    if out is None:
        stem = (
            "table" if isinstance(sources[0], pd.DataFrame) else Path(sources[0]).name.split(".")[0]
        )
        free = (
            Path("runs") / f"{stem}{suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 10**6)))
        )
        return next(path for path in free if overwrite or not path.exists())
    directory = Path(out)
    if directory.exists() and not directory.is_dir():
        raise InputError(
            f"{directory}: a folder needed for the run, a file found; choose another out"
        )
    if not overwrite and any((directory / name).exists() for name in (*RUN_FILES, "fold_0")):
        raise InputError(
            f"{directory}: already holds a run; choose another folder with out, or replace the run "
            "with overwrite"
        )
    return directory


def clear(directory: Path) -> None:
    """Make the directory and remove an earlier run's files from it, and only those.

    Raises:
        InputError: it cannot be made or written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path in [*(directory / name for name in RUN_FILES), *directory.glob("fold_[0-9]*")]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{directory}: cannot be written ({error.strerror}); choose another folder"
        ) from None


def write_config(
    directory: Path, sources: list[Source], data: DataOptions, training: TrainingOptions
) -> None:
    """``config.yaml``: every option as settled; ``bionn run --config`` of it is the same run."""
    paths = [None if isinstance(source, pd.DataFrame) else str(source) for source in sources]
    options = {"inputs": paths, **plain(training), **plain(data)}
    with replacing(directory / "config.yaml") as file:
        file.write(
            "# Every option of this run; repeat it with: bionn run --config config.yaml --out DIR\n"
        )
        yaml.safe_dump(options, file, sort_keys=False, allow_unicode=True)


def write_splits(directory: Path, samples: Samples, splits: list[Split]) -> None:
    """``splits.tsv``: the part of each id, or with folds the fold in which it is tested."""
    if len(splits) == 1:
        frame = pd.DataFrame({"id": samples.ids, "split": splits[0].parts(len(samples))})
    else:
        fold = np.full(len(samples), "drop", dtype=object)
        for number, split in enumerate(splits):
            fold[split.test] = str(number)
        frame = pd.DataFrame({"id": samples.ids, "fold": fold})
    write_table(frame, directory / "splits.tsv")


def score(
    predictor: Predictor, prepared: Prepared, trained: Trained, *, with_baselines: bool
) -> dict[str, Any]:
    """The contents of ``metrics.json`` for one split."""
    split, refitted = prepared.split, trained.model is not trained.selected
    test = evaluate(predictor, prepared, split.test)
    val = evaluate(Predictor(trained.selected, predictor.manifest), prepared, split.val)
    metrics: dict[str, Any] = {
        "task": prepared.targets.task,
        "n": {part: len(getattr(split, part)) for part in ("train", "val", "test")},
        "test": test,
        "val": val,
        "baselines": fit_baselines(prepared, refit=refitted) if with_baselines else {},
        "training": {
            "refit": refitted,
            "epochs": trained.epochs,
            "best_epoch": trained.best_epoch,
            "stopped": trained.reason,
        },
        "seconds": {"train": round(trained.seconds, 3)},
    }
    for key in ("per_class", "per_target"):
        if key in test:
            metrics[key] = test.pop(key)
            val.pop(key)
    return metrics


def average(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Means and standard deviations over folds, and the folds themselves."""
    task = results[0]["task"]
    names = ("loss", *(REGRESSION if task == "regression" else CLASSIFICATION))

    def over_folds(parts: list[dict[str, Any]], statistic: Any) -> dict[str, float]:
        return {
            name: float(statistic([part[name] for part in parts if name in part]))
            for name in names
            if name in parts[0]
        }

    means = {
        part: over_folds([result[part] for result in results], np.mean) for part in ("test", "val")
    }
    return {
        "task": task,
        "n": {part: [result["n"][part] for result in results] for part in ("train", "val", "test")},
        **means,
        "test_std": over_folds([result["test"] for result in results], np.std),
        "baselines": {
            name: {
                part: over_folds([result["baselines"][name][part] for result in results], np.mean)
                for part in ("test", "val")
            }
            for name in results[0]["baselines"]
        },
        "folds": results,
        "seconds": {"train": round(sum(result["seconds"]["train"] for result in results), 3)},
    }


def plain(options: Any) -> dict[str, Any]:
    """The fields of options as YAML and JSON have them: lists and text, no tuples and no paths."""
    return {
        name: list(value)
        if isinstance(value, tuple)
        else str(value)
        if isinstance(value, Path)
        else value
        for name, value in asdict(options).items()
        if not isinstance(value, pd.DataFrame)
    }
