"""What ``bionn run`` does: files in; a trained, tested model, its scores and predictions out."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pandas.arrays import SparseArray
from rich.console import Console
from rich.markup import escape

from bionn import artifact
from bionn.baselines.all import fit_baselines
from bionn.baselines.choosing import Baseline, Rules
from bionn.bootstrap import Resampled
from bionn.data.audit import audit
from bionn.data.certificate import nearest_to_test_rows
from bionn.data.prepared import Prepared, prepare
from bionn.data.reading import as_list, read_samples
from bionn.data.samples import DataOptions, Source
from bionn.data.splits import make_splits
from bionn.data.targets import find_targets
from bionn.data.together import distinct_inputs
from bionn.errors import InputError, did_you_mean
from bionn.evaluate import average_folds, evaluate, prediction_tables, trust, uncertainty
from bionn.explain.folder import write_explanations
from bionn.formats.output import write_json, write_table
from bionn.memory import give_back
from bionn.predict import Predictor
from bionn.report.console import print_data, print_result, print_training
from bionn.report.folder import (
    ASKED,
    REPLACEABLE,
    check_directory,
    earlier_run,
    every_option,
    hash_of_splits,
    model_folder,
    plain,
    write_config,
    write_splits,
)
from bionn.report.folds import Finished, forget, keep, kept, test_rows
from bionn.report.page import write_page
from bionn.report.terminal import terminal
from bionn.report.tuned import Settled, as_found, searched, what_is_tuned
from bionn.report.unfinished import building
from bionn.subgroups import average_subgroups, subgroups
from bionn.training.ensemble import check_size, train_ensemble
from bionn.training.fit import Trained, check, tidy
from bionn.training.learning_curve import KEPT
from bionn.training.learning_curve import learning_curve as curve_of
from bionn.training.options import TrainingOptions, choose
from bionn.training.search import Search, default_space, parse_space
from bionn.validation import learned_on_validation


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
    resume: bool = False,
    baselines: bool = True,
    explain: bool = True,
    learning_curve: bool = False,
    tune: float | None = None,
    tuned: Sequence[Mapping[str, Any]] | None = None,
    progress: bool = True,
    **options: Any,
) -> RunResult:
    """Train and test a network on files, with no more options than the data force.

    Args:
        inputs: a FASTA file (with ``labels``), FASTA files of a class each, or a table.
        out: the run's directory; ``runs/<name of the input>`` when None.
        overwrite: replace the run that is there.
        resume: go on exactly where the same run was interrupted, if it was; nothing is done again if it
            is whole.
        baselines: fit and score the baselines too.
        explain: attributions of test samples, in ``explain/``; with folds, those of fold 0.
        learning_curve: train on shares of the training rows too, and score each; with folds, of fold 0.
        tune: minutes to search better settings in, on training and validation rows; with folds, shared
            among them, as each has settings of its own. What is given as an option stays as it is.
        tuned: what such a search found for each fold, as its ``config.yaml`` tells.
        progress: say what was chosen and draw progress bars.
        **options: the fields of :class:`bionn.data.samples.DataOptions` and of
            :class:`bionn.training.options.TrainingOptions`.

    Raises:
        InputError: bad input; nothing has been written then.
        Stopped: a signal came; tells whether the run can be resumed.
    """
    start = time.perf_counter()
    console = terminal(quiet=not progress, soft_wrap=True)
    sources = as_list(inputs)
    data_options, training_options = split_options(options)
    directory = check_directory(out, sources, overwrite, resume)

    samples, targets = find_targets(read_samples(sources, data_options), data_options)
    give_back()
    distinct = distinct_inputs(samples, data_options)
    splits = make_splits(samples, targets, data_options, distinct=distinct)
    nearest = nearest_to_test_rows(samples, splits, data_options, distinct=distinct)
    found = audit(samples, targets, splits, data_options, distinct=distinct, nearest=nearest)
    identity = None if nearest is None else SparseArray(nearest.identity)  # of test rows at most
    del distinct, nearest  # of a million rows some megabytes each
    give_back()
    first = prepare(samples, targets, splits[0], data_options)
    settled = choose(training_options, first)
    check(first, settled)
    check_size(settled.ensemble)
    print_data(console, samples, splits, found)
    print_training(console, first, settled)

    every = every_option(sources, data_options, settled)
    given = {name for name, value in options.items() if value is not None}
    space = default_space(first, given)
    every |= what_is_tuned(tune, tuned, space, len(splits))
    search_of = partial(
        Search, samples, targets, data=data_options, training=training_options, space=space
    )
    if resume and (there := earlier_run(directory, every, first.manifest(), overwrite)) is not None:
        console.print("resume: the run is whole, nothing is left to do")
        return told(console, directory, there)
    asked = {"baselines": baselines, "explain": explain, "learning_curve": learning_curve}
    same = {
        "options": every | asked,
        "data_sha256": first.data_hash(),
        "splits_sha256": hash_of_splits(samples, splits),
    }
    done: list[Finished] = []
    repeats, before = splits[-1].repeat + 1, 0.0
    with building(directory, same, resume=resume, replaceable=REPLACEABLE) as folder:
        write_config(folder, sources, data_options, settled, tuned=tuned)
        write_splits(folder, samples, splits)
        found["notes"] += getattr(first.encoder, "notes", ())
        write_json(found["split"], folder / "split.json")
        write_json(found, folder / "audit.json")
        for number, split in enumerate(splits):
            own = folder / f"fold_{number}" if len(splits) > 1 else folder
            finished = kept(own)
            if finished is None:
                prepared = prepare(samples, targets, split, data_options) if number else first
                how = Settled(prepared, settled)
                if tune is not None:
                    minutes = tune / len(splits)
                    how = searched(search_of(split=split), own, minutes=minutes, console=console)
                elif tuned is not None:
                    how = as_found(search_of(split=split), tuned[number])
                finished, earlier = train_and_test(
                    how,
                    own,
                    console=console,
                    baselines=baselines,
                    explain=explain and not number,
                    identity=None if split.repeat else identity,
                )
                before += earlier
            else:
                console.print(f"resume: {own.name if own != folder else 'the network'} is trained")
                before += finished.metrics["seconds"]["train"]
            done.append(finished)
        metrics = done[0].metrics
        if len(splits) > 1:
            results, resampled = zip(*done, strict=True)
            metrics = average_folds(list(results), resampled, repeats)
            metrics["subgroups"] = average_subgroups([result["subgroups"] for result in results])
            write_table(test_rows(folder, splits), folder / "predictions.tsv")
        asked_for = data_options, training_options
        if tune is not None:
            tuned = [finished.metrics["tuning"]["values"] for finished in done]
            write_json(every, folder / ASKED)
        if tuned is not None:
            search = search_of(split=splits[0])
            asked_for = search.asked(tuned[0])
            if len(splits) == 1:
                write_config(folder, sources, *search.settle(tuned[0]))
            else:
                write_config(folder, sources, data_options, settled, tuned=tuned)
        if learning_curve:
            metrics["learning_curve"] = curve_of(
                samples, targets, splits[0], *asked_for, console=console, kept=folder / KEPT
            )
        metrics["seconds"]["total"] = round(time.perf_counter() - start + before, 3)
        write_json(metrics, folder / "metrics.json")
        forget(folder)
        (folder / KEPT).unlink(missing_ok=True)
    return told(console, directory, metrics)


def told(console: Console, directory: Path, metrics: dict[str, Any]) -> RunResult:
    """Make the page of a whole run, if it is not there, and print its scores."""
    page = directory / "report.html"
    try:
        shown = f"page: {page if page.exists() else write_page(directory)}"
    except InputError as error:  # what has been trained is not lost for a page
        shown = f"warning: no page could be made: {error}"
    print_result(console, directory, metrics)
    console.print(escape(shown), style="bold")
    return RunResult(directory, metrics, Predictor(*artifact.load(model_folder(directory))))


def train_and_test(
    how: Settled,
    own: Path,
    *,
    console: Console,
    baselines: bool,
    explain: bool,
    identity: SparseArray | None,
) -> tuple[Finished, float]:
    """One split: the network trained, its model, scores, predictions and explanations written.

    Args:
        how: the data, and how to train.
        own: the folder of the split.
        console: what the progress is drawn on.
        baselines: fit and score the baselines too.
        explain: explain test samples too.
        identity: of each sample with the most alike one that it was not tested with; None if unknown.

    Returns:
        What the averages need, and the seconds of a training that was interrupted and went on.
    """
    prepared, settled, told = how
    trained = train_ensemble(prepared, settled, directory=own, console=console, resume=True)
    give_back()
    manifest = prepared.manifest() | {
        "training": plain(settled),
        "threads": torch.get_num_threads(),
    }
    rules = Rules(bool(settled.refit), balance(settled), settled.threshold, settled.seed)
    manifest |= learned_on_validation(
        trained.selected,
        prepared,
        manifest,
        weights=rules.weights(prepared),
        threshold=settled.threshold,
        calibrate=settled.calibrate,
    )
    predictor = Predictor(trained.model, manifest)
    selected = Predictor(trained.selected, manifest)
    artifact.save(own / "model", trained.model, manifest)
    fitted = fit_baselines(prepared, rules) if baselines else {}
    metrics, draws = score(predictor, selected, prepared, trained, baselines=fitted)
    if told is not None:
        metrics["tuning"] = told
    metrics["subgroups"] = subgroups(
        predictor,
        prepared,
        identity=None if identity is None else np.asarray(identity),
        seed=settled.seed,
    )
    give_back()
    write_table(prediction_tables(predictor, prepared, selected=selected), own / "predictions.tsv")
    write_json(metrics, own / "metrics.json")
    give_back()
    if explain:
        write_explanations(own, predictor, prepared)
        give_back()
    finished = Finished(metrics, draws)
    keep(own, finished)
    tidy(own)
    return finished, trained.seconds_before


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


def make_search(
    inputs: Sequence[Source],
    data: DataOptions,
    training: TrainingOptions,
    given: Collection[str],
    dimensions: Any = None,
) -> Search:
    """What a search over the first split of these files is over.

    Args:
        inputs: the files.
        data: options of the data.
        training: options of the network.
        given: names of options that are to stay as they are.
        dimensions: the space as a configuration tells it; every dimension that is not given when None.

    Raises:
        InputError: bad input, or a dimension that the data do not have.
    """
    samples, targets = find_targets(read_samples(as_list(inputs), data), data)
    split = make_splits(samples, targets, data)[0]
    space = default_space(prepare(samples, targets, split, data), given)
    if dimensions is not None:
        space = parse_space(dimensions, space)
    return Search(samples, targets, split, data, training, space)


def balance(options: TrainingOptions) -> str:
    """The weights of classes that training had the effect of."""
    return "balanced" if options.sampler == "balanced" else options.class_weight


def score(
    predictor: Predictor,
    selected: Predictor,
    prepared: Prepared,
    trained: Trained,
    *,
    baselines: Mapping[str, Baseline],
) -> tuple[dict[str, Any], dict[str, Resampled]]:
    """The contents of ``metrics.json`` for one split, and the resampled test scores of every model.

    Args:
        predictor: the model to use: its scores are those of the test rows.
        selected: the model that was chosen on the validation rows and has not seen them.
        prepared: the data.
        trained: how training went.
        baselines: the fitted baselines.
    """
    split, refitted = prepared.split, trained.model is not trained.selected
    test = evaluate(predictor, prepared, split.test)
    val = evaluate(selected, prepared, split.val)
    worth, resampled = uncertainty(predictor, prepared, test, baselines, seed=prepared.options.seed)
    metrics: dict[str, Any] = {
        "task": prepared.targets.task,
        "n": {part: len(getattr(split, part)) for part in ("train", "val", "test")},
        "test": test,
        "val": val,
        **worth,
        **trust(predictor, prepared),
        "training": {
            "refit": refitted,
            "epochs": trained.epochs,
            "best_epoch": trained.best_epoch,
            "stopped": trained.reason,
        },
        "seconds": {"train": round(trained.seconds, 3)},
    }
    if trained.health:
        metrics["health"] = list(trained.health)
    if trained.members:
        metrics["ensemble"] = score_members(trained, predictor, prepared)
    decision = predictor.decision
    if decision is not None and not decision.is_plain:
        metrics["decision"] = decision.to_manifest()
    for key in ("per_class", "per_target"):
        if key in test:
            metrics[key] = test.pop(key)
            val.pop(key)
    return metrics, resampled


def score_members(trained: Trained, predictor: Predictor, prepared: Prepared) -> dict[str, Any]:
    """How the networks of an ensemble do alone on the test rows: means and standard deviations."""
    rows, manifest = prepared.split.test, predictor.manifest
    alone = [
        evaluate(Predictor(member.model, manifest), prepared, rows) for member in trained.members
    ]
    names = [name for name, value in alone[0].items() if isinstance(value, float)]
    return {
        "members": len(alone),
        "test": {name: float(np.mean([scores[name] for scores in alone])) for name in names},
        "test_std": {name: float(np.std([scores[name] for scores in alone])) for name in names},
        "best_epochs": [member.best_epoch for member in trained.members],
    }
