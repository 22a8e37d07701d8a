"""Edge files: any table of source, target and, perhaps, weight."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import pandas as pd

from gene_gcn.networks.network import GeneNetwork, NetworkSource
from gene_gcn.storage.text_files import AS_IS, errors_naming, existing_file, open_file, read_header, sha256_of

# Words that head a column of genes. None of them is also the symbol of a gene, apart from TF (transferrin),
# which is why both columns must have one of these names before a first line counts as a header.
_HEADING = re.compile(
    r"source|target|from|to|tf|regulator|(gene|node|protein|symbol|interactor|partner)(name|id|symbol)?[12ab]?"
)


def read(
    edges: str | os.PathLike[str] | pd.DataFrame | Any,
    *,
    header: bool | None = None,
    source: NetworkSource | None = None,
) -> GeneNetwork:
    """Read a gene network from an edge file, a DataFrame or a networkx graph.

    Parameters
    ----------
    edges
        Path of an edge file (:func:`parse_edges` describes the layout), a DataFrame (see
        :meth:`GeneNetwork.from_frame`), a networkx graph (see :meth:`GeneNetwork.from_networkx`) or a
        GeneNetwork, which is returned as it is.
    header
        Whether the first line of a file is a header; None to find out.
    source
        Where the network came from; by default the name of the file and its SHA-256.

    Returns
    -------
    GeneNetwork
        Weights are the scores divided by the largest; 1 everywhere where there are none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or is no table of edges, or `edges` is none of the above.
    """
    if isinstance(edges, GeneNetwork):
        return edges
    if isinstance(edges, pd.DataFrame):
        return GeneNetwork.from_frame(edges, source=source)
    if hasattr(edges, "is_directed") and hasattr(edges, "edges"):
        return GeneNetwork.from_networkx(edges, source=source)
    if not isinstance(edges, (str, os.PathLike)):
        raise ValueError(
            f"edges is a {type(edges).__name__}; pass the path of an edge file, a DataFrame or a networkx "
            "graph."
        )
    path = existing_file(edges, "edges")
    table = parse_edges(path, header=header)
    try:
        return GeneNetwork.from_frame(
            table, source=source or NetworkSource(path.name, sha256=sha256_of(path))
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse_edges(path: str | os.PathLike[str], *, header: bool | None = None) -> pd.DataFrame:
    """Read an edge file into a table ``source, target[, weight]``.

    One edge per line, plain or gzip, separated by tabs, commas or spaces (the first line tells: a tab, else a
    comma, else spaces). Two columns, or three with a score. More columns are accepted if a header names
    ``source``, ``target`` and, if there are scores, ``weight``; the others are not read.

    The first line is a header if it starts with ``#``, if its third field is not a number, or if both of its
    first two fields are words such as ``source``, ``gene_a``, ``node1``, ``protein2``. Otherwise it is an
    edge; say ``header=True`` where that is wrong.

    Parameters
    ----------
    path
        The file.
    header
        Whether the first line is a header; None to find out by the rule above.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, damaged, a web page, or no table of edges.
    """
    path = existing_file(path)
    line = read_header(path)
    separator = next((mark for mark in "\t," if mark in line), r"\s+")
    fields = [field.strip() for field in re.split(separator, line.strip(" "))]
    if header is None:
        header = _is_header(fields)
    if len(fields) < 2:
        raise ValueError(
            f"{path}: one column only in {line[:60]!r}; an edge needs two genes, by tab, comma or space."
        )
    names = (
        [field.lstrip("#").strip().lower() for field in fields]
        if header
        else [str(i) for i in range(len(fields))]
    )
    columns = [names.index(name) for name in ("source", "target", "weight") if name in names]
    if not {"source", "target"} <= set(names):
        if len(fields) > 3:
            raise ValueError(
                f"{path} has {len(fields)} columns ({', '.join(fields[:4])}, …) and no header that names "
                "source and target. Files of STRING and BioGRID are read by networks.string and "
                "networks.biogrid; in others, name the columns source, target and weight, or leave only "
                "these."
            )
        columns = list(range(len(fields)))
    with errors_naming(path), open_file(path) as file:
        table = pd.read_csv(
            file,
            sep=separator,
            header=None,
            skiprows=1 if header else 0,
            usecols=columns if len(columns) < len(fields) else None,  # None finds lines that are too long
            dtype="category",
            skipinitialspace=True,
            **AS_IS,
        )
    table = table[columns].set_axis(["source", "target", "weight"][: len(columns)], axis="columns")
    if "weight" in table:
        try:
            # Scores repeat, so that it is enough to read the different ones.
            scores = table["weight"].cat.categories.astype(np.float64).to_numpy()
        except ValueError as error:
            raise ValueError(f"{path}: the third column must hold numbers, the scores: {error}") from error
        table["weight"] = scores[table["weight"].cat.codes]
    return table


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
