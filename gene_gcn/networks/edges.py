"""Edge files: tables of source, target and, optionally, weight."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from gene_gcn.errors import ArgumentError
from gene_gcn.networks.conversions import is_networkx_graph
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.source import NetworkSource
from gene_gcn.storage.text_files import (
    VERBATIM,
    damage_as_argument_error,
    existing_file,
    open_file,
    read_header,
    sha256_of,
)

if TYPE_CHECKING:
    import networkx as nx

    EdgesLike: TypeAlias = str | os.PathLike[str] | pd.DataFrame | nx.Graph | GeneNetwork

# Headings of a column of genes. None of them is also a gene symbol, except TF (transferrin); therefore a
# first line counts as a header only if both columns have such a heading.
_HEADING = re.compile(
    r"source|target|from|to|tf|regulator|(gene|node|protein|symbol|interactor|partner)(name|id|symbol)?[12ab]?"
)


def read(edges: EdgesLike, *, header: bool | None = None, source: NetworkSource | None = None) -> GeneNetwork:
    """Read a gene network from an edge file, a DataFrame or a networkx graph.

    Parameters
    ----------
    edges : path, pandas.DataFrame, networkx.Graph or GeneNetwork
        The path of an edge file (:func:`parse_edges` describes its layout), a DataFrame (see
        :meth:`GeneNetwork.from_frame`), a networkx graph (see :meth:`GeneNetwork.from_networkx`) or a
        GeneNetwork, which is returned as it is.
    header : bool, optional
        Whether the first line of a file is a header; by default inferred.
    source : NetworkSource, optional
        Where the network comes from; by default the name of the file and its SHA-256.

    Returns
    -------
    GeneNetwork
        Weights are the scores divided by the largest one, or 1 if there are none.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the file is damaged or not a table of edges, or `edges` is none of the above.
    """
    if isinstance(edges, GeneNetwork):
        return edges
    if isinstance(edges, pd.DataFrame):
        return GeneNetwork.from_frame(edges, source=source)
    if isinstance(edges, (str, os.PathLike)):
        path = existing_file(edges, "edges")
        try:
            return read_edge_file(path, header=header, source=source)
        except ArgumentError as error:
            raise ArgumentError("edges", *error.parts) from error
    if is_networkx_graph(edges):
        return GeneNetwork.from_networkx(edges, source=source)
    text = (
        f"edges is a {type(edges).__name__}; pass the path of an edge file, a DataFrame or a networkx graph."
    )
    raise ArgumentError("edges", text)


def read_edge_file(
    path: str | os.PathLike[str], *, header: bool | None = None, source: NetworkSource | None = None
) -> GeneNetwork:
    """Read a gene network from an edge file; see :func:`read`."""
    path = existing_file(path)
    table = parse_edges(path, header=header)
    source = source or NetworkSource(path.name, sha256=sha256_of(path))
    try:
        return GeneNetwork.from_frame(table, source=source)
    except ArgumentError as error:
        raise ArgumentError("path", f"{path}: ", *error.parts) from error


def parse_edges(path: str | os.PathLike[str], *, header: bool | None = None) -> pd.DataFrame:
    """Read an edge file into a table ``source, target[, weight]``.

    The file has one edge per line and is plain text or gzip. Columns are separated by tabs, commas or spaces:
    by the first of these that occurs in the first line. There are two columns, or three with a score. A file
    can have more columns if a header names ``source``, ``target`` and, if there are scores, ``weight``; other
    columns are ignored.

    The first line is a header if it starts with ``#``, if its third field is not a number, or if both of its
    first two fields are words such as ``source``, ``gene_a``, ``node1``, ``protein2``. Otherwise it is an
    edge; pass ``header=True`` if that is wrong.

    Parameters
    ----------
    path : path
    header : bool, optional
        Whether the first line is a header; by default inferred by the rule above.

    Returns
    -------
    pandas.DataFrame
        Names are categorical.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the file is empty, damaged, a web page, or not a table of edges.
    """
    path = existing_file(path)
    line = read_header(path)
    separator = next((mark for mark in "\t," if mark in line), r"\s+")
    fields = [field.strip() for field in re.split(separator, line.strip(" "))]
    if len(fields) < 2:
        raise ArgumentError(
            "path",
            f"{path}: {line[:60]!r} has only one column; an edge needs two genes, separated by a tab, a "
            "comma or a space.",
        )
    if header is None:
        header = _is_header(fields)
    columns = _edge_columns(fields, header, path)
    with damage_as_argument_error(path), open_file(path) as file:
        table = pd.read_csv(
            file,
            sep=separator,
            header=None,
            skiprows=1 if header else 0,
            usecols=columns if len(columns) < len(fields) else None,  # with None, too long lines are errors
            dtype="category",
            skipinitialspace=True,
            **VERBATIM,
        )
    table = table[columns].set_axis(["source", "target", "weight"][: len(columns)], axis="columns")
    if "weight" in table:
        try:
            # Scores repeat, so converting the distinct ones is enough.
            scores = table["weight"].cat.categories.astype(np.float64).to_numpy()
        except ValueError as error:
            text = f"{path}: the third column must contain numbers, the scores: {error}"
            raise ArgumentError("path", text) from error
        table["weight"] = scores[table["weight"].cat.codes]
    return table


def _edge_columns(fields: list[str], header: bool, path: os.PathLike[str]) -> list[int]:
    """Return the positions of source, target and, if there is one, weight."""
    names = [field.lstrip("#").strip().lower() for field in fields] if header else []
    if "source" in names and "target" in names:
        return [names.index(name) for name in ("source", "target", "weight") if name in names]
    if len(fields) > 3:
        raise ArgumentError(
            "path",
            f"{path} has {len(fields)} columns ({', '.join(fields[:4])}, …) and no header that names source "
            "and target. Read files of STRING and BioGRID with networks.from_file; in others, name the "
            "columns source, target and weight, or keep only these.",
        )
    return list(range(len(fields)))


def _is_header(fields: list[str]) -> bool:
    if fields[0].startswith("#"):
        return True
    if len(fields) > 2:
        try:
            float(fields[2])
        except ValueError:
            return True
        return False
    return all(_HEADING.fullmatch(re.sub(r"[^a-z0-9]", "", field.lower())) for field in fields)
