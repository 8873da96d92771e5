"""What samples are before anybody uses them: each of a known part, with its own id and a target."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa

from bionn.data.samples import DataOptions, Samples, with_columns
from bionn.errors import FormatError, InputError, did_you_mean
from bionn.formats.fasta import unique_ids
from bionn.formats.hashes import all_different
from bionn.formats.texts import arrow_texts, one_chunk, text_array

_PARTS = {"train": "train", "training": "train", "test": "test", "drop": "drop"} | dict.fromkeys(
    ("val", "valid", "validation", "dev"), "val"
)


def checked(samples: Samples, options: DataOptions) -> Samples:
    """The samples with groups from ids, ids that do not repeat, known parts and targets.

    Args:
        samples: as they were read and joined.
        options: what is asked of them.

    Raises:
        FormatError: a cell without a group, a batch, a part or a target that needs one; says its line.
        InputError: a pattern, or a column, that finds no groups, batches or targets.
    """
    _check_cells(samples)
    if options.group_pattern is not None:
        samples = replace(samples, table=samples.table.assign(group=_id_groups(samples, options)))
    samples = _with_unique_ids(samples)
    ids = text_array(pa.chunked_array([one_chunk(arrow_texts(samples.table["id"]))]))
    samples = replace(samples, table=with_columns(samples.table, id=ids))
    return _without_missing_targets(_with_known_parts(samples), options.allow_missing)


def _check_cells(samples: Samples) -> None:
    """Every row is of a group and of a batch, where such are named; not each of a batch of its own."""
    for role in ("group", "batch"):
        cells = samples.column(role) or []
        if "" in cells:
            raise FormatError(
                f"{samples.where(cells.index(''), role)}: {role}-column: a {role} needed, an empty cell "
                "found; complete or remove the row"
            )
        if role == "batch" and len(cells) > 2 and len(set(cells)) == len(cells):
            raise InputError(
                f"{samples.where(0, role)}: batch-column: batches of several rows needed, {len(cells)} "
                f"different ones in {len(cells)} rows found; name another column, or leave it out"
            )


def _id_groups(samples: Samples, options: DataOptions) -> list[str]:
    try:
        pattern = re.compile(options.group_pattern or "")
    except re.error as error:
        raise InputError(
            f"group-pattern: a regular expression needed, {options.group_pattern!r} found ({error}); "
            "write one as '^(.*)_[0-9]+$'"
        ) from None
    if options.group_column is not None:
        raise InputError("group-pattern: not together with group-column; name one of them")
    if pattern.groups < 1:
        raise InputError(
            "group-pattern: a group in parentheses needed, none found; write one as '^(.*)_[0-9]+$'"
        )
    groups = []
    for row, name in enumerate(samples.ids):
        match = pattern.search(name)
        if match is None or match.group(1) is None:
            raise InputError(
                f"{samples.where(row)}: group-pattern {options.group_pattern!r} finds no group in "
                f"id {name!r}; widen it"
            )
        groups.append(match.group(1))
    return groups


def _with_unique_ids(samples: Samples) -> Samples:
    if all_different(arrow_texts(samples.table["id"])):
        return samples
    ids, renamed = unique_ids(list(samples.ids))
    if not renamed:
        return samples
    note = f"{renamed} repeated ids kept as id#2, id#3, ..."
    return replace(
        samples, table=samples.table.assign(id=text_array(ids)), notes=(*samples.notes, note)
    )


def _with_known_parts(samples: Samples) -> Samples:
    parts = samples.column("part")
    if parts is None:
        return samples
    for row, part in enumerate(parts):
        if part and part.lower() not in _PARTS:
            raise FormatError(
                f"{samples.where(row, 'part')}: split-column: train, val, test or drop needed, {part!r} "
                f"found{did_you_mean(part, _PARTS)}; correct it"
            )
    known = [_PARTS[part.lower()] if part else "" for part in parts]
    return replace(samples, table=samples.table.assign(part=known))


def _without_missing_targets(samples: Samples, allow_missing: bool) -> Samples:
    if samples.targets.shape[1] == 0:
        raise InputError(
            "target: FASTA files beside tables need their labels in one table; name it with labels"
        )
    # A row without one of several targets is of use for the others.
    missing = samples.without_target()
    if not missing.any():
        return samples
    if missing.all():
        raise InputError(
            f"{samples.where(0, 'target')}: target {samples.targets.columns[0]!r}: no sample has a "
            "value; complete the file, or choose another target"
        )
    row = int(np.argmax(missing))
    names = list(samples.targets)
    which = f"target {names[0]!r}" if len(names) == 1 else f"any of the {len(names)} targets"
    if not allow_missing:
        others = int(missing.sum()) - 1
        raise FormatError(
            f"{samples.where(row, 'target')}: id {samples.ids[row]!r} has no value in {which}"
            + f", nor have {others} other rows" * (others > 0)
            + "; complete the file, or leave such rows out with allow-missing"
        )
    note = f"left out {int(missing.sum())} samples without a target value"
    return samples.keep(~missing, note)
