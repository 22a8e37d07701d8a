"""Figures of a report: pictures inside the page, with a text for those who cannot see them."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from gene_gcn import plots
from gene_gcn.errors import ArgumentError, GeneGCNWarning
from gene_gcn.plots.figure import root_figure
from gene_gcn.plots.types import as_types
from gene_gcn.report.agreement import Agreement
from gene_gcn.report.cells_read import Sample
from gene_gcn.report.comparison import Comparison
from gene_gcn.report.reasons import Reasons
from gene_gcn.report.types_found import TypesFound

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gene_gcn import GeneGCNClassifier

DPI = 110  # of the parts of an SVG that are not drawn as lines
MOST_BYTES = 150_000  # of an SVG
PNG_DPI, MOST_PIXELS = 115, 1_300  # of a PNG
FEWEST_CELLS = 20  # from which on cells are placed by UMAP
MOST_NAMES = 5  # of types in a text
MOST_TYPES = 20  # in the figure of markers
MOST_GENES = 25  # in the figure of a subnetwork
WIDE = 640  # pixels, from which on a figure keeps its size on a phone and can be moved
PIXELS_PER_POINT = 96 / 72


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI.

    Attributes
    ----------
    uri, alt, caption : str
    width, height : int
        In pixels of a page.
    """

    uri: str
    alt: str
    caption: str
    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        return self.width > WIDE

    @classmethod
    def of(cls, ax: Axes, alt: str, caption: str) -> Picture:
        """Draw the figure of some axes as SVG, or as PNG where that would be large.

        The same figure gives the same bytes.
        """
        from matplotlib import rc_context

        figure = root_figure(ax)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with rc_context({"svg.hashsalt": "gene_gcn"}):
            svg = _drawn(figure, format="svg", dpi=DPI, metadata=nothing)
        size = re.search(rb'width="([\d.]+)pt" height="([\d.]+)pt"', svg)
        assert size is not None  # matplotlib writes it
        points = [float(length) for length in size.groups()]
        kind, content = "svg+xml", svg
        if len(svg) > MOST_BYTES:
            dpi = min(PNG_DPI, 72 * MOST_PIXELS / max(points))
            kind, content = "png", _drawn(figure, format="png", dpi=dpi, metadata={"Software": None})
        uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        width, height = (round(length * PIXELS_PER_POINT) for length in points)
        return cls(uri, alt, caption, width, height)


def _drawn(figure: Figure, **options: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, facecolor="white", bbox_inches="tight", **options)
    return buffer.getvalue()


@dataclass(frozen=True)
class Pictures:
    """The pictures of a report; those that could not be drawn are missing."""

    umap: tuple[Picture, ...] = ()
    umap_is_own: bool = False  # computed for the report
    confidence: Picture | None = None
    markers: Picture | None = None
    subnetworks: tuple[Picture, ...] = ()
    changes: Picture | None = None
    confusion: Picture | None = None
    calibration: Picture | None = None

    @classmethod
    def of(
        cls,
        clf: GeneGCNClassifier,
        adata: AnnData,
        key: str,
        sample: Sample,
        types: TypesFound,
        reasons: Reasons | None,
        agreement: Agreement | None,
        comparison: Comparison | None,
    ) -> Pictures:
        """Draw all that can be drawn."""
        is_own = "X_umap" not in sample.adata.obsm
        placed = _place(clf, sample) if is_own else True
        return cls(
            umap=tuple(_draw_umap(sample, key, types)) if placed else (),
            umap_is_own=is_own and placed,
            confidence=_draw_confidence(adata, key, types),
            markers=None if reasons is None else _draw_markers(clf, sample, key, types, reasons),
            subnetworks=() if reasons is None else tuple(_draw_subnetworks(reasons)),
            changes=None if agreement is None else _draw_changes(agreement),
            confusion=None if comparison is None else _draw_confusion(comparison),
            calibration=None if comparison is None else _draw_calibration(adata, key, comparison),
        )


def _place(clf: GeneGCNClassifier, sample: Sample) -> bool:
    """Write a UMAP into the sample, of the model's components or, without an imputer, of principal ones."""
    n = sample.X.shape[0]
    if n < FEWEST_CELLS:
        return False
    import scanpy as sc
    from anndata import AnnData

    with warnings.catch_warnings(action="ignore"):  # of libraries, about threads and types of numbers
        if clf.imputer_ is None:
            components = sc.pp.pca(sample.X, n_comps=min(50, *(size - 1 for size in sample.X.shape)))
        elif sample.measured.all():
            components = sample.X @ clf.imputer_.axes.numpy()
        else:
            components = sample.X @ clf.imputer_.encoder(torch.from_numpy(sample.measured)).numpy()
        cells = AnnData(obs=sample.adata.obs[[]], obsm={"X_components": components})
        sc.pp.neighbors(cells, n_neighbors=min(15, n - 1), use_rep="X_components", random_state=0)
        sc.tl.umap(cells, random_state=0)
    sample.adata.obsm["X_umap"] = cells.obsm["X_umap"]
    return True


def _draw_umap(sample: Sample, key: str, types: TypesFound) -> Iterator[Picture]:
    cells = sample.adata
    shown = f"{cells.n_obs:,} cells" + ("" if sample.is_all else f" drawn at random from {_count(types):,}")
    names = ", ".join(found.name for found in types.types[:MOST_NAMES])
    yield Picture.of(
        plots.embedding(cells, key, title=f"Types, {cells.n_obs:,} cells"),
        f"Scatter plot of {shown} in two dimensions (UMAP), colored by type. The largest types: {names}.",
        f"UMAP of {shown}, colored by type. Cells that are close are alike; distances between groups mean "
        "little.",
    )
    numbers = {f"{key}_confidence": ("confidence", "Confidence")}
    if types.n_unknown is not None:
        numbers[f"{key}_novelty"] = ("p-value of novelty", "Novelty (p-value)")
    for column, (what, title) in numbers.items():
        values = cells.obs[column]
        yield Picture.of(
            plots.embedding(cells, column, title=title),
            f"The same cells, colored by {what}: median {values.median():.2f}, from {values.min():.2f} to "
            f"{values.max():.2f}.",
            f"The same cells, colored by {what}.",
        )


def _count(types: TypesFound) -> int:
    return sum(found.cells for found in types.types)


def _draw_confidence(adata: AnnData, key: str, types: TypesFound) -> Picture:
    named = sorted(types.named, key=lambda found: -found.confidence)
    alt = "Bars of the confidence of each type."
    if named:
        alt += f" The highest mean has {named[0].name} ({named[0].confidence:.2f}), "
        alt += f"the lowest {named[-1].name} ({named[-1].confidence:.2f})."
    return Picture.of(
        plots.confidence(adata, key),
        alt,
        "Confidence of the cells of each type. Types at the bottom deserve a look at their markers.",
    )


def _draw_markers(
    clf: GeneGCNClassifier, sample: Sample, key: str, types: TypesFound, reasons: Reasons
) -> Picture | None:
    shown = [found.name for found in types.named[:MOST_TYPES]]
    rows = np.isin(as_types(sample.adata.obs[key]), shown)
    table = reasons.table[reasons.table["type"].astype(str).isin(shown)]
    table = table.assign(gene=table["gene"].map(lambda gene: sample.names.get(gene, gene)))
    try:
        with warnings.catch_warnings(action="ignore", category=GeneGCNWarning):  # told already
            ax = plots.markers(
                sample.adata[rows],
                table,
                key,
                top=3,
                layer=clf.layer,
                use_raw=clf.use_raw,
                gene_column=clf.gene_column,
            )
    except ArgumentError:  # none of these cells has a type with markers, or all values are zero
        return None
    left_out = "" if len(shown) == len(types.named) else f" The {len(shown)} types with most cells are shown."
    return Picture.of(
        ax,
        f"Dot plot of three markers for each of {len(shown)} types: large dark dots where many cells of a "
        "type express a gene strongly. The markers are listed in the table below.",
        "Markers that the model learned from the training cells, as the cells of this file express them. A "
        f"type whose cells do not express its markers is doubtful.{left_out}",
    )


def _draw_subnetworks(reasons: Reasons) -> Iterator[Picture]:
    for found in reasons.subnetworks:
        genes = found.genes["gene"].tolist()
        graph = found.to_networkx()
        if len(genes) > MOST_GENES:
            graph = graph.subgraph(genes[:MOST_GENES])
        drawn = f"{len(genes)} genes" if len(graph) == len(genes) else f"{len(graph)} of {len(genes)} genes"
        yield Picture.of(
            plots.subnetwork(graph, title=str(found.type)),
            f"Graph of {drawn} and the edges between them. The largest contributions have "
            f"{', '.join(genes[:MOST_NAMES])}.",
            f"{found.type}: {drawn}"
            + ("." if len(graph) == len(genes) else ", those with the largest contributions."),
        )


def _draw_changes(agreement: Agreement) -> Picture | None:
    changed = agreement.before != agreement.after
    if not changed.any():
        return None
    pairs = pd.Series(agreement.before[changed]) + " to " + pd.Series(agreement.after[changed])
    most = pairs.value_counts()
    return Picture.of(
        plots.label_flow(agreement.before, agreement.after, names=("each cell alone", "consensus")),
        f"Flows from the types of cells alone to those of the consensus; {changed.sum():,} cells changed, "
        f"most of them from {most.index[0]} ({most.iloc[0]:,}).",
        "What the consensus changed. Cells that kept their type are gray.",
    )


def _draw_confusion(comparison: Comparison) -> Picture:
    wrong = sorted(comparison.types, key=lambda known: -known.mistakes)[0]
    accuracy = comparison.metrics["accuracy"]
    alt = f"Matrix of known against predicted types; {accuracy:.1%} of the cells are correct."
    if wrong.mistakes:
        mistake = f"{wrong.mistakes:,} cells of {wrong.name} called {wrong.mistaken_for}"
        alt += f" The most frequent mistake: {mistake}."
    return Picture.of(
        plots.confusion_matrix(comparison.true, comparison.predicted),
        alt,
        "Known types in rows, predicted ones in columns; colors are fractions of the cells of a known type.",
    )


def _draw_calibration(adata: AnnData, key: str, comparison: Comparison) -> Picture | None:
    probability = adata.obsm[f"{key}_proba"].to_numpy()[comparison.rows]
    ax = plots.calibration(comparison.true, probability, comparison.classes)
    return Picture.of(
        ax,
        "Reliability diagram: accuracy against confidence, in bins of cells. The expected calibration error "
        f"is {comparison.calibration_error:.3f}.",
        "How often the most probable type is right, at each confidence. Points below the diagonal are "
        "overconfident.",
    )
