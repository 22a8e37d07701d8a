"""Marker genes of types, as people write them down: in a dict, a YAML file, a table or a GMT file."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError, LabelWarning, MissingGenesWarning, first_few, warn
from gene_gcn.genes.names import gene_kind, match_names
from gene_gcn.storage.text_files import (
    damage_as_argument_error,
    existing_file,
    open_file,
    read_header,
)

__all__ = ["MarkerLists", "read_markers"]

Row: TypeAlias = tuple[Any, Any, int]  # type, gene, direction
POSITIVE, NEGATIVE = "positive", "negative"
_DIRECTIONS = {"+": 1, "1": 1, POSITIVE: 1, "": 1, "-": -1, "-1": -1, NEGATIVE: -1}
_FORMS = (
    "a dict of type to list of genes, or a file: .yaml with 'type: [gene, …]', .csv or .tsv with the columns "
    "type and gene, or .gmt"
)


@dataclass(frozen=True, eq=False)
class MarkerLists:
    """Marker genes of types.

    Attributes
    ----------
    table : DataFrame
        "type", "gene" and "direction": 1 for genes that cells of the type express, −1 for genes that they do
        not. Each gene once per type; types in their order.
    """

    table: pd.DataFrame

    @property
    def types(self) -> tuple[str, ...]:
        """The types, in their order."""
        return tuple(dict.fromkeys(self.table["type"]))

    @classmethod
    def of(cls, markers: Any) -> MarkerLists:
        """Take markers in any of the forms that `read_markers` documents.

        Parameters
        ----------
        markers : dict, DataFrame, path or MarkerLists

        Returns
        -------
        MarkerLists

        Raises
        ------
        ArgumentError
            `markers` has another form, or lists no usable gene.
        """
        if isinstance(markers, MarkerLists):
            return markers
        if isinstance(markers, pd.DataFrame):
            return cls(_checked(_of_table(markers)))
        if isinstance(markers, Mapping):
            return cls(_checked(_of_mapping(markers)))
        if isinstance(markers, (str, os.PathLike)):
            return read_markers(markers)
        problem = f" of type {type(markers).__name__} cannot be read as markers; pass {_FORMS}."
        raise ArgumentError("markers", Argument("markers"), problem)

    def among(self, genes: Sequence[str]) -> tuple[MarkerLists, np.ndarray]:
        """Find markers among the genes of cells; warn of those that are missing.

        Types without a positive marker among them are left out.

        Parameters
        ----------
        genes : sequence of str
            Names of the N genes.

        Returns
        -------
        markers : MarkerLists
            Those that were found.
        signs : ndarray of int8, shape (N, K)
            Their directions, 0 elsewhere; K types in the order of `types`.

        Raises
        ------
        ArgumentError
            Fewer than two types have a marker among the genes.
        """
        names = list(dict.fromkeys(self.table["gene"]))
        positions = dict(zip(names, match_names(genes, names).tolist(), strict=True))
        position = self.table["gene"].map(positions).to_numpy(np.int64)
        found = MarkerLists(self.table[position >= 0].reset_index(drop=True))
        positive = found.table[found.table["direction"] > 0]
        kept = [name for name in self.types if (positive["type"] == name).any()]
        if len(kept) < 2:
            self._refuse_missing(genes, names, kept)
        self._warn_of_missing(position < 0, kept)
        found = MarkerLists(found.table[found.table["type"].isin(kept)].reset_index(drop=True))
        signs = np.zeros((len(genes), len(kept)), np.int8)
        columns = found.table["type"].map({name: k for k, name in enumerate(kept)})
        signs[found.table["gene"].map(positions), columns] = found.table["direction"]
        return found, signs

    def _refuse_missing(self, genes: Sequence[str], names: list[str], kept: list[str]) -> NoReturn:
        problem = f"markers of {len(kept)} of {len(self.types)} types are among the genes of the cells; two "
        kinds = f"types need one. Markers are {gene_kind(names)} ({', '.join(names[:3])}, …), genes "
        remedy = f"{gene_kind(genes)} ({', '.join(list(genes)[:3])}, …)"
        raise ArgumentError("markers", f"{problem}{kinds}{remedy}: use the same organism and kind of name.")

    def _warn_of_missing(self, missing: np.ndarray, kept: list[str]) -> None:
        lost = [name for name in self.types if name not in kept]
        if lost:
            what = f"No marker of {first_few(lost, 5)} is among the genes of the cells"
            warn(LabelWarning(f"{what}; these types are left out."))
        absent = self.table[missing & self.table["type"].isin(kept).to_numpy()]
        if len(absent):
            shown = [f"{row.gene} ({row.type})" for row in absent.itertuples()]
            what = f"{len(absent):,} of {len(self.table):,} markers are not among the genes of the cells"
            warn(MissingGenesWarning(f"{what}: {first_few(shown, 5)}."))


def read_markers(path: str | os.PathLike[str]) -> MarkerLists:
    """Read a file of marker genes.

    Parameters
    ----------
    path : path
        By its ending, which may be followed by .gz:

        ``.yaml``, ``.yml``
            ``type: [gene, …]``, or ``type: {positive: [gene, …], negative: [gene, …]}``.
        ``.csv``, ``.tsv``, ``.txt``
            A table with the columns "type" and "gene" and, optionally, "direction": "+" (or "positive", 1) or
            "-" (or "negative", −1). Other columns, such as reasons, are ignored.
        ``.gmt``
            A line for each type: its name, a description, and its genes, separated by tabs.

    Returns
    -------
    MarkerLists

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ArgumentError
        It cannot be read, or has no markers.
    """
    file = existing_file(path, "markers")
    ending = Path(file.name.removesuffix(".gz")).suffix.lower()
    if (read := _READERS.get(ending)) is None:
        problem = f" has an ending of no known kind; pass {_FORMS}."
        raise ArgumentError("markers", Argument("markers", str(path)), problem)
    read_header(file, "markers")  # refuses what is empty or not text
    with damage_as_argument_error(path, "markers"), open_file(file) as content:
        data = content.read()
    try:
        return MarkerLists(_checked(read(data.decode("utf-8-sig", errors="replace"))))
    except ArgumentError as error:
        raise ArgumentError("markers", f"{path}: ", *error.parts) from error


def _of_yaml(text: str) -> list[Row]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ArgumentError("markers", f"not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise ArgumentError("markers", "the file must have lines 'type: [gene, …]'.")
    return _of_mapping(content)


def _of_gmt(text: str) -> list[Row]:
    fields = [line.split("\t") for line in text.splitlines() if line.strip()]
    if short := [parts[0] for parts in fields if len(parts) < 3]:
        form = "a line is a name, a description and genes, divided by tabs"
        raise ArgumentError("markers", f"there are no genes for {short[0]!r}; {form}.")
    return [(parts[0], gene, 1) for parts in fields for gene in parts[2:] if gene.strip()]


def _of_text(text: str, separator: str) -> list[Row]:
    try:
        table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str, keep_default_na=False)
    except pd.errors.ParserError as error:
        raise ArgumentError("markers", f"not a table that can be read: {error}.") from error
    return _of_table(table)


def _of_table(table: pd.DataFrame) -> list[Row]:
    if lacking := [name for name in ("type", "gene") if name not in table]:
        problem = f"the table lacks the columns {lacking}; it has {list(table.columns)[:10]}."
        raise ArgumentError("markers", problem)
    directions = table["direction"] if "direction" in table else pd.Series("", index=table.index)
    texts = directions.astype(str).str.strip().str.lower().str.removesuffix(".0")
    if unknown := sorted(set(texts) - _DIRECTIONS.keys()):
        raise ArgumentError("markers", f"the direction {unknown[0]!r} is unknown; use + or -.")
    return list(zip(table["type"], table["gene"], texts.map(_DIRECTIONS), strict=True))


def _of_mapping(markers: Mapping[Any, Any]) -> list[Row]:
    found: list[Row] = []
    for name, genes in markers.items():
        parts = genes if isinstance(genes, Mapping) else {POSITIVE: genes}
        if unknown := [key for key in parts if key not in (POSITIVE, NEGATIVE)]:
            forms = "a type has a list of genes, or lists 'positive' and 'negative'"
            problem = f"{name!r} has {unknown[0]!r}; {forms}."
            raise ArgumentError("markers", problem)
        for key, values in parts.items():
            found += [(name, gene, _DIRECTIONS[key]) for gene in _as_genes(name, values)]
    return found


def _as_genes(name: Any, genes: Any) -> list[Any]:
    if isinstance(genes, str):
        return genes.replace(",", " ").split()
    if genes is None or not isinstance(genes, (list, tuple, set, frozenset, pd.Series, pd.Index, np.ndarray)):
        raise ArgumentError("markers", f"the markers of {name!r} must be a list of genes, not {genes!r:.60}.")
    return sorted(genes) if isinstance(genes, (set, frozenset)) else list(genes)


def _checked(found: list[Row]) -> pd.DataFrame:
    """Return the table of `MarkerLists`."""
    if wrong := [value for row in found for value in row[:2] if not isinstance(value, str)]:
        problem = f"{wrong[0]!r} is not text; put names that YAML or pandas reads otherwise in quotes."
        raise ArgumentError("markers", problem)
    rows = [(name.strip(), gene.strip(), direction) for name, gene, direction in found]
    table = pd.DataFrame(rows, columns=["type", "gene", "direction"])
    if (table[["type", "gene"]] == "").to_numpy().any():
        raise ArgumentError("markers", "a type or a gene is empty.")
    table = table.drop_duplicates(ignore_index=True)
    if (twice := table.duplicated(["type", "gene"])).any():
        row = table[twice].iloc[0]
        raise ArgumentError(
            "markers", f"{row['gene']} is a positive and a negative marker of {row['type']!r}."
        )
    if (count := table.loc[table["direction"] > 0, "type"].nunique()) < 2:
        raise ArgumentError("markers", f"there are positive markers of {count} types; two are needed.")
    return table


_READERS: dict[str, Callable[[str], list[Row]]] = {
    ".yaml": _of_yaml,
    ".yml": _of_yaml,
    ".gmt": _of_gmt,
    ".csv": partial(_of_text, separator=","),
    ".tsv": partial(_of_text, separator="\t"),
    ".txt": partial(_of_text, separator="\t"),
}
