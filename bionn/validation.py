"""What the validation rows decide beside the epoch: temperature, decision, conformal thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bionn.calibration import Calibration, log_loss
from bionn.conformal import Conformal
from bionn.data.prepared import Prepared
from bionn.models.decision import choose_decision
from bionn.predict import Predictor


def calibrated_loss(
    selected: torch.nn.Module, prepared: Prepared, *, calibrate: bool | None = None
) -> float:
    """The cross-entropy of the validation rows as a run reports it: with the temperature, if applied.

    Networks are compared by it that differ in how sure of themselves they are: one number mends that.

    Args:
        selected: a classifier that was not fitted to those rows.
        prepared: the data.
        calibrate: whether to apply the temperature; as its gain says when None.
    """
    rows = prepared.split.val
    truth = prepared.targets.values[rows]
    predictor = Predictor(selected, prepared.manifest())
    logits = predictor.logits(prepared.inputs, rows).double().numpy()
    return log_loss(logits / Calibration.fit(logits, truth, asked=calibrate).divisor, truth)


def learned_on_validation(
    selected: torch.nn.Module,
    prepared: Prepared,
    manifest: dict[str, Any],
    *,
    weights: np.ndarray | None = None,
    threshold: str | float | None = None,
    calibrate: bool | None = None,
) -> dict[str, Any]:
    """The keys of a manifest that say how logits become probabilities, classes, sets and intervals.

    All are from the network that was chosen on the validation rows and was not fitted to them. Where the
    training was then repeated with those rows, the network that is used is another one, for which they
    hold as far as the two are alike; without a refit they hold as they say.

    Args:
        selected: that network.
        prepared: the data.
        manifest: as :meth:`Prepared.manifest` makes it.
        weights: of the classes in training; see :func:`bionn.models.decision.choose_decision`.
        threshold: asked for.
        calibrate: whether to apply the temperature; as its gain says when None.
    """
    rows = prepared.split.val
    truth = prepared.targets.values[rows]
    predictor = Predictor(selected, manifest)
    logits = predictor.logits(prepared.inputs, rows)
    if predictor.target_scaler is not None:
        values = predictor.outputs_of(logits)
        found = Conformal.of_values(values, truth, predictor.target_names, predictor.target_scaler)
        return {"conformal": found.to_manifest()}
    calibration = Calibration.fit(logits.double().numpy(), truth, asked=calibrate)
    predictor = Predictor(selected, manifest | {"calibration": calibration._asdict()})
    chances = predictor.outputs_of(logits)
    return {
        "calibration": calibration._asdict(),
        "decision": choose_decision(threshold, weights, chances, truth).to_manifest(),
        "conformal": Conformal.of_classes(chances, truth, predictor.classes).to_manifest(),
    }
