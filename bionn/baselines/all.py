"""Every baseline that a set calls for."""

from __future__ import annotations

from bionn.baselines.choosing import Baseline, Rules
from bionn.baselines.constant import constant
from bionn.baselines.forest import forest
from bionn.baselines.linear import kmer, linear
from bionn.data.prepared import Prepared


def fit_baselines(prepared: Prepared, rules: Rules) -> dict[str, Baseline]:
    """The baselines by name.

    Args:
        prepared: the data.
        rules: what is asked of the network and therefore of them.

    Returns:
        ``majority`` (the training shares of the classes) or ``mean``; ``linear`` on the network's own
        inputs; and, of sequences, ``kmer``: linear on k-mers; of tables, ``forest``.
    """
    first = "mean" if prepared.targets.task == "regression" else "majority"
    found = {first: constant(prepared), "linear": linear(prepared, rules)}
    if prepared.samples.features is None:
        return found | {"kmer": kmer(prepared, rules)}
    return found | {"forest": forest(prepared, rules)}
