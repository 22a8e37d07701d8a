"""`gene-gcn evaluate`: predicted against known types."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cli.checks import (
    check_inputs,
    check_output_file,
    check_output_folder,
    check_output_report,
)
from gene_gcn.cli.console import new_table, say
from gene_gcn.cli.inputs import load_model, read_labeled_cells
from gene_gcn.cli.options import (
    Cells,
    Force,
    Genome,
    Label,
    ModelFolder,
    QueryGeneColumn,
    QueryLayer,
    QueryScale,
    QueryUseRaw,
    ReportFile,
)
from gene_gcn.cli.results import as_plain
from gene_gcn.cli.spelling import typed_command
from gene_gcn.errors import LabelWarning, warn

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from matplotlib.figure import Figure

    from gene_gcn import GeneGCNClassifier
    from gene_gcn.ontology import Hierarchy

SCORES = ("accuracy", "macro_f1", "weighted_f1", "balanced_accuracy")
METRICS, PREDICTIONS, FIGURE = OUTPUTS = ("metrics.json", "predictions.csv", "confusion_matrix.png")


def evaluate(
    context: typer.Context,
    cells: Cells,
    model: ModelFolder,
    label: Label,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=f"Folder to write {', '.join(OUTPUTS)} to.")
    ] = None,
    layer: QueryLayer = None,
    use_raw: QueryUseRaw = None,
    gene_column: QueryGeneColumn = None,
    scale: QueryScale = None,
    genome: Genome = None,
    report: ReportFile = None,
    force: Force = False,
) -> dict[str, Any]:
    """Compare the predictions of a trained model with known types."""
    if out is not None:
        check_output_folder(out)
        for name in OUTPUTS:
            check_output_file(out / name, cells, force=force)
    if report is not None:
        check_output_report(report, cells, force=force)
    check_inputs(cells)
    clf = load_model(model, layer, use_raw, gene_column, scale)
    adata = read_labeled_cells(cells, label, genome, may_be_none=True)
    truth, types = _truth_and_types(adata, label, clf)
    clf.annotate(adata)
    from gene_gcn.cells import UNASSIGNED

    name_of = dict(zip(clf.classes_.tolist(), types, strict=True))
    predicted = [name_of.get(name, UNASSIGNED) for name in adata.obs["gene_gcn"]]
    scores, recall = _score(truth, predicted, clf.hierarchy_)
    unknown = sorted(set(truth) - set(types))
    _say_recall(recall)
    width = max(20, *(len(name) + 2 for name in scores))
    for name, value in scores.items():
        spelled = name.replace("_", " ").replace("f1", "F1").replace("cl ", "CL ")
        say(f"{spelled:<{width}}{value:.3f}")
    if unknown:
        say(_about_unknown_types(recall, unknown))
        _warn_of_spellings(unknown, types)
    written: list[Path] = []
    if out is not None:
        counts = {"cells": adata.n_obs, "unknown_types": unknown, "recall": recall["recall"].to_dict()}
        _write(out, adata, truth, predicted, scores | counts)
        written += [out / name for name in OUTPUTS]
        say(f"Written   {', '.join(map(str, written))}")
    if report is not None:
        from gene_gcn.report import report_files, write_report

        write_report(report, clf, adata, y=label, name=cells.name, command=typed_command(context))
        say(f"Report    {report}")
        written += report_files(report)
    return {
        "cells": adata.n_obs,
        "metrics": scores,
        "types": recall.reset_index(),
        "unknown_types": unknown,
        "written": written,
    }


def _truth_and_types(adata: AnnData, label: str, clf: GeneGCNClassifier) -> tuple[list[str], list[str]]:
    """Return the known types of the cells and the types of the model, as text."""
    from gene_gcn.cells import labels_as_text, read_labels, to_same_kind

    if not adata.n_obs:
        return [], labels_as_text(clf.classes_).tolist()
    both = to_same_kind(read_labels(adata, label), clf.classes_)
    truth, types = (labels_as_text(labels).tolist() for labels in both)
    return truth, types


def _score(
    truth: list[str], predicted: list[str], hierarchy: Hierarchy | None
) -> tuple[dict[str, float], pd.DataFrame]:
    """Return the metrics, NaN without cells, and the recall of each type."""
    import pandas as pd

    from gene_gcn.benchmark import metrics

    if not truth:
        no_types = pd.DataFrame(columns=["cells", "correct", "recall"]).rename_axis("type")
        return dict.fromkeys(SCORES, math.nan), no_types
    scores = metrics.evaluate(truth, predicted)
    if hierarchy is not None and any(name in hierarchy for name in truth):
        from gene_gcn.ontology import cl_scores, hierarchical_scores

        scores |= cl_scores(truth, predicted, hierarchy)
        scores |= hierarchical_scores(truth, predicted, hierarchy)
    return scores, metrics.recall_per_type(truth, predicted)


def _say_recall(recall: pd.DataFrame) -> None:
    table = new_table("Recall by type", "type", "cells", "correct", "recall")
    for name, row in recall.iterrows():
        table.add_row(str(name), f"{int(row['cells']):,}", f"{int(row['correct']):,}", f"{row['recall']:.1%}")
    say(table)


def _about_unknown_types(recall: pd.DataFrame, unknown: list[str]) -> str:
    n = int(recall.loc[unknown, "cells"].sum())
    text = f"{n:,} cells are of types unknown to the model ({', '.join(unknown)}) and count as errors"
    others = int(recall["cells"].sum()) - n
    if others:
        text += f"; of the other {others:,}, {recall['correct'].sum() / others:.1%} are correct"
    return f"{text}."


def _warn_of_spellings(unknown: list[str], types: list[str]) -> None:
    from gene_gcn.cells import find_near_twins

    for twins in find_near_twins([*unknown, *types]):
        if set(twins) & set(unknown):
            what = f"{' and '.join(map(repr, twins))} differ only in case, spaces or Unicode form"
            warn(LabelWarning(f"{what}, but are compared as different types; rename them if they are one."))


def _write(
    out: Path, adata: AnnData, truth: Sequence[str], predicted: Sequence[str], metrics: dict[str, Any]
) -> None:
    from gene_gcn import plots
    from gene_gcn.cells import write_predictions
    from gene_gcn.storage.atomic import replacing

    with replacing(out / METRICS) as file:
        file.write_text(json.dumps(as_plain(metrics), indent=2) + "\n", encoding="utf-8")
    write_predictions(out / PREDICTIONS, adata)
    with replacing(out / FIGURE) as file:
        figure = plots.confusion_matrix(truth, predicted) if truth else _no_cells()
        plots.save_figure(figure, file)


def _no_cells() -> Figure:
    """Return what is drawn of no cells, so that the file is there."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 1))
    figure.text(0.5, 0.5, "no cells", ha="center", va="center")
    return figure
