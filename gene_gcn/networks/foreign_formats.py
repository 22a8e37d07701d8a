"""Formats that are not lists of edges: recognized by their first line, and refused by their true name."""

from __future__ import annotations

import re
from pathlib import Path

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage.text_files import read_header

_GRAPH = "read it with networkx and pass the graph"
_TABLE = "write its gene names and scores to a table with the columns source, target and weight"
# How the first line begins, in lower case; then the format, and what to do.
_FORMATS = (
    (r"[\[{]", "a JSON file", _GRAPH),
    (r"graph\s*\[|graph$|creator\b", "a GML file", _GRAPH),
    (r"(strict\s+)?(di)?graph\b[^{]*{", "a DOT file", _GRAPH),
    (r"\*(vertices|network)\b", "a Pajek file", _GRAPH),
    (r"%%matrixmarket\b", "a Matrix Market file", _TABLE),
    (
        r"#?id(\(s\))? interactor a\t|([\w /-]+:[^\t]+\t){4}",
        "a PSI-MI TAB file (mitab), whose genes are identifiers of databases",
        f"download BioGRID's tab3 file instead, or {_TABLE}",
    ),
)


def refuse_foreign_formats(path: Path) -> None:
    """Raise ArgumentError, with the true name of the format, for files that are not lists of edges."""
    line = read_header(path)
    start = line.strip().lower()
    for beginning, name, remedy in _FORMATS:
        if re.match(beginning, start):
            raise ArgumentError("path", f"{path} is {name}, not a list of edges; {remedy}.")
    if start.lstrip("# ").startswith("string_protein_id"):
        text = f"{path} is a file of STRING with names of proteins, not a network; pass protein.links as the "
        raise ArgumentError("path", f"{text}network and protein.info as ", Argument("info"), ".")
    if "\r" in line:
        text = (
            f"{path} has lines that end with a carriage return alone, as on old Macs; save it with the line "
        )
        raise ArgumentError("path", f"{text}ends of Unix or Windows.")
