"""How to have it again: the command, the settings, the versions, the fingerprints."""

from __future__ import annotations

from typing import Any

from bionn.report.run_files import Run

CONFIG = 20_000
"""The most characters of the configuration that the page holds."""

MAIN = (
    "hidden", "activation", "dropout", "input_dropout", "learning_rate", "weight_decay", "batch_size",
    "max_epochs", "patience", "refit", "class_weight", "sampler", "augment", "encoding", "seed",
    "device", "precision",
)  # fmt: skip


def settings(run: Run) -> dict[str, Any]:
    """What a colleague needs to repeat the run."""
    text = run.config_text
    options = (run.manifest.get("training") or {}) | run.config
    fingerprints = {
        "data": run.manifest.get("data_sha256"),
        "split": run.manifest.get("split_sha256"),
        "weights": run.manifest.get("weights_sha256"),
    }
    return {
        "command": "bionn run --config config.yaml --out AGAIN",
        "main": [
            (name.replace("_", " "), _shown(options[name])) for name in MAIN if name in options
        ],
        "note": "Of what was searched each fold has settings of its own, which stand under tuned in "
        "config.yaml; here are those that it would have had."
        if run.settings_by_fold
        else "",
        "config": text[:CONFIG],
        "config_left_out": max(0, len(text) - CONFIG),
        "versions": list((run.manifest.get("versions") or {}).items()),
        "fingerprints": [(name, value) for name, value in fingerprints.items() if value],
        "folds": bool(run.folds),
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return (
        {True: "yes", False: "no", None: "none"}.get(value, str(value))
        if not isinstance(value, (int, float)) or isinstance(value, bool)
        else f"{value:g}"
    )
