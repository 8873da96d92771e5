"""``bionn explain``: a model and samples in; attributions, mutagenesis, motifs and logos out."""

from __future__ import annotations

from argparse import BooleanOptionalAction, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bionn.cli.parser import Parser, noted
from bionn.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from bionn.predict import Predictor


def make_parser() -> Parser:
    """The parser of ``bionn explain``."""
    parser = Parser(
        prog="bionn explain",
        description="What a model looks at: letter by letter, and as motifs; or feature by feature.",
    )
    parser.add_argument("model", metavar="MODEL", help="a run's folder, or the model folder in it")
    parser.add_argument("input", metavar="INPUT", help="FASTA, FASTQ or a table, as for predict")
    parser.add_argument("--out", required=True, metavar="DIR", help="a new folder for the results")
    parser.add_argument(
        "--output", metavar="NAME", help="the class or target to explain (default: the first)"
    )
    parser.add_argument(
        "--method",
        metavar="M",
        help="deep_lift (default), expected_gradients, integrated_gradients, input_x_gradient or "
        "mutagenesis (default for k-mers)",
    )
    parser.add_argument(
        "--backgrounds", type=int, default=20, metavar="B", help="shuffles a sequence (default 20)"
    )
    parser.add_argument(
        "--limit", type=int, default=1000, metavar="N", help="samples to explain (default 1000)"
    )
    parser.add_argument(
        "--logos", type=int, default=10, metavar="N", help="sequences to draw (default 10)"
    )
    parser.add_argument(
        "--motifs",
        default="seqlets",
        metavar="HOW",
        help="seqlets (default), or modisco: by tfmodisco-lite (needs bionn[motifs])",
    )
    parser.add_argument(
        "--format", choices=("png", "svg"), default="png", help="of the logos (default png)"
    )
    parser.add_argument(
        "--both-strands",
        action=BooleanOptionalAction,
        default=None,
        help="explain the mean of both strands (default: as in training)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the shuffles")
    parser.add_argument("--device", default="cpu", help="auto, cpu, gpu, ...")
    parser.add_argument(
        "--overwrite", action="store_true", help="write into a folder that is there"
    )
    return parser


def explain(arguments: Sequence[str]) -> int:
    """Parse, load, explain."""
    given = make_parser().parse(arguments)
    for name in ("backgrounds", "limit", "logos"):
        if getattr(given, name) < (name == "limit"):
            raise InputError(f"{name}: a number from 0 needed, from 1 for limit; choose more")
    out = Path(given.out)
    if out.exists() and not (out.is_dir() and given.overwrite):
        raise InputError(f"{out}: already there; choose another folder, or pass --overwrite")

    from bionn.loading import load
    from bionn.preprocess.features import FeatureEncoder

    predictor = load(given.model, device=given.device, both_strands=given.both_strands)
    with noted():
        ids, inputs = predictor.encode(given.input)
        if len(ids) > given.limit:
            print(f"explaining the first {given.limit} of {len(ids)} samples (--limit)")
        ids, inputs = ids[: given.limit], inputs[: given.limit]
        if isinstance(predictor.encoder, FeatureEncoder):
            _features(given, predictor, inputs, out)
        else:
            _sequences(given, predictor, ids, inputs, out)
    print(f"files: {out}/")
    return 0


def _features(given: Namespace, predictor: Predictor, inputs: Tensor, out: Path) -> None:
    """A row a feature, by gradient."""
    from bionn.explain.features import feature_table
    from bionn.formats.output import write_table

    if given.method not in (None, "input_x_gradient") or given.output is not None:
        raise InputError(
            "method, output: features are explained by input_x_gradient, for every output; leave them "
            "out"
        )
    write_table(feature_table(predictor, inputs), out / "features.tsv")


def _sequences(
    given: Namespace, predictor: Predictor, ids: list[str], codes: Tensor, out: Path
) -> None:
    """Attributions and mutagenesis of every sequence, motifs, logos of some."""
    import numpy as np
    import pandas as pd

    from bionn.explain.model_motifs import (
        check_finder,
        model_motifs,
        motif_records,
        write_motifs,
    )
    from bionn.explain.trained import SequenceExplainer, output_names, output_weights
    from bionn.formats.output import replacing, write_table
    from bionn.report.logos import draw_logo, information

    explainer = SequenceExplainer(
        predictor, method=given.method, backgrounds=given.backgrounds, seed=given.seed
    )
    check_finder(given.motifs, explainer.encoder.symbols.letters)
    output = given.output or output_names(predictor)[0]
    weights = output_weights(predictor, output)
    effects = explainer.effects(codes, weights)
    scores = explainer.scores(codes, weights, effects=effects)
    symbols = explainer.encoder.symbols
    frame = predictor.frame(ids, predictor.outputs(codes))
    frame.insert(1, "row", np.arange(len(ids)))
    frame.insert(2, "sequence", pd.Series(symbols.decode(codes.numpy()), dtype=object))
    write_table(frame, out / "samples.tsv")
    with replacing(out / "attributions.npz", binary=True) as file:
        np.savez_compressed(
            file,
            contributions=scores.contributions.numpy(),
            hypothetical=scores.hypothetical.numpy(),
            mutagenesis=effects.numpy(),
            codes=codes.numpy(),
            ids=np.array(ids, dtype=str),
            letters=np.array(symbols.letters),
            output=np.array(output),
            method=np.array(explainer.method),
        )
    searched = SequenceExplainer(predictor, method=given.method, backgrounds=0, seed=given.seed)
    found = model_motifs(searched, codes, outputs=[output], seed=given.seed, finder=given.motifs)
    write_motifs(found, out, both_strands=explainer.encoder.both_strands)
    records = motif_records(found)
    print(
        f"{len(ids)} sequences explained for {output!r} by {explainer.method}; {len(records)} motifs"
    )
    for record in records:
        print(f"  {record['name']}: {record['consensus']}, {record['seqlets']} seqlets")
        path = out / "logos" / f"{record['name']}.{given.format}"
        heights = information(np.array(record["matrix"]))
        draw_logo(heights, symbols.letters, path, title=record["name"], axis="bits")
    there = codes.numpy()[:, :, None] == np.arange(len(symbols.letters))
    for row, name in enumerate(ids[: given.logos]):
        values = there[row] * scores.contributions[row].numpy()[:, None]
        path = out / "logos" / f"sequence_{row}.{given.format}"
        draw_logo(values, symbols.letters, path, title=f"{name}: {output}", axis="contribution")
