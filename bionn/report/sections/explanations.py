"""What the network looks at: examples with logos and substitution maps, motifs, important features."""

from __future__ import annotations

from typing import Any

import numpy as np

from bionn.report.figures.scores import importances
from bionn.report.figures.sequences import attribution_map, glyph_definitions, motif_logo
from bionn.report.run_files import Run
from bionn.report.wording import number, short

EXAMPLES, MOTIFS, FEATURES = 24, 24, 20
STRONGEST = 8
"""Substitutions that are listed in words."""

COLUMNS = 8
"""The most columns of the table of features."""

POSITIONS = 320
"""The most positions of an example that are drawn."""


def examples(run: Run) -> dict[str, Any] | None:
    """Each example with its logo, its map, and its strongest substitutions."""
    shown = [
        e for e in (_example(entry, run, k) for k, entry in enumerate(run.examples[:EXAMPLES])) if e
    ]
    if not shown:
        return None
    letters = set(run.letters) | {c for e in shown for c in e["letters_used"]}
    return {
        "glyphs": glyph_definitions(sorted(letters)),
        "examples": shown,
        "whose": _whose(run),
        "unit": "value" if run.is_regression else "logit",
        "shifted": any(entry.get("start") for entry in run.examples),
    }


def _whose(run: Run) -> str:
    """Of folds only the first one's network is explained."""
    return " to the network of the first fold" if run.folds else ""


def _example(entry: dict[str, Any], run: Run, place: int) -> dict[str, Any] | None:
    sequence = str(entry.get("sequence", ""))
    letters = run.letters or "ACGT"
    attribution = _vector(entry.get("attribution"), len(sequence))
    effects = _matrix(entry.get("mutagenesis"), len(sequence), len(letters))
    if not sequence or (attribution is None and effects is None):
        return None
    window = _window(attribution, effects, len(sequence))
    start = int(entry.get("start", 0)) + 1
    cut = sequence[window]
    drawn, geometry = attribution_map(
        cut,
        None if attribution is None else attribution[window],
        None if effects is None else effects[window],
        letters,
        start=start + window.start,
        label=f"{entry.get('id')}: how much each position speaks for {entry.get('class')}, and what "
        "each substitution would change.",
    )
    strongest = [] if effects is None else _strongest(sequence, effects, letters, start)
    return {
        "number": place,
        "id": short(entry.get("id", "")),
        "why": entry.get("why", ""),
        "output": short(entry.get("class", ""), 40),
        "truth": _told(entry.get("target")),
        "called": _told(entry.get("prediction", entry.get("value"))),
        "chance": entry.get("probability"),
        "drawing": drawn,
        "strongest": strongest,
        "letters_used": set(cut.upper()),
        "window": f"Positions {start + window.start:,} to {start + window.stop - 1:,} of "
        f"{len(sequence):,}, where the effects are largest."
        if window.stop - window.start < len(sequence)
        else "",
        "data": None
        if effects is None
        else {
            **geometry,
            "sequence": cut,
            "start": start + window.start,
            "letters": letters,
            "effects": [
                [float(f"{value:.4g}") for value in row] for row in effects[window].tolist()
            ],
        },
    }


def _window(attribution: np.ndarray | None, effects: np.ndarray | None, length: int) -> slice:
    """The positions to draw: all, or of long sequences those with the largest effects in sum."""
    if length <= POSITIONS:
        return slice(0, length)
    strength = np.zeros(length)
    if effects is not None:
        strength = np.abs(effects).max(axis=1)
    elif attribution is not None:
        strength = np.abs(attribution)
    sums = np.convolve(strength, np.ones(POSITIONS), mode="valid")
    first = int(np.argmax(sums))
    return slice(first, first + POSITIONS)


def _strongest(
    sequence: str, effects: np.ndarray, letters: str, start: int
) -> list[dict[str, str]]:
    order = np.argsort(-np.abs(effects), axis=None, kind="stable")[:STRONGEST]
    places = [divmod(int(k), len(letters)) for k in order]
    return [
        {
            "position": str(start + position),
            "from": sequence[position],
            "to": letters[letter],
            "change": f"{effects[position, letter]:+.3g}".replace("-", "−"),
        }
        for position, letter in places
        if effects[position, letter]
    ]


def _told(value: Any) -> str:
    return number(value) if isinstance(value, float) else short(value, 40)


def _vector(values: Any, length: int) -> np.ndarray | None:
    array = np.array(values if values is not None else [], dtype=float)
    return np.nan_to_num(array) if array.shape == (length,) else None


def _matrix(values: Any, length: int, letters: int) -> np.ndarray | None:
    """``(L, A)``, whichever of the two comes first in the file."""
    array = np.array(values if values is not None else [], dtype=float)
    if array.shape == (letters, length):
        array = array.T
    return np.nan_to_num(array) if array.shape == (length, letters) else None


def motifs(run: Run) -> dict[str, Any] | None:
    """Logos of what recurs."""
    letters, shown = run.letters or "ACGT", []
    for entry in run.motifs[:MOTIFS]:
        matrix = np.array(entry.get("matrix") or [], dtype=float)
        if matrix.ndim == 2 and matrix.shape[1] != len(letters):
            matrix = matrix.T
        if matrix.ndim != 2 or matrix.shape[1] != len(letters):
            continue
        name = short(entry.get("name", ""))
        consensus = short(entry.get("consensus", ""))
        label = f"Motif {name}: {consensus}."
        shown.append(
            {
                "name": name,
                "drawing": motif_logo(np.clip(np.nan_to_num(matrix), 0, None), letters, label),
                "consensus": consensus,
                "seqlets": entry.get("seqlets", entry.get("n_seqlets")),
                "output": short(entry.get("output", ""), 40),
                "speaks": "against" if entry.get("sign", 1) < 0 else "for",
            }
        )
    if not shown:
        return None
    needed = not run.examples  # else the examples' section holds the letters' outlines
    return {
        "motifs": shown,
        "whose": _whose(run),
        "left_out": max(0, len(run.motifs) - MOTIFS),
        "glyphs": glyph_definitions(sorted(set(letters))) if needed else "",
    }


def features(run: Run) -> dict[str, Any] | None:
    """The features whose exchange between rows raises the loss most."""
    table = run.features
    if table is None or "feature" not in table or "importance" not in table:
        return None
    numbers = [name for name in table.columns if name != "feature"][:COLUMNS]
    top = table[table["importance"].notna()].head(FEATURES)
    rows = [
        (str(name), float(mean), float(std))
        for name, mean, std in zip(
            top["feature"], top["importance"], top["importance_std"], strict=True
        )
    ]
    return {
        "whose": _whose(run),
        "figures": [importances(rows, "Rise of the loss when shuffled")] if rows else [],
        "columns": [name.replace("_", " ") for name in numbers],
        "rows": [
            {"name": short(row["feature"]), "cells": [number(float(row[name])) for name in numbers]}
            for _, row in table.head(10 * FEATURES).iterrows()
        ],
        "total": len(table),
        "shown": min(len(table), 10 * FEATURES),
    }
