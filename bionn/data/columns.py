"""Which column of a table is what: ids, sequences, targets, features; found or as named."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bionn.data.samples import DataOptions, Source
from bionn.errors import FormatError, InputError
from bionn.formats.table import Table, read_table
from bionn.sequences.alphabet import Alphabet

_ID_NAME = re.compile(r"index|(^|.*[ _.-])(id|ids|name|sample|accession)|.*[a-z]ID|", re.ASCII)
_TARGET_NAMES = ("label", "labels", "class", "target", "targets", "y", "phenotype")
_SHOWN = 5


def as_table(source: Source, columns: Sequence[str] | None = None) -> Table:
    """A table from a file, or around a DataFrame."""
    if isinstance(source, pd.DataFrame):
        return Table.from_frame(source)
    return read_table(source, names=columns)


def find_id_column(
    table: Table,
    named: str | None,
    *,
    default: str | None = None,
    beside: Sequence[Table] = (),
) -> str | None:
    """The column of ids: the one named, that of the file, the first with an id-like name, the default.

    Args:
        table: where it is looked for.
        named: the column to take.
        default: the column to take where none has an id-like name.
        beside: tables of the same kind: a column that holds numbers there is not taken here.
    """
    if named is not None:
        return table.require(named)
    if table.ids is not None:
        return table.ids
    for column in filter(has_id_name, table.columns):
        others = [other for other in beside if column in other.columns]
        if all(_may_hold_ids(each, column) for each in (table, *others)):
            return column
    return default


def has_id_name(column: str) -> bool:
    """Whether a column is called as columns of ids are."""
    case = column if re.search("[a-z]ID$", column) else column.lower()
    return _ID_NAME.fullmatch(case) is not None


def _may_hold_ids(table: Table, column: str) -> bool:
    """Not if the cells are fractions, or numbers that repeat: those were measured or counted."""
    if not table.mostly_numeric(column):
        return True
    numbers = table.numbers([column]).values
    numbers = numbers[np.isfinite(numbers)].tolist()
    return all(map(float.is_integer, numbers)) and len(set(numbers)) == len(numbers)


def find_sequence_column(table: Table, named: str | None, alphabet: Alphabet) -> str | None:
    """The column of sequences: the one named, else the only one that reads like the alphabet.

    A column called as ids are is none: barcodes of cells are DNA as well.

    Raises:
        InputError: several columns do and none of them is called a sequence.
    """
    if named is not None:
        return table.require(named)
    if table.measured is not None:  # a cell's barcode reads like DNA, and is none of its genes
        return None
    found, top = [], Table(table.frame.head(50), table.path)
    values, words = top.numbers(top.columns)
    no_text = np.isfinite(values).sum(axis=0) > words.sum(axis=0)
    for column in np.array(top.columns, dtype=object)[~no_text]:  # not every gene, cell by cell
        head = [] if has_id_name(column) else [cell for cell in top.text(column) if cell]
        if head and sum(map(alphabet.reads_like, head)) > len(head) / 2:
            found.append(column)
    if len(found) > 1:
        found = [column for column in found if re.search("seq", column, re.IGNORECASE)] or found
    if len(found) > 1:
        raise InputError(
            f"{table.path}: columns {', '.join(map(repr, found))} all hold sequences; "
            "choose one with sequence-column"
        )
    for column in found:
        if table.lines is not None and _is_sequence(column, top.text(column), alphabet):
            raise FormatError(
                f"{table.path}:1: a header line needed, the sequence {column[:30]!r} found among the "
                "names of columns; add a header line, or name the columns with columns; if it is a "
                "name, name it with sequence-column"
            )
    return found[0] if found else None


def _is_sequence(name: str, cells: Sequence[str], alphabet: Alphabet) -> bool:
    """Whether the name of a column of sequences is one of them.

    Peptides, fragments and variants are words of amino acids' letters: a name in small letters is
    none of the sequences where these are all in capitals. No word is DNA.
    """
    if not alphabet.reads_like(name):
        return False
    capitals = all(cell.isupper() for cell in cells if cell)
    return alphabet.name in ("dna", "rna") or name.isupper() or not capitals


def target_columns(
    table: Table, options: DataOptions, taken: set[str | None], with_sequences: bool
) -> list[str]:
    """The columns to predict: those named, else one with a target's name, else the only one left.

    Raises:
        InputError: a named column is missing, or none can be told from the others.
    """
    if options.targets:
        return [table.require(column) for column in options.targets]
    free = [column for column in table.columns if column not in taken]
    named = [column for column in free if column.lower() in _TARGET_NAMES]
    if len(named) == 1:
        return named
    if with_sequences and len(free) == 1:
        return free
    if table.lines is not None and len(table.columns) == 1:
        raise FormatError(
            f"{table.path}:1: FASTA ('>' before each record), or a table with a column to predict "
            f"needed, one column found, {table.columns[0][:40]!r}; check the file"
        )
    if not free:
        raise InputError(
            f"{table.path}: a column to predict needed, none found beside those of ids, sequences and "
            f"the split ({some(table.columns, 12)}); name it with target, or add it"
        )
    raise InputError(
        f"{table.path}: which column is to be predicted? name it with target; "
        f"the columns are: {some(free, 12)}{table.header_hint}"
    )


def feature_columns(
    table: Table, named: Sequence[str] | None, taken: set[str | None]
) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are features, and the names of those left out as text.

    A column in which most cells are numbers is numeric, ``float64``: its other cells are errors. A
    column of text is a category where it is named, and is left out where it is not.

    Raises:
        InputError: no column is numeric, or one that is named has another part to play.
        FormatError: a cell is neither a number nor missing; says its line.
    """
    for column in named or ():
        if column in taken:
            raise InputError(
                f"features: {column!r} is the id, the target or a column of the split as well; "
                "leave it out"
            )
    if named is not None:
        features, text = table.all_numeric(list(named))
        for column in text:
            cells = table.text(column)
            features[column] = cells if any(cells) else np.nan
        return features.loc[:, list(named)], []
    choice = table.columns if table.measured is None else table.measured
    features, text = table.all_numeric([column for column in choice if column not in taken])
    if features.empty:
        raise InputError(
            f"{table.path}: a column of sequences or numeric columns needed, none found; "
            f"check the file, or name them with sequence-column or features{table.header_hint}"
        )
    return features, text


def require_cells(table: Table, column: str, what: str) -> None:
    """Refuse a column with an empty cell; says its line.

    Raises:
        FormatError: there is one.
    """
    row = table.texts(column).index("").as_py()
    if row >= 0:
        raise FormatError(
            f"{table.where(row)}: column {column!r}: {what} needed, an empty cell found; "
            "complete or remove the row"
        )


def some(names: Sequence[str], most: int = _SHOWN) -> str:
    """The first names, and dots for the rest."""
    return ", ".join(map(str, names[:most])) + (", ..." if len(names) > most else "")
