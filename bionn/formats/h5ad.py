"""AnnData files (.h5ad) to cells x genes in blocks of rows, with what the file tells of each cell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bionn.errors import FormatError, InputError
from bionn.formats.text import plain_suffix

BLOCK_CELLS = 1 << 22
"""Values of X that a block holds at most: 16 MiB in single precision."""


class CellBlock(NamedTuple):
    """Consecutive observations, in the words of AnnData; cells, mostly.

    Attributes:
        obs: what is known of each: the first column holds their names (``obs_names``).
        genes: the names of the variables (``var_names``), all different.
        values: X, dense, in the type that the file has, ``(rows, genes)``.
    """

    obs: pd.DataFrame
    genes: list[str]
    values: np.ndarray


def is_h5ad(path: str | Path) -> bool:
    """Whether a file is an AnnData file by its name."""
    return plain_suffix(path) == ".h5ad"


def cell_blocks(path: Path, *, rows: int | None = None) -> Iterator[CellBlock]:
    """The cells of an AnnData file: ``obs``, ``var_names`` and X are read, and nothing else.

    A dense X and one by rows (CSR) are read from the file block by block; one by columns (CSC) is
    held in memory as it is, sparse.

    Args:
        path: the file.
        rows: how many a block holds, fewer where there are many genes; None: all in one block.

    Raises:
        InputError: anndata is not installed.
        FormatError: another kind of file, a truncated one, one without X or cells, two variables
            of one name, or a column of ``obs`` with the name of a variable.
    """
    try:
        import h5py
        from anndata.io import read_elem, sparse_dataset
    except ImportError:
        raise InputError(
            f"{path}: the package anndata is needed for this file; install it with: "
            "pip install 'bionn[anndata]'"
        ) from None
    with _readable(path), h5py.File(path) as file:
        for part in ("obs", "var"):
            if not isinstance(file.get(part), h5py.Group):
                raise FormatError(
                    f"{path}: an AnnData file as anndata 0.7 and later write it needed, no group "
                    f"{part!r} found; read it with anndata and write it again"
                )
        read: Any = read_elem  # typed as any of the many things that can be stored
        obs, genes = read(file["obs"]), list(map(str, read(file["var"]).index))
        _refuse_names(path, list(map(str, obs.columns)), genes)
        source: Any = file.get("X")
        if isinstance(source, h5py.Group):
            by_row = source.attrs.get("encoding-type") == "csr_matrix"
            source = sparse_dataset(source) if by_row else read(source).tocsr()
        _check_values(path, source, (len(obs), len(genes)))
        name = obs.index.name
        if name is None or str(name) in {*map(str, obs.columns), *genes}:
            name = "obs_names"
        obs = obs.set_axis(obs.index.astype(str).rename(str(name))).reset_index()
        step = len(obs)
        if rows is not None:
            step = max(1, min(rows, BLOCK_CELLS // len(genes)))
        for first in range(0, len(obs), step):
            values = source[first : first + step]
            dense = values if isinstance(values, np.ndarray) else values.toarray()
            if dense.dtype == bool:
                dense = dense.view(np.uint8)
            yield CellBlock(obs.iloc[first : first + step], genes, dense)


def _refuse_names(path: Path, known: list[str], genes: list[str]) -> None:
    """Refuse names by which a column could not be told from another."""
    seen: set[str] = set()
    for place, gene in enumerate(genes, 1):
        if not gene or gene in seen:
            found = (
                f"{gene!r} stands twice in var_names" if gene else f"variable {place} has no name"
            )
            raise FormatError(
                f"{path}: {found}; name each variable otherwise, as var_names_make_unique() does"
            )
        seen.add(gene)
    for column in known:
        if column in seen:
            raise FormatError(
                f"{path}: {column!r} is a column of obs and a name in var_names as well; rename one"
            )


def _check_values(path: Path, values: Any, shape: tuple[int, int]) -> None:
    """Refuse an X that is missing, empty, of another shape, or not of numbers."""
    if values is None or not hasattr(values, "shape") or values.shape == ():
        raise FormatError(f"{path}: X needed, none found; put the values of a layer into X")
    if 0 in shape:
        raise FormatError(
            f"{path}: cells and genes needed, {shape[0]} x {shape[1]} found; add data"
        )
    if tuple(values.shape) != shape:
        found = " x ".join(map(str, values.shape))
        raise FormatError(
            f"{path}: an X of {shape[0]} x {shape[1]} (obs x var) needed, {found} found; "
            "write the file again"
        )
    if values.dtype.kind not in "iufb":
        raise FormatError(
            f"{path}: numbers needed in X, {values.dtype} found; write them as floats"
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What HDF5 and anndata say of a damaged file, in a line."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(
            f"{path}: an AnnData file needed, not readable as one ({reason}); "
            "fetch, unpack or write it again"
        ) from None
