"""The network drawn, and how its training went."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from bionn.models.spec import networks_of
from bionn.report.figures.network import Layer, network
from bionn.report.figures.training import losses, others, search
from bionn.report.run_files import Run
from bionn.report.tuning import shown_value
from bionn.report.wording import DASH, counted, listed, number, short

LINKS = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}


def architecture(run: Run) -> dict[str, Any] | None:
    """Its layers with sizes and activations, and what its inputs are."""
    networks = networks_of(run.manifest["model"]) if run.manifest.get("model") else []
    arguments = networks[0].get("init_args") if networks else None
    if not arguments:
        return None
    entry = arguments["in_features"]
    size = entry if isinstance(entry, int) else math.prod(entry)
    hidden = list(arguments.get("hidden_features") or [])
    outputs = arguments.get("out_features") or arguments.get("num_classes") or 1
    widths = [size, *hidden, outputs]
    weights = sum(a * b for a, b in pairwise(widths))
    biases = sum(widths[1:]) * (arguments.get("bias", True) is not False)
    below = [f"{size:,} numbers"]
    if not isinstance(entry, int):
        below += [f"{entry[1]:,} positions", f"× {entry[0]} letters"]
    layers = [Layer(size, "input", below + _dropout(arguments.get("input_dropout")))]
    for k, width in enumerate(hidden):
        name = f"hidden {k + 1}" if len(hidden) > 1 else "hidden"
        words = [counted(width, "unit"), arguments.get("activation", "")]
        layers.append(Layer(width, name, words + _dropout(arguments.get("dropout"))))
    end = [counted(outputs, "logit" if not run.is_regression else "value"), LINKS[run.task]]
    layers.append(Layer(outputs, "output", end))
    return {
        "figure": network(layers, weights + biases),
        "inputs": inputs_in_words(run),
        "outputs": outputs_in_words(run),
        "whose": "This is the network of the first fold; each fold has settings of its own."
        if run.settings_by_fold
        else "",
        "members": len(networks),
    }


def inputs_in_words(run: Run) -> str:
    """What enters the network."""
    found = run.manifest.get("input") or {}
    if found.get("kind") == "sequence":
        encoding = found.get("encoding", "onehot")
        how = "one-hot: a 1 for the letter that is there" if encoding == "onehot" else encoding
        aligned = f", aligned {found['align']}" if found.get("align") else ""
        strands = " Predictions are means over both strands." if found.get("both_strands") else ""
        return (
            f"Sequences of {counted(found.get('length') or 0, 'letter')} of {found.get('alphabet')}"
            f"{aligned}, {how}.{strands}"
        )
    steps = [step["step"] for step in found.get("steps") or [] if step.get("step") != "selection"]
    names = [short(name, 30) for name in found.get("features") or []]
    done = f" Prepared by {listed(steps)}, fitted on the training rows." if steps else ""
    return f"{counted(len(names), 'feature')}: {listed(names, 12)}.{done}" if names else ""


def outputs_in_words(run: Run) -> str:
    """What leaves it."""
    if run.is_regression:
        names = [short(name, 40) for name in run.targets]
        return f"Values of {listed(names, 8)}, in their own units." if names else ""
    names = [short(name, 40) for name in run.classes]
    if run.task == "binary" and len(names) == 2:
        return f"The probability of {names[1]}, against {names[0]}."
    return f"The probabilities of {listed(names, 12)}." if names else ""


def _dropout(share: float | None) -> list[str]:
    return [f"dropout {share:g}"] if share else []


def tuning(run: Run) -> dict[str, Any] | None:
    """What a search chose, by which validation loss, beside what would have been taken otherwise."""
    own = run.folds or [run.metrics]
    found = [fold["tuning"] for fold in own if fold.get("tuning")]
    if not found:
        return None
    names = list(dict.fromkeys(name for one in found for name in one["values"]))
    share = [one.get("importance") or {} for one in found]
    rows = [
        [
            name.replace("_", " "),
            shown_value(found[0]["first"].get(name)),
            *(shown_value(one["values"].get(name)) for one in found),
            number(float(np.mean(known)))
            if (known := [s[name] for s in share if name in s])
            else DASH,
        ]
        for name in names
    ]
    chosen = [f"fold {k}" for k in range(len(found))] if len(found) > 1 else ["chosen"]
    firsts = [one["first_val_loss"] for one in found]
    first = None if None in firsts else float(np.mean(firsts))
    figure = search(run.trials, first)
    return {
        "sentences": _search_in_words(found, first),
        "caption": "Every choice that was searched; importance is its share of the loss's variance",
        "head": ["choice", "otherwise", *chosen, "importance"],
        "rows": rows,
        "figures": [] if figure is None else [figure],
    }


def _search_in_words(found: list[dict[str, Any]], first: float | None) -> list[str]:
    counts = [sum(one["trials"].values()) for one in found]
    given_up = sum(one["trials"].get("pruned", 0) for one in found)
    folds = f" over {len(found)} folds, for each by its own rows," if len(found) > 1 else ""
    dropped = f", {given_up:,} of them given up on the way" if given_up else ""
    best = number(float(np.mean([one["val_loss"] for one in found])), 4)
    sentence = (
        f"{counted(sum(counts), 'setting')}{folds} {'was' if sum(counts) == 1 else 'were'} tried on "
        f"training and validation rows{dropped}. The best validation loss is {best}"
    )
    mean = " (means over the folds)" if len(found) > 1 else ""
    beside = "" if first is None else f"; the settings taken otherwise have {number(first, 4)}"
    return [
        f"{sentence}{beside}{mean}.",
        "It is the best of many, and so a little too good to be true; no test row was looked at, so "
        "that the test scores are not.",
    ]


def training(run: Run) -> dict[str, Any] | None:
    """The curves, and in words how long, how and why it ended."""
    own = run.folds or [run.metrics]
    facts = [fold.get("training") or {} for fold in own]
    best = [
        epoch
        for fold, fact in zip(own, facts, strict=True)
        for epoch in (fold.get("ensemble") or {}).get("best_epochs") or [fact.get("best_epoch")]
    ]
    figures = [losses(run.histories, best)] if len(best) == len(run.histories) else []
    figures = [figure for figure in figures if figure is not None]
    figures += others(run.histories) if run.histories else []
    sentences = _sentences(run, facts)
    if not figures and not sentences:
        return None
    return {"figures": figures, "sentences": sentences}


def _sentences(run: Run, facts: list[dict[str, Any]]) -> list[str]:
    options = run.manifest.get("training") or {}
    sentences = []
    if options:
        first = ", in the first fold" if run.settings_by_fold else ""
        sentences.append(
            f"AdamW under a one-cycle schedule{first}: "
            f"learning rate up to {options.get('learning_rate'):.3g}, "
            f"weight decay {options.get('weight_decay'):.3g}, {_batches(options.get('batch_size'))}, "
            f"at most {counted(options.get('max_epochs') or 0, 'epoch')}."
        )
    members = (run.metrics.get("ensemble") or {}).get("members")
    if len(facts) == 1 and facts[0]:
        fact = facts[0]
        if members:
            epochs = [str(epoch) for epoch in run.metrics["ensemble"].get("best_epochs") or []]
            sentences.append(
                f"{members} networks were trained, each from a seed of its own; on the validation rows "
                f"their best epochs were {listed(epochs, 20)}."
            )
        else:
            sentences.append(
                f"It ended after {counted(fact.get('epochs', 0), 'epoch')} ({fact.get('stopped')}); "
                f"the network of epoch {fact.get('best_epoch')} was the best on the validation rows."
            )
    elif facts[0]:
        epochs = [str(fact.get("best_epoch")) for fact in facts]
        sentences.append(f"The best epochs of the folds: {listed(epochs, 20)}.")
    if any(fact.get("refit") for fact in facts):
        sentences.append(
            "The model was then trained once more, for as many epochs, on training and validation "
            "rows together: it is that one which was tested."
        )
    seconds = run.metrics.get("seconds") or {}
    if seconds.get("train") is not None:
        total = f" of {number(seconds['total'], 1)} s in all" if seconds.get("total") else ""
        sentences.append(f"Training took {number(seconds['train'], 1)} s{total}.")
    return sentences


def _batches(size: Any) -> str:
    return "all rows at each step" if size == "full" else f"{size} rows a step"
