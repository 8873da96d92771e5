"""The audit of sequences without targets: what can be counted where there is nothing to split by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bionn.data.advice import warnings_on_inputs
from bionn.data.composition import sequence_facts
from bionn.data.opening import open_inputs
from bionn.data.samples import DataOptions, Source
from bionn.data.targets import Targets
from bionn.formats.sequence_files import holds_sequences
from bionn.formats.table import Table
from bionn.formats.text import existing_file
from bionn.sequences.alphabet import alphabet_named
from bionn.sequences.distinct import number_distinct_texts
from bionn.sequences.duplicates import number_distinct


def is_unlabelled(inputs: Sequence[Source], options: DataOptions) -> bool:
    """Whether this is one file of sequences, and nothing tells targets or asks for a split.

    Raises:
        InputError: there is no such file.
    """
    plain = replace(DataOptions(), alphabet=options.alphabet, id_rule=options.id_rule)
    if len(inputs) != 1 or isinstance(inputs[0], pd.DataFrame) or options != plain:
        return False
    return holds_sequences(existing_file(inputs[0]))


def audit_unlabelled(source: Source, options: DataOptions) -> dict[str, Any]:
    """Lengths, composition and duplicates: those keys of :func:`bionn.data.audit.audit`.

    Args:
        source: a file for which :func:`is_unlabelled` holds.
        options: its alphabet, and which part of a header is the id.

    Raises:
        FormatError: the file cannot be read; says file and line.
    """
    (records,) = open_inputs([source], options)
    assert not isinstance(records, Table)
    sequences, alphabet = records.sequences, alphabet_named(options.alphabet)
    rows = len(records.ids)
    none = Targets("regression", np.empty((rows, 0)), (), ())
    same = len(np.unique(number_distinct(sequences, alphabet)))
    same_text = len(np.unique(number_distinct_texts(text.upper() for text in sequences)))
    notes = ["no targets: nothing is split"]
    if records.repeated_ids:
        notes.append(f"{source}: {records.repeated_ids} repeated ids kept as id#2, id#3, ...")
    found: dict[str, Any] = {
        "samples": rows,
        "sequences": sequence_facts(sequences, alphabet, none),
        "duplicates": {"rows": rows - same, "on_the_other_strand": same_text - same},
        "notes": notes,
        "advice": [],
    }
    return found | {"warnings": warnings_on_inputs(found)}
