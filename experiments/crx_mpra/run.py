"""Strong enhancers against silencers bound by CRX in mouse photoreceptors, 164 bp: k-mers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bionn.formats.fasta import read_fasta
from experiments.common import Score, folds_of, main, run_seeds, score

NAME = "crx_mpra"


def experiment(
    data: Path, out: Path, seeds: Sequence[int], more: Mapping[str, Any] | None = None
) -> list[Score]:
    """Five folds a seed; folds are by locus, so that a wild type and its mutants stay together."""
    records = read_fasta(data / NAME / "library1And2.fasta")
    table = pd.DataFrame({"id": records.ids, "sequence": list(records.sequences)})
    measured = pd.read_csv(data / NAME / "rhoActivityJoinedAnnotated.txt", sep="\t")
    table = table.merge(measured.rename(columns={"label": "id"}), on="id")
    table = table.merge(folds_of(NAME), on="id")[["id", "sequence", "group_name", "fold"]]
    path = out / "crx.tsv"
    table.dropna().to_csv(path, sep="\t", index=False)
    results = run_seeds(NAME, path, out, seeds=seeds, more=more)
    return [score(results, "auroc", label="auroc, kmer:5,canonical", to_reach=0.80, published="-")]


if __name__ == "__main__":
    main(NAME, experiment)
