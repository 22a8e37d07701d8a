"""`gene-gcn explain`: the genes and edges that make cells their type."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cells import check_writable, write_cells, write_table
from gene_gcn.cells.predictions import TABLES
from gene_gcn.cli.checks import check_inputs, check_output_file
from gene_gcn.cli.console import count, new_table, say
from gene_gcn.cli.inputs import load_model, read_cells
from gene_gcn.cli.options import (
    Cells,
    Force,
    Genome,
    ModelFolder,
    Orthologs,
    QueryGeneColumn,
    QueryLayer,
    QueryOrganism,
    QueryScale,
    QueryUseRaw,
)
from gene_gcn.errors import Argument, ArgumentError, EmptyCellsWarning, GeneGCNWarning, warn

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier
    from gene_gcn.explain import BaseExplanation

GRAPHS = (".graphml", ".cyjs")
ENDINGS = (*TABLES, *GRAPHS, ".h5ad")
MOST_DETAILED = 3  # types with tables of their own; of more, there is one table with a row per type
FEWER_CELLS = 100  # of a type, for models whose explanation takes tenths of a second per cell
PARTS = ("own", "from_network", "through_missing")  # columns of a table without types
FEW = 4  # genes in a row of that table


def explain(
    cells: Cells,
    model: ModelFolder,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="File to write: a table of all genes (.csv, .tsv), a graph of the top genes and edges of "
            "one type (.graphml, .cyjs for Cytoscape), or the cells with contributions in varm and, of each "
            "--type, its edges in varp (.h5ad).",
        ),
    ] = Path("explanation.csv"),
    types: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", help="Type to explain; repeat for several. Default: all."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="Explain what sets the types apart from this one.")
    ] = None,
    cells_of: Annotated[
        str | None,
        typer.Option(
            "--cells-of",
            help="Average over the cells that are predicted to be of this type. Default: for each type, "
            "those predicted to be of it.",
        ),
    ] = None,
    max_cells: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Cells of a type that are averaged over, taken evenly from all. Default: 100 for models "
            "trained by gradients, which take long; all for others.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Genes and edges that are printed, or in a graph.")] = 10,
    layer: QueryLayer = None,
    use_raw: QueryUseRaw = None,
    gene_column: QueryGeneColumn = None,
    scale: QueryScale = None,
    genome: Genome = None,
    organism: QueryOrganism = None,
    orthologs: Orthologs = None,
    force: Force = False,
) -> dict[str, Any]:
    """Say which genes, and which edges of the network, make cells their types."""
    _check_out(out, types)
    check_output_file(out, cells, force=force)
    check_inputs(cells)
    clf = load_model(model, layer, use_raw, gene_column, scale)
    chosen = [_find(clf, "types", name) for name in types or []]
    other = None if against is None else _find(clf, "against", against)
    whose = None if cells_of is None else _find(clf, "cells_of", cells_of)
    if other in chosen:
        problem = " is also a ", Argument("types"), "; compare a type with another one."
        raise ArgumentError("against", Argument("against", against), *problem)
    adata = read_cells(cells, genome=genome)
    check_writable(out, adata)
    species: dict[str, Any] = {"organism": organism, "orthologs": orthologs}
    cells_of_types, left_out = _choose_cells(clf, adata, chosen, other, whose, species)
    chosen = list(cells_of_types)
    if not chosen:
        _write_nothing(out, adata)
        say(f"Written   {out}")
        return {"against": against, "types": [], "left_out_types": left_out, "written": [out]}
    explanation = clf.explain(adata, chosen, other, **species)
    cells_of_types = _limit(cells_of_types, max_cells, explanation)
    explained = _explained(explanation, cells_of_types, top)
    _say(explained, explanation)
    _write(out, explanation, cells_of_types, top, adata, edges_of=chosen if types else [])
    say(f"Written   {out}")
    return {"against": against, "types": explained, "left_out_types": left_out, "written": [out]}


def _check_out(out: Path, types: list[str] | None) -> None:
    name = out.name.lower()
    if not name.endswith(ENDINGS):
        problem = f" cannot be written: its name must end in {', '.join(ENDINGS)}."
        raise ArgumentError("out", Argument("out", out), problem)
    if name.endswith(GRAPHS) and len(types or []) != 1:
        problem = " is a graph, which shows one type; pass one "
        raise ArgumentError("out", Argument("out", out), problem, Argument("types"), ".")


def _find(clf: GeneGCNClassifier, argument: str, name: str) -> Any:
    """Return the type of that name, which may be a number."""
    from gene_gcn.explain.checks import position_of

    classes = clf.classes_.tolist()
    return classes[position_of(name, [str(label) for label in classes], argument)]


def _choose_cells(
    clf: GeneGCNClassifier,
    adata: AnnData,
    chosen: list[Any],
    other: Any,
    whose: Any,
    species: dict[str, Any],
) -> tuple[dict[Any, np.ndarray], list[str]]:
    """Return the types to explain with the positions of the cells of each, and the types that have none."""
    import warnings

    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GeneGCNWarning)  # said again when the cells are explained
        predicted = clf.predict(adata, **species)
    wanted = chosen or [label for label in clf.classes_.tolist() if label != other]
    cells = {label: np.flatnonzero(predicted == (label if whose is None else whose)) for label in wanted}
    without = [str(label) for label, found in cells.items() if not len(found)]
    if not adata.n_obs:
        warn(EmptyCellsWarning("The file contains no cells, so the explanation is empty."))
    elif len(without) == len(wanted):
        named = ", ".join(without[:5]) if whose is None else str(whose)
        problem = f"No cell is predicted to be of {named}, so the explanation is empty; "
        warn(EmptyCellsWarning(problem, "choose the cells of another type with ", Argument("cells_of"), "."))
    elif without:
        say(f"Left out  {', '.join(without)}: no cell is predicted to be of it")
    return {label: found for label, found in cells.items() if len(found)}, without


def _limit(
    cells: dict[Any, np.ndarray], max_cells: int | None, explanation: BaseExplanation
) -> dict[Any, np.ndarray]:
    """Return at most so many cells of each type."""
    import numpy as np

    from gene_gcn.explain import GradientExplanation

    if max_cells is None:
        if not isinstance(explanation, GradientExplanation):
            return cells
        max_cells = FEWER_CELLS
    limited = {}
    for label, found in cells.items():
        evenly = np.linspace(0, len(found) - 1, min(max_cells, len(found))).round().astype(int)
        limited[label] = found[evenly]
    if any(len(limited[label]) < len(found) for label, found in cells.items()):
        say(f"          {max_cells:,} cells of a type at most are explained")
    return limited


def _write(
    out: Path,
    explanation: BaseExplanation,
    cells: dict[Any, np.ndarray],
    top: int,
    adata: AnnData,
    edges_of: list[Any],
) -> None:
    name = out.name.lower()
    if name.endswith(".h5ad"):
        explanation.write(adata, cells=cells, edges_of=edges_of)
        write_cells(out, adata)
    elif name.endswith(GRAPHS):
        (label,) = explanation.types
        write = explanation.write_cyjs if name.endswith(".cyjs") else explanation.write_graphml
        write(out, label, top, cells=cells[label])
    else:
        write_table(out, explanation.to_frame(cells).set_index("type"), index_label="type")


def _write_nothing(out: Path, adata: AnnData) -> None:
    """Write what is well-formed but has no type, as a pipeline expects a file."""
    import networkx as nx
    import numpy as np
    import pandas as pd

    from gene_gcn.explain.graph_files import write_cyjs, write_graphml

    name = out.name.lower()
    if name.endswith(".h5ad"):
        adata.varm["explain"] = np.zeros((adata.n_vars, 0))
        adata.uns["explain"] = {"types": np.zeros(0, dtype=object), "against": "", "baseline": np.zeros(0)}
        write_cells(out, adata)
    elif name.endswith(GRAPHS):
        (write_cyjs if name.endswith(".cyjs") else write_graphml)(nx.DiGraph(), out)
    else:
        write_table(out, pd.DataFrame(columns=["gene", *PARTS, "total"]), index_label="type")


def _explained(explanation: BaseExplanation, cells: dict[Any, np.ndarray], top: int) -> list[dict[str, Any]]:
    """Return for each type its cells, the sum that its mean logit is, and its top genes and edges.

    Of many types, edges would take long, and are None.
    """
    summary = explanation.summary(cells)
    explained = []
    for label in explanation.types:
        each = {"type": str(label), "cells": len(cells[label]), "logit": summary.loc[label].to_dict()}
        each["genes"] = explanation.genes(label, top, cells=cells[label])
        each["edges"] = None
        if len(explanation.types) <= MOST_DETAILED:
            each["edges"] = explanation.edges(label, top, cells=cells[label]).query("contribution != 0")
        explained.append(each)
    return explained


# ---- the screen ----


def _say(explained: list[dict[str, Any]], explanation: BaseExplanation) -> None:
    if len(explained) > MOST_DETAILED:
        _say_overview(explained, explanation.against)
        return
    for each in explained:
        against = "" if explanation.against is None else f" against {explanation.against}"
        say(f"\n{each['type']}{against}: mean over {count(each['cells'], 'cell')}")
        _say_logit(each["logit"], explanation)
        _say_genes(each["genes"], explanation.parts)
        _say_edges(each["edges"], explanation.parts)


def _say_logit(row: dict[str, float], explanation: BaseExplanation) -> None:
    shown = [part for part in explanation.parts if row[part]]
    what = "logit" if explanation.against is None else "difference of logits"
    parts = " ".join(f"{'−' if row[part] < 0 else '+'} {abs(row[part]):.2f} {_words(part)}" for part in shown)
    say(f"{what} {row['logit']:.2f} = {row['baseline']:.2f} baseline {parts}")
    if "gap" in row:
        say(f"gap {row['gap']:z.3f}, by which these do not sum to it")


def _words(part: str) -> str:
    return part.replace("_", " ")


def _say_genes(genes: pd.DataFrame, parts: list[str]) -> None:
    shown = [part for part in parts if genes[part].any()]
    shown = [*shown, "total"] if len(shown) > 1 else ["total"]
    table = new_table("Genes", "gene", *map(_words, shown))
    for _, row in genes.iterrows():
        table.add_row(row["gene"], *(f"{row[part]:z.3f}" for part in shown))
    say(table)


def _say_edges(edges: pd.DataFrame, parts: list[str]) -> None:
    if edges.empty:
        reason = "the model takes nothing of a network"
        if "from_network" not in parts:
            reason = "they are not told apart in models with several layers"
        say(f"No edges: {reason}.")
        return
    table = new_table("Edges", "source → target", "contribution")
    for edge in edges.itertuples():
        table.add_row(f"{edge.source} → {edge.target}", f"{edge.contribution:z.3f}")
    say(table)


def _say_overview(explained: list[dict[str, Any]], other: Any) -> None:
    title = "Genes that add most to each type"
    if other is not None:
        title += f" against {other}"
    table = new_table(title, "type", "cells", "genes")
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    for each in explained:
        genes = each["genes"].head(FEW)
        text = ", ".join(f"{row.gene} {row.total:.2f}" for row in genes.itertuples())
        table.add_row(each["type"], f"{each['cells']:,}", text)
    say(table)
    say(f"For more genes, and for edges, pass --type: up to {MOST_DETAILED} types are shown in detail.")
