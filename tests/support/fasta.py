"""FASTA read in the plainest way, and text cut into blocks of any size: what readers are held to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bionn.formats.text import TextBlock, text_blocks


def by_lines(text: str) -> list[tuple[str, str, int]] | int:
    """Title, sequence and line of each record, told line by line, or the line of the first fault."""
    records: list[tuple[str, str, int]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(">"):
            records.append((line[1:].strip(), "", number))
        elif line.strip() and not line.startswith(";"):
            if not records:
                return number
            title, sequence, start = records[-1]
            records[-1] = (title, sequence + line.replace(" ", "").replace("\t", ""), start)
    if not records:
        return 1
    faults = [line for title, sequence, line in records if not (title and sequence)]
    return faults[0] if faults else records


def cut_to(size: int) -> Callable[..., Iterator[TextBlock]]:
    """``text_blocks`` that reads so many bytes at a time, whatever it is told."""

    def blocks(path: str | Path, **_: Any) -> Iterator[TextBlock]:
        return text_blocks(path, size=size)

    return blocks
