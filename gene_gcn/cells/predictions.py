"""Write predictions to files, whole or not at all."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gene_gcn.cells.keys import level_column
from gene_gcn.cells.zarr_folders import is_zarr, replacing_zarr, write_zarr
from gene_gcn.errors import ArgumentError
from gene_gcn.storage.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = [
    "check_predictions_path",
    "check_table_path",
    "check_writable",
    "write_cells",
    "write_predictions",
    "write_table",
]

RESERVED = "_index"  # the name of a column that anndata refuses to write; SeuratDisk's files have it
TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
ENDINGS = (".h5ad", ".zarr", *TABLES)
ROWS = 50_000  # of a table that are made and written at a time


def write_predictions(
    path: str | os.PathLike[str],
    cells: AnnData,
    key: str = "gene_gcn",
    *,
    probabilities: bool = False,
    source: str | os.PathLike[str] | None = None,
) -> None:
    """Write the predictions that `GeneGCNClassifier.annotate` stored in `cells`.

    Parameters
    ----------
    path : str or PathLike
        ``.h5ad`` or ``.zarr`` for the whole of the annotated cells; ``.csv`` or ``.tsv``, also with ``.gz``,
        for a table with the columns ``cell, label, confidence, second_label, second_confidence`` and, where
        they were computed, ``novelty`` and ``set``, the types of a set joined by "|"; after a consensus,
        ``cell_label`` and ``cell_confidence`` of each cell alone, and ``cluster`` and ``cluster_share`` or
        ``neighbor_share``; with a hierarchy, ``level ...`` for each of its levels, ``set_nodes``,
        ``cell_type_ontology_term_id`` and, after backing off, ``type``, the most probable one.
    cells : AnnData
        Annotated cells.
    key : str
        The column of ``.obs`` with the labels.
    probabilities : bool
        Add a column with the probability of each type to a table; annotated cells always have them.
    source : str or PathLike, optional
        The AnnData of the cells, where they stayed on disk: annotated cells are then a copy of it, with the
        tables of `cells`, in the same format or the other.

    Raises
    ------
    ArgumentError
        If the path has another ending.
    """
    check_predictions_path(path)
    if _is_table(path):
        with replacing(path) as file:
            _write_predictions_table(file, cells, key, probabilities)
        return
    with replacing_zarr(path) if is_zarr(path) else replacing(path) as target, _writable_names(cells):
        if source is not None:
            from gene_gcn.cells.annotated_copies import write_annotated_copy

            write_annotated_copy(target, cells, key, Path(source).expanduser())
        elif is_zarr(path):
            write_zarr(target, cells)
        else:
            _write_h5ad(target, cells)


def _is_table(path: str | os.PathLike[str]) -> bool:
    """Say whether `write_predictions` writes a table to this path."""
    return Path(path).name.lower().endswith(TABLES)


def write_cells(path: str | os.PathLike[str], cells: AnnData) -> None:
    """Write cells as ``.h5ad``, whole or not at all.

    Parameters
    ----------
    path : path
        File to write; it is replaced if it is there.
    cells : AnnData
        B cells with N genes.

    Raises
    ------
    ArgumentError
        If the path has another ending.
    """
    _check_ending("Cells", path, (".h5ad",))
    with replacing(path) as file, _writable_names(cells):
        _write_h5ad(file, cells)


def _write_h5ad(file: Path, cells: AnnData) -> None:
    from gene_gcn.cells.h5ad import write_h5ad  # with h5py, which takes long to load

    write_h5ad(file, cells)


def write_table(path: str | os.PathLike[str], table: pd.DataFrame, index_label: str = "cell") -> None:
    """Write a table, by default with a row per cell, as ``.csv`` or ``.tsv``, also with ``.gz``.

    Raises
    ------
    ArgumentError
        If the path has another ending.
    """
    check_table_path(path)
    with replacing(path) as file:
        _write_text(file, table, index_label)


def _write_text(file: Path, table: pd.DataFrame, index_label: str = "cell") -> None:
    with _open_text(file) as stream:
        table.to_csv(stream, sep=_separator(file), index_label=index_label, float_format="%.6g")


def _write_predictions_table(file: Path, cells: AnnData, key: str, probabilities: bool) -> None:
    """Write the table in parts, as texts of all cells take more memory than the cells' results."""
    with _open_text(file) as stream:
        for start in range(0, max(cells.n_obs, 1), ROWS):
            part = _table(cells[start : start + ROWS], key, probabilities)
            form = {"sep": _separator(file), "float_format": "%.6g"}
            part.to_csv(stream, index_label="cell", header=not start, **form)


@contextmanager
def _open_text(file: Path) -> Iterator[IO[str]]:
    """Open a text file to write; if compressed, without a date, so that equal texts give equal bytes."""
    with file.open("wb") as raw:
        binary = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if file.suffix.lower() == ".gz" else raw
        with io.TextIOWrapper(binary, encoding="utf-8", newline="") as text:
            yield text


def _separator(file: Path) -> str:
    return "\t" if ".tsv" in [ending.lower() for ending in file.suffixes[-2:]] else ","


def _table(cells: AnnData, key: str, probabilities: bool) -> pd.DataFrame:
    import numpy as np  # which, like pandas, takes long to load

    table = cells.obs[[key, f"{key}_confidence"]].set_axis(["label", "confidence"], axis=1)
    table["label"] = _labels(table["label"])
    probability, types = cells.obsm[f"{key}_proba"].to_numpy(), cells.uns[key]["types"]
    second = np.argsort(-probability, axis=1, kind="stable")[:, 1]
    table["second_label"] = types[second]
    table["second_confidence"] = probability[np.arange(len(table)), second]
    if f"{key}_novelty" in cells.obs:
        table["novelty"] = cells.obs[f"{key}_novelty"]
    if "over" in cells.uns[key]:
        _add_consensus(table, cells, key)
    _add_hierarchy(table, cells, key)
    if f"{key}_set" in cells.obsm:
        table["set"] = ["|".join(types[inside]) for inside in cells.obsm[f"{key}_set"].to_numpy()]
    if probabilities:
        for index, name in enumerate(types):
            table[f"probability {name}"] = probability[:, index]
    return table


def _labels(types: pd.Series) -> pd.Series:
    from gene_gcn.cells.label_values import UNASSIGNED

    label = types.astype(object)
    return label.where(label.notna(), UNASSIGNED)  # where types are numbers


def _add_consensus(table: pd.DataFrame, cells: AnnData, key: str) -> None:
    obs, made = cells.obs, cells.uns[key]
    table["cell_label"] = _labels(obs[f"{key}_cell"])
    table["cell_confidence"] = obs[f"{key}_cell_confidence"]
    if "clusters" in made:
        table["cluster"] = obs[made["over"]]
        table["cluster_share"] = obs[f"{key}_cluster_share"]
    else:
        table["neighbor_share"] = obs[f"{key}_neighbor_share"]


def _add_hierarchy(table: pd.DataFrame, cells: AnnData, key: str) -> None:
    obs, made = cells.obs, cells.uns[key]
    columns = {"type": f"{key}_type"} if "backoff" in made else {}
    columns |= {f"level {level}": level_column(key, level) for level in made.get("levels", ())}
    if "term_id_column" in made:
        columns["cell_type_ontology_term_id"] = made["term_id_column"]
    if f"{key}_set_nodes" in obs:
        columns["set_nodes"] = f"{key}_set_nodes"
    for name, column in columns.items():
        table[name] = _labels(obs[column])


def check_predictions_path(path: str | os.PathLike[str]) -> None:
    """Raise the ArgumentError that `write_predictions` would raise for this path."""
    _check_ending("Predictions", path, ENDINGS)


def check_table_path(path: str | os.PathLike[str]) -> None:
    """Raise the ArgumentError that `write_table` would raise for this path."""
    _check_ending("A table", path, TABLES)


def _check_ending(what: str, path: str | os.PathLike[str], endings: tuple[str, ...]) -> None:
    if not Path(path).name.lower().endswith(endings):
        text = f"{what} cannot be written to {str(path)!r}: its name must end in {', '.join(endings)}."
        raise ArgumentError("path", text)


def check_writable(path: str | os.PathLike[str], cells: AnnData) -> None:
    """Refuse cells that cannot be written to this path, before anything is computed from them.

    Raises
    ------
    ArgumentError
        If a table of the AnnData holds what ``.h5ad`` and ``.zarr`` cannot.
    """
    if _is_table(path):
        return
    import h5py
    from anndata import AnnData
    from anndata.io import write_elem

    with _writable_names(cells), h5py.File("check", "w", driver="core", backing_store=False) as file:
        probe = AnnData(obs=cells.obs.copy(), var=cells.var.copy())
        parts = {"obs": probe.obs, "var": probe.var, "uns": dict(cells.uns)}
        if cells.raw is not None:
            parts["raw.var"] = cells.raw.var.copy()
        for name, part in parts.items():
            try:
                if name != "uns":
                    probe.strings_to_categoricals(part)  # as anndata does
                write_elem(file, name, part)
            except Exception as error:  # anndata raises many types
                reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
                ending = Path(path).suffix.lower()
                text = f"The .{name} of these cells cannot be written to {ending}: {reason}. Write to a .csv "
                raise ArgumentError("out", f"{text}file, or mend it.") from error


@contextmanager
def _writable_names(cells: AnnData) -> Iterator[None]:
    """Call columns named "_index", which anndata refuses to write, "index_" for as long as this lasts."""
    tables = [cells.obs, cells.var, *([] if cells.raw is None else [cells.raw.var])]
    renamed: list[tuple[pd.DataFrame, list[str]]] = []
    for table in tables:
        if RESERVED in table.columns:
            free = "index_"
            while free in table.columns:
                free += "_"
            renamed.append((table, list(table.columns)))
            table.columns = [free if name == RESERVED else name for name in table.columns]
    try:
        yield
    finally:
        for table, names in renamed:
            table.columns = names
