"""The tools of `gene-gcn mcp`: what each does with its arguments."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field

from gene_gcn.cells import check_cells_path, check_predictions_path, check_writable, write_predictions
from gene_gcn.cli.allowed_folders import AllowedFolders
from gene_gcn.cli.checks import check_inputs, check_output_predictions, check_output_report
from gene_gcn.cli.errors import message_for_user, warnings_in_one_line
from gene_gcn.cli.inputs import read_as, read_cells, read_query
from gene_gcn.cli.mcp_results import Annotation, Files, Markers, Model, Reasons, Result
from gene_gcn.cli.model_facts import describe_model
from gene_gcn.cli.predicted import describe_query
from gene_gcn.cli.results import as_plain
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier

__all__ = ["Tools"]

MODELS_KEPT = 4  # in memory: a model and some to compare it with
FILES_LISTED = 200
URLS = ("https://", "http://", "hf://")  # all else is a path
TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
FEWER_CELLS = 100  # are explained where a cell takes tenths of a second, as by the command line

Cells = Annotated[
    str,
    Field(description="Path of the cells: .h5ad, .zarr, .h5, .loom, .mtx, .csv, .tsv, .txt or a 10x folder."),
]
ModelPath = Annotated[
    str, Field(description="Path of a model, a folder or .zip, or a URL if the server allows these.")
]
Unknown = Annotated[bool, Field(description='Call cells that are of none of the types "unknown".')]
Over = Annotated[
    str | None,
    Field(
        description="Let cells agree with their clusters (a column of .obs, such as leiden), with their "
        "neighbors (a graph in .obsp), or with clusters found here (clusters)."
    ),
]
Organism = Annotated[
    str | None,
    Field(description="Species of the cells, such as mouse, if it is not that of the training cells."),
]
Layer = Annotated[str | None, Field(description='Layer to read; "" is .X. Default: as in training.')]
UseRaw = Annotated[bool | None, Field(description="Whether to read .raw. Default: as in training.")]
Scale = Annotated[
    str | None,
    Field(
        description="Scale of the values: counts, cp10k, log1p, log2p1, log10p1 or sqrt. Default: inferred."
    ),
]
GeneColumn = Annotated[
    str | None,
    Field(description='Column of .var with the gene names; "" is the index. Default: as in training.'),
]
Force = Annotated[bool, Field(description="Replace the output if it exists.")]
Top = Annotated[int, Field(ge=1, le=200, description="Number of genes in each list.")]

R = TypeVar("R", bound=Result)


def spell(argument: Argument) -> str:
    """Write an argument as clients do, in JSON."""
    if not argument.has_value:
        return argument.name
    return f"{argument.name}: {json.dumps(argument.value, default=str, ensure_ascii=False):.80}"


def _told_to_client(method: Callable[..., R]) -> Callable[..., R]:
    """Return warnings with the result and errors of the user's as tool errors; one call at a time."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(method)
    def call(self: Tools, **arguments: Any) -> R:
        # Warnings are caught for the whole process, and two models would compete for memory and cores.
        with self.lock, warnings_in_one_line(spell) as caught:
            try:
                result = method(self, **arguments)
            except Exception as error:
                message = message_for_user(error, spell)
                if message is None:  # a bug: the traceback goes to stderr, not to the client
                    raise
                raise ToolError(message) from error
        # Cells that are explained are read twice.
        return result.model_copy(update={"warnings": [*dict.fromkeys(each["message"] for each in caught)]})

    return call


class Tools:
    """The tools, which read and write in some folders only.

    Parameters
    ----------
    folders : AllowedFolders
    urls : bool
        Whether clients may have models loaded from URLs that they choose.
    """

    def __init__(self, folders: AllowedFolders, *, urls: bool = False):
        self.folders = folders
        self.urls = urls
        self.lock = Lock()

    @_told_to_client
    def list_files(self) -> Files:
        """List the cell files and models that the other tools can read."""
        folders = self.folders.folders
        found = list(islice(chain.from_iterable(map(_readable, folders)), FILES_LISTED + 1))
        listed = as_plain(found[:FILES_LISTED])
        return Files(folders=[*map(str, folders)], files=listed, more=len(found) > FILES_LISTED)

    @_told_to_client
    def annotate(
        self,
        cells: Cells,
        model: ModelPath,
        out: Annotated[
            str | None,
            Field(
                description="File to write: a table of the cells (.csv, .tsv) or the annotated cells (.h5ad, "
                ".zarr). Default: nothing is written."
            ),
        ] = None,
        unknown: Unknown = False,
        over: Over = None,
        backoff: Annotated[
            float | None,
            Field(
                ge=0,
                le=1,
                description="For models with a hierarchy: call cells by the deepest node whose probability "
                "is this or more, such as 0.9.",
            ),
        ] = None,
        organism: Organism = None,
        layer: Layer = None,
        use_raw: UseRaw = None,
        scale: Scale = None,
        gene_column: GeneColumn = None,
        force: Force = False,
    ) -> Annotation:
        """Predict the types of cells: how many cells of each type, how confidently, and what to beware of."""
        file = self.folders.find_existing(cells, "cells")
        target = None if out is None else self.folders.find(out, "out")
        if target is not None:
            check_predictions_path(target)
            check_output_predictions(target, file, force=force)
        check_inputs(file)
        clf = self._model(model, layer, use_raw, gene_column, scale)
        adata, source = read_query(file, clf)
        if target is not None:
            check_writable(target, adata)
        how: dict[str, Any] = {"unknown": unknown, "over": over, "organism": organism}
        clf.annotate(adata, X=source, backoff=False if backoff is None else backoff, **how)
        if target is not None:
            write_predictions(target, adata, source=source)
        written = [] if target is None else [target]
        return Annotation(**as_plain(describe_query(adata) | {"written": written}))

    @_told_to_client
    def explain(
        self,
        cells: Cells,
        model: ModelPath,
        type: Annotated[
            str | None, Field(description="Type to explain. Default: that predicted for `cell`.")
        ] = None,
        against: Annotated[
            str | None, Field(description="Explain what sets the type apart from this one.")
        ] = None,
        cell: Annotated[
            str | None,
            Field(
                description="Name of one cell to explain. Default: the mean of all predicted to be of `type`."
            ),
        ] = None,
        top: Top = 10,
        organism: Organism = None,
        layer: Layer = None,
        use_raw: UseRaw = None,
        scale: Scale = None,
        gene_column: GeneColumn = None,
    ) -> Reasons:
        """Say which genes, and which edges of the gene network, speak for and against a type."""
        if type is None and cell is None:
            raise ArgumentError("type", "Pass ", Argument("type"), ", ", Argument("cell"), " or both.")
        file = self.folders.find_existing(cells, "cells")
        check_inputs(file)
        clf = self._model(model, layer, use_raw, gene_column, scale)
        label = None if type is None else _label(clf, "type", type)
        other = None if against is None else _label(clf, "against", against)
        adata = read_cells(file)
        row = None if cell is None else _row(adata, cell)
        predicted = clf.predict(adata, organism=organism)
        if label is None:
            label = predicted[row]
        rows = _rows(predicted, label) if row is None else [row]
        return _reasons(clf, adata, label, other, rows, top, organism)

    @_told_to_client
    def report(
        self,
        cells: Cells,
        model: ModelPath,
        out: Annotated[str, Field(description="Page to write (.html).")] = "report.html",
        label: Annotated[
            str | None, Field(description="Column of .obs with known types, to compare with.")
        ] = None,
        unknown: Unknown = False,
        over: Over = None,
        subnetworks: Annotated[
            int,
            Field(
                ge=0,
                le=20,
                description="Number of types, the largest, whose subnetwork of genes is searched for. Each "
                "takes some seconds.",
            ),
        ] = 0,
        layer: Layer = None,
        use_raw: UseRaw = None,
        scale: Scale = None,
        gene_column: GeneColumn = None,
        force: Force = False,
    ) -> Annotation:
        """Predict the types of cells, and write an HTML page with figures and reasons for a reader."""
        from gene_gcn.cells import read_labels
        from gene_gcn.report import report_files, write_report

        file = self.folders.find_existing(cells, "cells")
        page = self.folders.find(out, "out")
        check_output_report(page, file, force=force, argument="out")
        written = [self.folders.find(str(each), "out") for each in report_files(page)]
        check_inputs(file)
        clf = self._model(model, layer, use_raw, gene_column, scale)
        adata, source = read_query(file, clf, *([] if label is None else [label]))
        if label is not None:
            read_labels(adata, label, allow_missing=True)  # raises before cells are annotated
        clf.annotate(adata, X=source, unknown=unknown, over=over)
        write_report(page, clf, adata, X=source, y=label, name=file.name, subnetworks=subnetworks)
        return Annotation(**as_plain(describe_query(adata) | {"written": written}))

    @_told_to_client
    def describe_model(self, model: ModelPath) -> Model:
        """Say which types and how many genes a model knows, from how many cells, and its gene network."""
        from gene_gcn.report.model_used import ModelUsed

        clf = self._model(model)
        types = [{"type": name, "training_cells": n_cells} for name, n_cells in ModelUsed.of(clf).types]
        return Model(**as_plain(describe_model(clf) | {"types": types}))

    @_told_to_client
    def markers(
        self,
        model: ModelPath,
        types: Annotated[list[str] | None, Field(description="Default: all types of the model.")] = None,
        top: Top = 10,
    ) -> Markers:
        """List the genes by which a model tells each type from the others."""
        clf = self._model(model)
        wanted = {str(_label(clf, "types", name)) for name in types or clf.classes_.tolist()}
        table = clf.explain_types(top=top)
        table = table[(table["against"] == "others") & table["type"].astype(str).isin(wanted)]
        table = table.assign(type=table["type"].astype(str))
        return Markers(markers=as_plain(table[["type", "gene", "contribution"]]))

    def _model(
        self,
        model: str,
        layer: str | None = None,
        use_raw: bool | None = None,
        gene_column: str | None = None,
        scale: str | None = None,
    ) -> GeneGCNClassifier:
        """Return a model that reads cells as asked; it is loaded again when it was trained again."""
        if model.lower().startswith(URLS):
            if not self.urls:
                text = " is a URL, which this server does not load; start it with --urls, or pass a path."
                raise ArgumentError("model", Argument("model", model), text)
            clf = _load(model, None)
        else:
            place = self.folders.find_existing(model, "model")
            files = [place, *place.glob("*")] if place.is_dir() else [place]
            clf = _load(str(place), tuple(file.stat().st_mtime_ns for file in sorted(files)))
        return read_as(copy.copy(clf), layer, use_raw, gene_column, scale)


@lru_cache(maxsize=MODELS_KEPT)
def _load(source: str, stamp: object) -> GeneGCNClassifier:
    """Load a model; `stamp` differs when its files do."""
    from gene_gcn import GeneGCNClassifier

    return GeneGCNClassifier.load(source)


def _readable(folder: Path) -> Iterator[dict[str, Any]]:
    """Find cell files and models, without hidden ones and those behind links."""
    from gene_gcn.storage.model_manifest import CONFIG_FILE, MANIFEST_FILE
    from gene_gcn.storage.model_zip import is_model_zip

    try:
        inside = sorted(folder.iterdir())
    except PermissionError:
        return
    for path in inside:
        if path.name.startswith(".") or path.is_symlink():
            continue
        if all((path / name).is_file() for name in (CONFIG_FILE, MANIFEST_FILE)):
            yield {"path": path, "kind": "model", "bytes": None}
            continue
        if path.suffix.lower() == ".zip" and is_model_zip(path):
            yield {"path": path, "kind": "model", "bytes": path.stat().st_size}
            continue
        try:
            check_cells_path(path)
        except (ArgumentError, OSError):
            if path.is_dir():
                yield from _readable(path)
        else:
            kind = "table" if path.name.lower().endswith(TABLES) else "cells"
            yield {"path": path, "kind": kind, "bytes": None if path.is_dir() else path.stat().st_size}


# ---- explanations ----


def _label(clf: GeneGCNClassifier, argument: str, name: object) -> Any:
    """Return the type of that name, which may be a number."""
    from gene_gcn.explain.checks import position_of

    classes = clf.classes_.tolist()
    return classes[position_of(str(name), [str(label) for label in classes], argument)]


def _row(adata: AnnData, cell: str) -> int:
    from gene_gcn.errors import first_few

    rows = (adata.obs_names == cell).nonzero()[0]
    if not len(rows):
        known = first_few(adata.obs_names[:4].tolist())
        raise ArgumentError("cell", Argument("cell", cell), f" is not the name of a cell; names are {known}.")
    return int(rows[0])


def _rows(predicted: np.ndarray, label: Any) -> np.ndarray:
    rows = (predicted == label).nonzero()[0]
    if not len(rows):
        text = ": no cell is predicted to be of this type; pass another, or a "
        raise ArgumentError("type", Argument("type", str(label)), text, Argument("cell"), ".")
    return rows


def _reasons(
    clf: GeneGCNClassifier,
    adata: AnnData,
    label: Any,
    against: Any,
    rows: Any,
    top: int,
    organism: str | None,
) -> Reasons:
    import numpy as np

    from gene_gcn.explain import GradientExplanation

    explanation = clf.explain(adata, [label], against, organism=organism)
    if isinstance(explanation, GradientExplanation) and len(rows) > FEWER_CELLS:
        rows = np.asarray(rows)[np.linspace(0, len(rows) - 1, FEWER_CELLS).round().astype(int)]
    genes = explanation.genes(label, None, cells=rows).rename(columns={"total": "contribution"})
    genes = genes[["gene", "contribution"]]
    edges = explanation.edges(label, top, cells=rows)
    summary = explanation.summary({label: rows}).loc[label]
    found = {
        "type": str(label),
        "against": None if against is None else str(against),
        "cells": len(rows),
        "logit": summary["logit"],
        "baseline": summary["baseline"],
        "genes_for": genes[genes["contribution"] > 0].head(top),
        "genes_against": genes[genes["contribution"] < 0].head(top),
        "edges": edges[edges["contribution"] != 0],
    }
    return Reasons(**as_plain(found))
