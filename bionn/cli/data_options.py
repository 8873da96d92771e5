"""The options about data, which every verb that reads labelled samples has."""

from __future__ import annotations

from argparse import BooleanOptionalAction

from bionn.cli.parser import Parser, shares, words


def add_data_options(parser: Parser) -> None:
    """Add those of :class:`bionn.data.samples.DataOptions`, in groups of their own."""
    data = parser.add_argument_group("data")
    data.add_argument("--labels", metavar="TABLE", help="table with a row an id")
    data.add_argument("--target", nargs="+", metavar="COL", help="column(s) to predict")
    data.add_argument("--id-column", metavar="COL", help="column of ids")
    data.add_argument(
        "--id", dest="id_rule", choices=("first", "full"), help="part of a FASTA header"
    )
    data.add_argument(
        "--sequence-column", nargs="+", metavar="COL", help="column of sequences, or its pieces"
    )
    data.add_argument(
        "--label-pattern", metavar="REGEX", help="named groups in FASTA headers are columns"
    )
    data.add_argument("--orient", help="rows of a table: samples, genes or auto (by the names)")
    data.add_argument("--genome", metavar="FASTA", help="what the regions of BED inputs are of")
    data.add_argument("--window", type=int, metavar="W", help="positions around a region's middle")
    data.add_argument("--features", nargs="+", metavar="COL", help="feature columns")
    data.add_argument("--columns", type=words, metavar="A,B", help="names for a headerless table")
    data.add_argument("--classes", type=words, metavar="A,B", help="keep only these classes")
    data.add_argument("--task", help="auto, binary, multiclass or regression")
    data.add_argument("--val", metavar="FILE", help="validation samples")
    data.add_argument("--test", metavar="FILE", help="test samples")
    data.add_argument(
        "--split",
        metavar="KIND",
        help="stratified, random, group, chromosome, homology or leave-one-group-out",
    )
    data.add_argument("--split-column", metavar="COL", help="column of train / val / test")
    data.add_argument("--fold-column", metavar="COL", help="column of folds 0..K-1, or drop")
    data.add_argument("--folds", type=int, metavar="K", help="cross-validate with K folds")
    data.add_argument("--repeats", type=int, metavar="R", help="make the folds R times, averaged")
    data.add_argument("--group-column", metavar="COL", help="rows of one group stay together")
    data.add_argument("--group-pattern", metavar="REGEX", help="group: first group of it in the id")
    for part in ("val", "test"):
        data.add_argument(
            f"--{part}-chromosomes", nargs="+", metavar="CHR", help=f"whole chromosomes for {part}"
        )
    data.add_argument(
        "--identity",
        type=float,
        metavar="I",
        help="homology: this alike or more stay together (.8)",
    )
    data.add_argument("--fractions", type=shares, metavar=".8,.1,.1", help="train, val, test")
    data.add_argument("--length", type=int, metavar="L", help="cut or pad sequences to L")
    data.add_argument("--align", help="left, center or right, for sequences of unequal length")
    data.add_argument("--alphabet", help="dna, rna, protein or custom:LETTERS")
    data.add_argument("--unknown", help="N and X: zero, uniform or error")
    data.add_argument("--iupac", help="R, Y, ...: expand, unknown or error")
    data.add_argument(
        "--encoding",
        metavar="E",
        help="onehot, kmer:K, kmer:K-K or onehot+kmer:K; after K: ,canonical ,frequency",
    )
    data.add_argument(
        "--both-strands",
        action=BooleanOptionalAction,
        default=None,
        help="average predictions over a sequence and its reverse complement",
    )
    data.add_argument(
        "--allow-missing", action="store_true", default=None, help="leave out what has no partner"
    )
    table = parser.add_argument_group("features and targets that are numbers")
    table.add_argument(
        "--transform",
        metavar="T",
        help="zscore (default), log1p, cpm, log-cpm (and then zscore), quantile, none",
    )
    table.add_argument("--impute", help="missing features: median (default), model or error")
    table.add_argument(
        "--missing-indicators",
        action="store_true",
        default=None,
        help="tell the network which features were missing",
    )
    table.add_argument("--top-genes", type=int, metavar="N", help="keep the N most variable")
    table.add_argument("--batch-column", metavar="COL", help="column of batches")
    table.add_argument("--batch-effect", help="one-hot (default): as inputs; center: taken out")
    table.add_argument(
        "--target-transform", help="zscore (default), log1p (and then zscore) or none"
    )
