"""Logistic regression or ridge by scikit-learn, on the network's own inputs or on k-mers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from bionn.baselines.choosing import (
    PLAIN,
    Baseline,
    Fitted,
    Rules,
    as_they_come,
    best_of,
    one_column_of_two,
    with_gaps,
)
from bionn.data.prepared import Prepared
from bionn.preprocess.encoding import Encoding
from bionn.preprocess.sequences import SequenceEncoder
from bionn.sequences.onehot import one_hot

Matrix = np.ndarray | csr_matrix

LOGISTIC_CS = (0.01, 0.1, 1.0)
"""Logistic regression's C, chosen by validation loss."""

KMER_CS = (0.001, 0.01, 0.1)
"""The same on k-mers, which are many and need to be held back more."""

ITERATIONS = 300
"""The most iterations of the logistic regression's optimiser; said where it needed more."""

RIDGE_ALPHAS = (1.0, 10.0, 100.0, 1000.0)
"""Ridge's alpha, chosen by validation error."""

KMER_ALPHAS = (10.0, 100.0, 1000.0, 10_000.0)
"""The same on k-mers."""

ONE_HOT_NUMBERS = 2**26
"""Models on one-hot inputs are fitted to rows of no more numbers in all: 256 MB."""

BLOCK_NUMBERS = 2**22
"""So many numbers are made of codes at a time."""

KMER_COLUMNS = 8192
"""The most k-mers of one K that the k-mer baseline counts."""

KMER_SIZES = 3
"""It tries so many values of K, the largest that these columns allow."""

KMER_SYMBOLS = 20_000_000
"""It is fitted to rows of no more symbols in all: 12 bytes of memory each."""


@dataclass(frozen=True)
class Linear:
    """One linear model on one kind of inputs.

    Attributes:
        prepared: the data.
        inputs: from row numbers to a matrix ``(n, F)``.
        kind: what to call the model.
        penalty: C of logistic regression, alpha of ridge.
        weights: of the classes in the loss.
        most_rows: of more training rows so many are drawn.
        seed: of the drawing.
    """

    prepared: Prepared
    inputs: Callable[[np.ndarray], Matrix]
    kind: str
    penalty: float
    weights: np.ndarray | None = None
    most_rows: int | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """The model and its penalty."""
        letter = "alpha" if self.prepared.targets.task == "regression" else "C"
        return f"{self.kind}, {letter} {self.penalty:g}"

    def fit(self, rows: np.ndarray) -> Fitted:
        """Fit to these rows, or to as many of them as may be."""
        note = ""
        if self.most_rows is not None and len(rows) > self.most_rows:
            note = f"on {self.most_rows} of {len(rows)} rows"
            drawn = np.random.default_rng(self.seed).choice(
                len(rows), self.most_rows, replace=False
            )
            rows = rows[np.sort(drawn)]
        values = self.prepared.targets.values
        if values.ndim == 2:
            return Fitted(with_gaps(self._ridge, rows, values), note)
        each = None if self.weights is None else dict(enumerate(self.weights.tolist()))
        model = LogisticRegression(C=self.penalty, max_iter=ITERATIONS, class_weight=each)
        # BLAS now and then leaves a flag behind that makes NumPy warn of finite numbers (numpy#24067)
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(self.inputs(rows), values[rows])
        if model.n_iter_.max() >= ITERATIONS:
            note = ", ".join(filter(None, (note, f"stopped after {ITERATIONS} iterations")))

        def outputs(asked: np.ndarray) -> np.ndarray:
            chances = self._in_blocks(model.predict_proba, asked).astype(np.float64)
            return one_column_of_two(as_they_come(chances, self.weights))

        return Fitted(outputs, note)

    def _ridge(self, rows: np.ndarray, values: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        model = Ridge(alpha=self.penalty).fit(self.inputs(rows), values)
        return lambda asked: self._in_blocks(model.predict, asked)

    def _in_blocks(self, predict: Callable[[Matrix], np.ndarray], asked: np.ndarray) -> np.ndarray:
        """Predictions of rows, of so many at a time as it may be fitted to."""
        parts = math.ceil(len(asked) / self.most_rows) if self.most_rows else 1
        blocks = np.array_split(asked, max(parts, 1))
        return np.concatenate([predict(self.inputs(rows)) for rows in blocks])


def linear(prepared: Prepared, rules: Rules = PLAIN) -> Baseline:
    """Logistic regression or ridge on the network's inputs, its penalty chosen."""
    inputs, most_rows = _inputs(prepared)
    regression = prepared.targets.task == "regression"
    weights = rules.weights(prepared)
    return best_of(
        prepared,
        [
            Linear(
                prepared,
                inputs,
                "ridge" if regression else "logistic regression",
                penalty,
                weights,
                most_rows,
                rules.seed,
            )
            for penalty in (RIDGE_ALPHAS if regression else LOGISTIC_CS)
        ],
        rules,
    )


def kmer(prepared: Prepared, rules: Rules = PLAIN) -> Baseline:
    """The same on counts of k-mers, K and penalty chosen together.

    A k-mer and its reverse complement are one where the network is told so, or reads both strands.
    """
    return best_of(prepared, _kmer_candidates(prepared, rules), rules)


def kmer_sizes(letters: int, length: int) -> Sequence[int]:
    """The values of K that are tried.

    Args:
        letters: of the alphabet.
        length: of the sequences.

    Example:
        >>> kmer_sizes(4, 251), kmer_sizes(20, 100), kmer_sizes(4, 5)
        ([4, 5, 6], [1, 2, 3], [3, 4, 5])
    """
    fits = [k for k in range(1, length + 1) if letters ** min(k, 20) <= KMER_COLUMNS]
    return fits[-KMER_SIZES:] or [1]


def _kmer_candidates(prepared: Prepared, rules: Rules) -> Iterator[Linear]:
    encoder, codes = prepared.encoder, prepared.inputs
    assert isinstance(encoder, SequenceEncoder)
    regression, weights = prepared.targets.task == "regression", rules.weights(prepared)
    canonical = Encoding.parse(encoder.encoding).canonical or encoder.both_strands
    most_rows = max(KMER_SYMBOLS // max(codes.shape[1], 1), 1)
    train = prepared.split.train[:most_rows]
    for k in kmer_sizes(len(encoder.symbols.letters), codes.shape[1]):
        own = replace(encoder, encoding=f"kmer:{k}{',canonical' * canonical}")
        features = own.scaled(codes[torch.from_numpy(train)]).features()
        assert features is not None
        kept: dict[bytes, csr_matrix] = {}  # the rows of every penalty are the same

        def inputs(
            rows: np.ndarray, features=features, kept: dict[bytes, csr_matrix] = kept
        ) -> csr_matrix:
            key = rows.tobytes()
            if key not in kept:
                kept[key] = features.sparse(codes[torch.from_numpy(rows)])
            return kept[key]

        for penalty in KMER_ALPHAS if regression else KMER_CS:
            kind = "ridge" if regression else "logistic regression"
            yield Linear(
                prepared,
                inputs,
                f"{kind} on {'canonical ' * canonical}{k}-mers",
                penalty,
                weights,
                most_rows,
                rules.seed,
            )


def _inputs(prepared: Prepared) -> tuple[Callable[[np.ndarray], Matrix], int | None]:
    """The network's inputs of some rows as a float32 matrix ``(n, A * L)`` or ``(n, F)``; k-mers sparse.

    Returns:
        What makes them of row numbers, and of how many rows at most a model should be fitted.
    """
    inputs, features, table = prepared.inputs, prepared.features, prepared.code_table
    if features is not None:
        return features.sparse(inputs).__getitem__, None
    if table is None:
        return inputs.numpy().__getitem__, None
    width = table.shape[1] * inputs.shape[1]

    def dense(rows: np.ndarray) -> np.ndarray:
        made = np.empty((len(rows), width), dtype=np.float32)
        step = max(BLOCK_NUMBERS // max(width, 1), 1)
        for start in range(0, len(rows), step):  # one-hot codes are eight bytes each on the way
            some = torch.from_numpy(rows[start : start + step])
            made[start : start + step] = one_hot(inputs[some], table).flatten(1).numpy()
        return made

    return dense, max(ONE_HOT_NUMBERS // max(width, 1), 1)
