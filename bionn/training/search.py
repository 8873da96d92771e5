"""What is searched: the dimensions of the design space, and the settings that values of them mean."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from bionn.data.prepared import Prepared, prepare
from bionn.data.samples import DataOptions, Samples
from bionn.data.splits import Split
from bionn.data.targets import Targets
from bionn.errors import InputError, did_you_mean
from bionn.preprocess.sequences import SequenceEncoder
from bionn.training.options import TrainingOptions, choose

if TYPE_CHECKING:
    import optuna

Value = str | int | float

SHAPE = ("depth", "width", "taper")
"""The dimensions that make up ``hidden``."""


@dataclass(frozen=True)
class Choice:
    """One of several values.

    Attributes:
        values: the values.
    """

    values: tuple[Value, ...]

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        """A value for a trial."""
        return trial.suggest_categorical(name, self.values)

    def __contains__(self, value: object) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Range:
    """A number from an interval, ends included; a whole number where both ends are.

    Attributes:
        low: the smallest.
        high: the largest.
        log: as likely between 1 and 10 as between 10 and 100.
        step: the distance between neighbouring values, counted from ``low``.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def suggest(self, trial: optuna.Trial, name: str) -> Value:
        """A value for a trial."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(
                name, self.low, self.high, step=int(self.step or 1), log=self.log
            )
        value = trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)
        return value if self.step is None else round(value, 10)  # 3 * .05 is not .15

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


Dimension = Choice | Range
Space = dict[str, Dimension]

EVERYWHERE: Space = {
    "depth": Range(1, 4),
    "width": Choice((32, 64, 128, 256, 512, 1024)),
    "taper": Choice((0.5, 1.0)),
    "activation": Choice(
        ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh", "sigmoid")
    ),
    "init": Choice(
        ("torch", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal")
    ),
    "learning_rate": Range(1e-4, 1e-2, log=True),
    "weight_decay": Range(1e-3, 10.0, log=True),
    "dropout": Range(0.0, 0.7, step=0.05),
    "input_dropout": Range(0.0, 0.6, step=0.05),
    "batch_size": Choice((16, 32, 64, 128, 256, 512)),
}
"""The dimensions of every network: hidden layer k is ``width * taper ** (k - 1)`` wide."""


def default_space(prepared: Prepared, fixed: Iterable[str] = ()) -> Space:
    """Every dimension that the data have: an objective for classes, encodings for DNA and RNA.

    Args:
        prepared: the data.
        fixed: options that were given, and so are not searched.
    """
    space = dict(EVERYWHERE)
    rows = len(prepared.split.train)
    sizes = tuple(size for size in (16, 32, 64, 128, 256, 512) if size <= max(32, rows // 2))
    space["batch_size"] = Choice(sizes)
    if prepared.targets.task != "regression":
        space["objective"] = Choice(("cross-entropy", "squared-error"))
    encoder = prepared.encoder
    if isinstance(encoder, SequenceEncoder) and encoder.alphabet in ("dna", "rna"):
        names = (("onehot", 1), ("kmer:4", 4), ("kmer:5", 5), ("onehot+kmer:5", 5))
        space["encoding"] = Choice(tuple(name for name, k in names if k <= encoder.length))
    left_out = {*fixed, *(SHAPE if "hidden" in fixed else ())}
    return {name: dimension for name, dimension in space.items() if name not in left_out}


def parse_space(given: Any, known: Space) -> Space:
    """A space from a configuration: lists are choices, ``{low, high, log, step}`` are ranges.

    Args:
        given: dimensions by name.
        known: those that the data have; see :func:`default_space`.

    Raises:
        InputError: not by name, no such dimension, or neither a list nor a range.
    """
    if not isinstance(given, Mapping) or not given:
        raise InputError("search: dimensions by name needed (dropout: {low: 0, high: .5})")
    return {str(name): _dimension(str(name), value, known) for name, value in given.items()}


def _dimension(name: str, given: Any, known: Space) -> Dimension:
    if name not in known:
        raise InputError(
            f"search: one of {', '.join(known)} needed, {name!r} found{did_you_mean(name, known)}; "
            "an option that is given is not searched"
        )
    if isinstance(given, list) and given and all(isinstance(v, str | int | float) for v in given):
        return Choice(tuple(given))
    names = {field.name for field in fields(Range)}
    if isinstance(given, Mapping) and {"low", "high"} <= set(given) <= names:
        try:
            limits = {key: _number(given[key]) for key in ("low", "high", "step") if key in given}
        except (TypeError, ValueError):
            limits = {"low": math.nan, "high": math.nan}
        found = Range(**limits, log=bool(given.get("log", False)))
        if found.low <= found.high and (found.low > 0 or not found.log):
            return found
    raise InputError(
        f"search: {name}: a list of values, or low and high (above 0 with log) needed, {given!r} found"
    )


def _number(value: Any) -> float:
    """YAML reads ``1e-3`` as text."""
    return value if isinstance(value, int) and not isinstance(value, bool) else float(value)


def suggest(trial: optuna.Trial, space: Space) -> dict[str, Value]:
    """A value for each dimension."""
    return {name: dimension.suggest(trial, name) for name, dimension in space.items()}


def settle(
    values: Mapping[str, Value], data: DataOptions, training: TrainingOptions
) -> tuple[DataOptions, TrainingOptions]:
    """Options with the values of a trial in them.

    Args:
        values: of the dimensions that were searched.
        data: the options of the data otherwise.
        training: the settled options otherwise; what is missing of :data:`SHAPE` is taken from them.

    Example:
        >>> values = {"depth": 3, "width": 256, "taper": 0.5, "encoding": "kmer:5"}
        >>> data, training = settle(values, DataOptions(), TrainingOptions(hidden=(8,)))
        >>> data.encoding, training.hidden
        ('kmer:5', (256, 128, 64))
    """
    rest: dict[str, Any] = dict(values)
    if any(name in rest for name in SHAPE):
        shape = shape_of(training.hidden or ()) | {
            name: rest.pop(name) for name in SHAPE if name in rest
        }
        rest["hidden"] = widths(**shape)
    if "encoding" in rest:
        data = replace(data, encoding=rest.pop("encoding"))
    return data, replace(training, **rest)


def widths(depth: int, width: int, taper: float) -> tuple[int, ...]:
    """The widths of hidden layers.

    Example:
        >>> widths(3, 512, 0.5)
        (512, 256, 128)
    """
    return tuple(max(1, round(width * taper**layer)) for layer in range(int(depth)))


def shape_of(hidden: Iterable[int]) -> dict[str, Any]:
    """Depth, width and taper of hidden layers, the nearest for such as have no taper.

    Example:
        >>> shape_of((256, 128))
        {'depth': 2, 'width': 256, 'taper': 0.5}
    """
    layers = [*hidden]
    taper = layers[1] / layers[0] if len(layers) > 1 else 1.0
    return {"depth": len(layers), "width": layers[0] if layers else 1, "taper": taper}


def starting_point(space: Space, data: DataOptions, training: TrainingOptions) -> dict[str, Value]:
    """The values that the settled options have, for the dimensions in which they lie in the space.

    What is tried first, so that tuning never ends below where it began.
    """
    now: dict[str, Any] = {
        **shape_of(training.hidden or ()),
        **{field.name: getattr(training, field.name) for field in fields(training)},
        "encoding": data.encoding,
    }
    if training.objective == "auto":
        now["objective"] = "cross-entropy"
    return {name: now[name] for name, dimension in space.items() if now[name] in dimension}


@dataclass(frozen=True)
class Search:
    """What is searched; other processes that take part are sent the data, and prepare them.

    Attributes:
        samples: the samples.
        targets: their targets.
        split: trials are trained on its training rows and judged on its validation rows; its test
            rows are not looked at.
        data: the options of the data.
        training: options of the network; those that are not searched are to be as they are here.
        space: the dimensions.
    """

    samples: Samples
    targets: Targets
    split: Split
    data: DataOptions
    training: TrainingOptions
    space: Space
    _prepared: dict[str, Prepared] = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """What other processes are sent: all but what each makes for itself."""
        return self.__dict__ | {"_prepared": {}}

    def prepare(self, data: DataOptions) -> Prepared:
        """The set as these options encode it; made once for each encoding."""
        if data.encoding not in self._prepared:
            found = prepare(self.samples, self.targets, self.split, data)
            self._prepared[data.encoding] = found
        return self._prepared[data.encoding]

    def settle(self, values: Mapping[str, Any]) -> tuple[DataOptions, TrainingOptions]:
        """The options that a trial's values mean; what is neither given nor searched is chosen."""
        data, given = self.asked(values)
        return data, choose(given, self.prepare(data))

    def asked(self, values: Mapping[str, Any]) -> tuple[DataOptions, TrainingOptions]:
        """The same before anything is chosen."""
        first = choose(self.training, self.prepare(self.data))
        data, given = settle(values, self.data, replace(self.training, hidden=first.hidden))
        if not {*SHAPE} & set(values):
            given = replace(given, hidden=self.training.hidden)
        return data, given

    def digest(self) -> str:
        """sha256 over the data, the split, the options and the space."""
        first = self.prepare(self.data)
        told = [first.data_hash(), first.split_hash(), asdict(self.data), asdict(self.training)]
        told.append({name: asdict(dimension) for name, dimension in self.space.items()})
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()
