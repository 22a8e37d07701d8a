"""Write a report: collect, draw, render."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from gene_gcn.cells import is_anndata
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.report.advice import advice
from gene_gcn.report.agreement import Agreement
from gene_gcn.report.cells_read import CellsRead, read
from gene_gcn.report.comparison import Comparison
from gene_gcn.report.figures import Pictures
from gene_gcn.report.methods import Methods
from gene_gcn.report.model_used import ModelUsed
from gene_gcn.report.multiqc import general_statistics, type_counts
from gene_gcn.report.paths import check_report_path, report_files
from gene_gcn.report.reasons import Reasons
from gene_gcn.report.types_found import TypesFound
from gene_gcn.storage.atomic import replacing

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier

__all__ = ["Report", "write_report"]

TEMPLATE = "report.html.j2"


@dataclass(frozen=True, eq=False)
class Report:
    """All that a report says.

    Attributes
    ----------
    name : str
        What the cells are called.
    created : str
        Day, year first.
    command : str
        What repeats it; "" if that is not known.
    cells : CellsRead
    types : TypesFound
    model : ModelUsed
    methods : Methods
    pictures : Pictures
    reasons : Reasons or None
    agreement : Agreement or None
    comparison : Comparison or None
    n_sampled : int
        Cells in figures and explanations.
    """

    name: str
    created: str
    command: str
    cells: CellsRead
    types: TypesFound
    model: ModelUsed
    methods: Methods
    pictures: Pictures
    reasons: Reasons | None
    agreement: Agreement | None
    comparison: Comparison | None
    n_sampled: int

    @property
    def advice(self) -> list[str]:
        """What a reader should check."""
        return advice(self.cells, self.types, self.comparison)

    @classmethod
    def of(
        cls,
        clf: GeneGCNClassifier,
        adata: AnnData,
        key: str,
        y: Any,
        name: str,
        command: str,
        subnetworks: int,
        X: Any = None,
    ) -> Report:
        """Collect what `write_report` writes."""
        comparison = None if y is None or not adata.n_obs else Comparison.of(clf, adata, y, key)
        cells, sample = read(clf, adata, X, key)
        types, model = TypesFound.of(adata, key), ModelUsed.of(clf)
        agreement = Agreement.of(adata, key) if adata.n_obs else None
        reasons = None if sample is None else Reasons.of(clf, sample, key, subnetworks)
        pictures = Pictures()
        if sample is not None:
            pictures = Pictures.of(clf, adata, key, sample, types, reasons, agreement, comparison)
        return cls(
            name=name,
            created=datetime.now(UTC).astimezone().date().isoformat(),
            command=command,
            cells=cells,
            types=types,
            model=model,
            methods=Methods.of(cells, types, model, agreement, pictures.umap_is_own),
            pictures=pictures,
            reasons=reasons,
            agreement=agreement,
            comparison=comparison,
            n_sampled=0 if sample is None else sample.X.shape[0],
        )

    def to_html(self) -> str:
        """Return one page, without anything that would be loaded from elsewhere."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        loader = PackageLoader("gene_gcn.report", "")
        environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters |= {"number": "{:,.0f}".format, "percent": _percent}
        return environment.get_template(TEMPLATE).render(report=self)


def _percent(fraction: float) -> str:
    """Return a percentage that is 0 % or 100 % only where that is exact."""
    text = f"{fraction:.1%}"
    if text == "100.0%" and fraction < 1:
        return "> 99.9%"
    return "< 0.1%" if text == "0.0%" and fraction > 0 else text


def write_report(
    path: str | os.PathLike[str],
    clf: GeneGCNClassifier,
    adata: AnnData,
    *,
    X: Any = None,
    y: Any = None,
    key: str = "gene_gcn",
    name: str | None = None,
    command: str = "",
    subnetworks: int = 4,
) -> None:
    """Write an HTML page about annotated cells, for a browser or for print.

    The page holds its figures and loads nothing. Beside it, two files for MultiQC are written, with the same
    name but ``_types_mqc.json`` and ``_stats_mqc.json`` instead of ``.html``. Tables are about all cells;
    figures and explanations are about 4,000 cells drawn at random if there are more.

    Parameters
    ----------
    path : str or path-like
        Ends in ``.html``. What is there is replaced.
    clf : GeneGCNClassifier
        The fitted classifier that annotated the cells.
    adata : AnnData
        Cells that `clf.annotate` annotated; not changed. Its `X_umap` is drawn, if it has one.
    X : path or other cells on disk, optional
        What `annotate` took as `X`, if `adata` has no matrix. Only the cells for figures and explanations are
        read, and the page says that depths and genes per cell are those of these.
    y : str or array-like, shape (B,), optional
        Known types: a column of `adata.obs`, or labels. Cells without a label are not compared.
    key : str
        What `key_added` of `annotate` was.
    name : str, optional
        What the cells are called, such as the name of their file; by default that of `path`.
    command : str
        What repeats the report, to be shown at its end.
    subnetworks : int
        For how many types, those with most cells, the subnetwork is searched for if the model has a network
        (`gene_gcn.explain.Explanation.subnetwork`, without p-values). Each takes some seconds.

    Raises
    ------
    ArgumentError
        The path has another ending, `adata` is not annotated by this classifier, y is not one label per cell
        or has none, or `subnetworks` is negative.
    """
    check_is_fitted(clf)
    check_report_path(path)
    _check_annotated(clf, adata, key)
    if isinstance(subnetworks, bool) or subnetworks != int(subnetworks) or subnetworks < 0:
        text = " must be a number of types, or 0 to search for none."
        raise ArgumentError("subnetworks", Argument("subnetworks", subnetworks), text)
    files = report_files(path)
    name = files[0].stem if name is None else name
    report = Report.of(clf, adata, key, y, name, command, int(subnetworks), X)
    contents = [
        report.to_html(),
        json.dumps(type_counts(name, report.types), indent=1),
        json.dumps(general_statistics(name, report.cells, report.types), indent=1),
    ]
    for target, content in zip(files, contents, strict=True):
        with replacing(target) as file:
            file.write_text(content, encoding="utf-8")


def _check_annotated(clf: GeneGCNClassifier, adata: AnnData, key: str) -> None:
    if not is_anndata(adata):
        text = f"adata is a {type(adata).__name__}; pass an AnnData that clf.annotate annotated."
        raise ArgumentError("adata", text)
    there = key in adata.obs and f"{key}_proba" in adata.obsm and "types" in adata.uns.get(key, {})
    if not there:
        text = " is not what clf.annotate wrote into these cells; call it first."
        raise ArgumentError("key", Argument("key", key), text)
    if "organism" in adata.uns[key]:
        whose = f"adata was annotated as cells of {adata.uns[key]['organism']}"
        raise ArgumentError(
            "adata", f"{whose}, and reports are written of cells of the model's species only."
        )
    if list(map(str, adata.uns[key]["types"])) != list(map(str, clf.classes_)):
        text = (
            f" has the types of another classifier ({', '.join(map(str, adata.uns[key]['types'][:3]))}, …)."
        )
        raise ArgumentError("key", Argument("key", key), text)
