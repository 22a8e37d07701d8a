"""Edge files: tables of source, target and, optionally, weight."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError, NetworkWarning, warn
from gene_gcn.networks.categoricals import categories, read_categoricals, rename_categories
from gene_gcn.networks.conversions import is_networkx_graph
from gene_gcn.networks.edge_columns import (
    STRING_SCORE,
    EdgeColumns,
    are_by_position,
    checked_scores,
    choose_scores,
    find_edge_columns,
    has_fractions,
    is_number,
    plain_heading,
    refuse_distances,
)
from gene_gcn.networks.foreign_formats import refuse_foreign_formats
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.source import NetworkSource
from gene_gcn.storage.text_files import (
    VERBATIM,
    damage_as_argument_error,
    existing_file,
    open_file,
    sha256_of,
)

if TYPE_CHECKING:
    import networkx as nx

    EdgesLike: TypeAlias = str | os.PathLike[str] | pd.DataFrame | nx.Graph | GeneNetwork

_QUOTED = re.compile(r'(?:^|[\t,; ])"[^"]*"(?:[\t,; ]|$)')
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(,\d{3})+")
_STRING_ID = re.compile(r"\d{4,7}\.[A-Za-z]\w+")  # 9606.ENSP00000269305, 4932.YAL001C

# Headings of a column of genes. None of them is also a gene symbol, except TF (transferrin); therefore a
# first line counts as a header only if both columns have such a heading.
_HEADING = re.compile(
    r"source|target|from|to|tf|regulator|(from|to)node"
    r"|(official|approved|preferred)?(gene|node|protein|symbol|interactor|partner|entity)(name|id|symbol)?[12ab]?"
    r"|(ensembl|entrez|hgnc|ncbi|uniprot)(gene|protein)?(id|name|symbol|accession)?[12ab]?"
)


def read(edges: EdgesLike, *, header: bool | None = None, source: NetworkSource | None = None) -> GeneNetwork:
    """Read a gene network from an edge file, a DataFrame or a networkx graph.

    An edge file is plain text or gzip with an edge in each line: two names and, optionally, a weight,
    separated by tabs, commas, semicolons or spaces (docs/guide/networks.md).

    Parameters
    ----------
    edges : path, pandas.DataFrame, networkx.Graph or GeneNetwork
        The path of an edge file, a DataFrame (see :meth:`GeneNetwork.from_frame`), a networkx graph (see
        :meth:`GeneNetwork.from_networkx`) or a GeneNetwork, which is returned as it is.
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
        network = GeneNetwork.from_frame(edges, source=source)
    elif isinstance(edges, (str, os.PathLike)):
        path = existing_file(edges, "edges")
        try:
            network = read_edge_file(path, header=header, source=source)
        except ArgumentError as error:
            raise ArgumentError("edges", *error.parts) from error
    elif is_networkx_graph(edges):
        network = GeneNetwork.from_networkx(edges, source=source)
    else:
        text = f"edges is a {type(edges).__name__}; pass the path of an edge file, a DataFrame or a networkx "
        raise ArgumentError("edges", f"{text}graph.")
    warn_of_string_ids(network)
    return network


def has_string_ids(network: GeneNetwork) -> bool:
    """Return whether most genes of a network are named by STRING's protein ids, as in R's STRINGdb."""
    return sum(_STRING_ID.fullmatch(gene) is not None for gene in network.genes) > network.num_genes / 2


def warn_of_string_ids(network: GeneNetwork) -> None:
    """Warn if the genes of a network are named by STRING's protein ids."""
    if has_string_ids(network):
        text = (
            f"The genes of the network are STRING's protein ids ({network.genes[0]}, …), which match no gene "
        )
        remedy = "names; read the file with networks.from_file and STRING's protein.info file as "
        warn(NetworkWarning(text, remedy, Argument("info"), ", or rename them with the network's rename()."))


def read_edge_file(
    path: str | os.PathLike[str], *, header: bool | None = None, source: NetworkSource | None = None
) -> GeneNetwork:
    """Read a gene network from an edge file; see :func:`read`."""
    path = existing_file(path)
    table = parse_edges(path, header=header)
    source = source or NetworkSource(path.name, sha256=sha256_of(path))
    try:
        network = GeneNetwork.from_frame(table, source=source)
    except ArgumentError as error:
        raise ArgumentError("path", f"{path}: ", *error.parts) from error
    if not network.num_edges:
        raise ArgumentError("path", f"{path} has no edge between two different genes.")
    return network


def parse_edges(path: str | os.PathLike[str], *, header: bool | None = None) -> pd.DataFrame:
    """Read an edge file into a table ``source, target[, weight]``.

    The file has one edge per line and is plain text or gzip. Columns are separated by tabs, commas,
    semicolons or spaces: by the first of these that occurs in the first line that is not a comment. Numbers
    can have decimal commas. There are two columns, or three with a score. A file can have more
    columns if a header names ``source``, ``target`` and, if there are scores, ``weight``, or as OmniPath,
    STRING and R do, see :meth:`GeneNetwork.from_frame`; other columns are ignored. Fields can be quoted,
    and lines can begin with names of rows that the header lacks, as R writes both. Leading lines that start
    with ``#`` are comments, except the last of them if it has as many fields as the lines that follow.

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
        If the file is empty, damaged, a web page, or not a table of edges; or a score is not a number,
        positive and finite.

    Warns
    -----
    NetworkWarning
        If the column of scores is guessed, or every edge weighs 1 although there are other columns.
    """
    path = existing_file(path)
    refuse_foreign_formats(path)
    layout = _sniff(path, header)
    columns = _edge_columns(layout, path)
    wanted = [at for at in (columns.source, columns.target, columns.weight) if at is not None]
    candidates = [*wanted, *(columns.others if len(columns.others) == 1 else ())]
    table = _read_columns(path, layout, candidates)
    if not layout.quoted and any(_is_half_quoted(table[at]) for at in candidates):
        layout = layout._replace(quoted=True)  # quotes begin further down than the lines looked at
        table = _read_columns(path, layout, candidates)
    if columns.weight is None:  # choose_scores() is to decide, and to warn
        at = columns.others[0] if len(candidates) > 2 else None
        is_score = at is not None and _has_fractions(table[at])
        columns = choose_scores(columns, layout.fields, lambda _: is_score, str(path))
    elif columns.is_guess:
        columns = choose_scores(columns, layout.fields, lambda _: False, str(path))
    source, target = (_stripped(table[at]) for at in (columns.source, columns.target))
    edges = pd.DataFrame({"source": source, "target": target})
    if columns.weight is None:
        return edges
    heading = layout.fields[columns.weight] if layout.has_header else "the third column"
    name = plain_heading(heading) if plain_heading(heading) == STRING_SCORE else heading
    _refuse_thousands(table[columns.weight], path)
    scores = _numbers(table[columns.weight])
    if len(scores) and not any(map(is_number, scores)):
        raise ArgumentError(
            "path",
            f"{path}: {name} should contain the scores, but contains {scores[0]!r:.40} and no number; name "
            "the columns source, target and weight, or leave it out. (In SIF files, the second column is a "
            "kind of interaction, not a gene.)",
        )
    codes = table[columns.weight].cat.codes.to_numpy()
    try:
        # Scores repeat, so converting the distinct ones is enough.
        values = scores.astype(np.float64).to_numpy()[codes]
    except ValueError:
        values = scores.to_numpy(dtype=object)[codes]
    ends = (edges["source"], edges["target"])
    checked = checked_scores(
        values, lambda at: (ends[0].iloc[at], ends[1].iloc[at]), name, "path", f"{path}: "
    )
    return edges.assign(weight=checked)


# ---- layout ----


class _Layout(NamedTuple):
    """How an edge file is written.

    Attributes
    ----------
    separator : str
        As pandas takes it.
    quoted : bool
    skip : int
        Lines before the first edge.
    fields : list of str
        Fields of the header or, without one, of the first edge.
    has_header : bool
    row_names : int
        1 if edges begin with a field that the header lacks.
    """

    separator: str
    quoted: bool
    skip: int
    fields: list[str]
    has_header: bool
    row_names: int


def _sniff(path: Path, header: bool | None) -> _Layout:
    comments, lines = _first_lines(path)
    first = comments[-1] if comments else lines[0]
    sample = [line for _, line in (first, *lines[:2])]
    separator = next((mark for mark in "\t,;" if mark in (lines or comments)[0][1]), r"\s+")
    quoted = any(_QUOTED.search(line) for line in sample)

    def split(line: str) -> list[str]:
        return _split(line.strip(" "), separator, quoted)

    fields = split(first[1])
    is_comment = bool(comments) and bool(lines) and len(fields) != len(split(lines[0][1]))
    if is_comment:
        first = lines[0]
        fields = split(first[1])
    if len(fields) < 2:
        raise ArgumentError(
            "path",
            f"{path}: {first[1][:60]!r} has only one column; an edge needs two genes, separated by a tab, a "
            "comma, a semicolon or a space.",
        )
    has_header = _is_header(fields) if header is None else header
    following = lines if comments and not is_comment else lines[1:]
    row_names = int(has_header and bool(following) and len(split(following[0][1])) == len(fields) + 1)
    return _Layout(separator, quoted, first[0] + has_header, fields, has_header, row_names)


def _first_lines(path: Path) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return the leading lines that start with # and the first others, numbered from 0; none are blank."""
    comments: list[tuple[int, str]] = []
    lines: list[tuple[int, str]] = []
    with damage_as_argument_error(path), open_file(path) as file:
        for number, raw in enumerate(file):
            text = raw.decode("utf-8-sig", errors="replace").strip("\r\n")
            if text.strip() and not (number == 0 and text.startswith("sep=")):  # Excel's
                (comments if text.startswith("#") and not lines else lines).append((number, text))
            if len(lines) == 3:
                break
    return comments, lines


def _split(line: str, separator: str, quoted: bool) -> list[str]:
    if not quoted:
        fields = re.split(separator, line)
    elif separator == r"\s+":
        fields = re.findall(r'"[^"]*"|\S+', line)
    else:
        fields = next(csv.reader([line], delimiter=separator, skipinitialspace=True))
    return [field.strip().strip('"') if quoted else field.strip() for field in fields]


def _edge_columns(layout: _Layout, path: Path) -> EdgeColumns:
    """Return the columns of source, target and, if there is one, weight."""
    fields = layout.fields
    columns = find_edge_columns(fields, "path", str(path)) if layout.has_header else None
    if not fields[0] and (columns is None or are_by_position(fields, columns)):
        text = f"{path} has a first column without a heading, as matrices and tables with row names have; "
        remedy = "write the edges to a table with the columns source, target and weight."
        raise ArgumentError("path", f"{text}{remedy}")
    if are_by_position(fields, columns):
        if layout.has_header and len(fields) == 3:
            refuse_distances(fields[2], "path", str(path))
        return EdgeColumns(0, 1, 2 if len(fields) == 3 else None)
    if columns is None:
        raise ArgumentError(
            "path",
            f"{path} has {len(fields)} columns ({', '.join(fields[:4])}, …) and no header that names source "
            "and target. Read files of STRING and BioGRID with networks.from_file; in others, name the "
            "columns source, target and weight, or keep only these.",
        )
    return columns


def _is_header(fields: list[str]) -> bool:
    if fields[0].startswith("#"):
        return True
    if len(fields) > 2:
        try:
            float(fields[2].replace(",", "."))
        except ValueError:
            return True
        return False
    return all(_HEADING.fullmatch(plain_heading(field)) for field in fields)


# ---- values ----


def _read_columns(path: Path, layout: _Layout, columns: list[int]) -> pd.DataFrame:
    """Read some columns as categoricals, under their positions in the header."""
    positions = [at + layout.row_names for at in columns]
    is_part = layout.row_names or len(columns) < len(layout.fields)
    options: dict[str, Any] = {**VERBATIM, **({"quoting": csv.QUOTE_MINIMAL} if layout.quoted else {})}
    with damage_as_argument_error(path), open_file(path) as file:
        table = read_categoricals(
            file,
            sep=layout.separator,
            header=None,
            skiprows=layout.skip,
            usecols=positions if is_part else None,  # with None, too long lines are errors
            skipinitialspace=True,
            **options,
        )
    return table[positions].set_axis(columns, axis="columns")


def _stripped(column: pd.Series) -> pd.Categorical:
    names = categories(column)
    stripped = names.str.strip()
    return column.array if stripped.equals(names) else rename_categories(column.array, stripped)


def _is_half_quoted(column: pd.Series) -> bool:
    return any(text.startswith('"') or text.endswith('"') for text in column.cat.categories)


def _refuse_thousands(column: pd.Series, path: Path) -> None:
    """Raise ArgumentError if all commas in numbers may mark thousands."""
    with_commas = [text for text in column.cat.categories if "," in text]
    if with_commas and all(map(_THOUSANDS.fullmatch, with_commas)):
        text = f"{path} has numbers with commas ({with_commas[0]!r}), which may mark thousands or decimals; "
        remedy = "write numbers without marks of thousands and with decimal points."
        raise ArgumentError("path", f"{text}{remedy}")


def _numbers(column: pd.Series) -> pd.Index:
    """Return the distinct scores of a column as text; decimal commas become points."""
    return column.cat.categories.str.replace(",", ".", regex=False)


def _has_fractions(column: pd.Series) -> bool:
    scores = _numbers(column)
    return all(map(is_number, scores)) and has_fractions(scores.astype(np.float64).to_numpy())
