"""A paragraph of methods to paste, and what it cites."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gene_gcn.estimators.consensus import OWN_CLUSTERS
from gene_gcn.report.agreement import Agreement
from gene_gcn.report.cells_read import CellsRead
from gene_gcn.report.model_used import ModelUsed, NetworkUsed
from gene_gcn.report.types_found import TypesFound

NORMALIZED = {
    "sqrt": "Expression was scaled to the median depth of the training cells ({:,.0f}) and square-root "
    "transformed",
    "log1p": "Expression was scaled to {:,.0f} per cell and log1p-transformed",
    "none": "Values were used as they were",
}
GUO = (
    "Guo C, Pleiss G, Sun Y, Weinberger KQ (2017) On calibration of modern neural networks. arXiv:1706.04599"
)
KIPF = (
    "Kipf TN, Welling M (2017) Semi-supervised classification with graph convolutional networks. "
    "arXiv:1609.02907"
)
TIPPING = (
    "Tipping ME, Bishop CM (1999) Probabilistic principal component analysis. J R Stat Soc B 61:611–622. "
    "doi:10.1111/1467-9868.00196"
)
ANGELOPOULOS = (
    "Angelopoulos AN, Bates S (2023) Conformal prediction: a gentle introduction. Found Trends Mach Learn "
    "16:494–591. doi:10.1561/2200000101"
)
MCINNES = (
    "McInnes L, Healy J, Melville J (2018) UMAP: uniform manifold approximation and projection for dimension "
    "reduction. arXiv:1802.03426"
)
WOLF = (
    "Wolf FA, Angerer P, Theis FJ (2018) SCANPY: large-scale single-cell gene expression data analysis. "
    "Genome Biol 19:15. doi:10.1186/s13059-017-1382-0"
)
TRAAG = (
    "Traag VA, Waltman L, van Eck NJ (2019) From Louvain to Leiden: guaranteeing well-connected communities. "
    "Sci Rep 9:5233. doi:10.1038/s41598-019-41695-z"
)
_IDENTIFIER = re.compile(
    r"\b(?:doi:\s*|https?://doi\.org/)(10\.\S+?)[.,;)]*(?=\s|$)|\barXiv:(\d{4}\.\d{4,5})"
)


@dataclass(frozen=True)
class Citation:
    """A citation, and the address of its DOI or arXiv number; "" if it has none."""

    text: str
    url: str

    @classmethod
    def of(cls, text: str) -> Citation:
        """Find the identifier in a text."""
        found = _IDENTIFIER.search(text)
        if not found:
            return cls(text, "")
        return cls(text, f"https://doi.org/{found[1]}" if found[1] else f"https://arxiv.org/abs/{found[2]}")


@dataclass(frozen=True)
class Methods:
    """Sentences with numbers of citations, and the citations in this order."""

    sentences: tuple[str, ...]
    citations: tuple[Citation, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)

    @classmethod
    def of(
        cls,
        cells: CellsRead,
        types: TypesFound,
        model: ModelUsed,
        agreement: Agreement | None,
        has_umap: bool,
    ) -> Methods:
        """Say how the types were made."""
        writer = _Writer()
        writer.training(model)
        writer.query(cells, types, model)
        if agreement is not None:
            what = "Leiden clusters" if agreement.over == OWN_CLUSTERS else agreement.over
            cited = f" {writer.cite(TRAAG)}" if agreement.over == OWN_CLUSTERS else ""
            writer.add(f"Types are a consensus over {what}{cited}.")
        if has_umap:
            umap, scanpy = writer.cite(MCINNES), writer.cite(WOLF)
            writer.add(f"Cells are shown by UMAP {umap}, computed with scanpy {scanpy}.")
        return cls(tuple(writer.sentences), tuple(map(Citation.of, writer.cited)))


class _Writer:
    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.cited: list[str] = []

    def add(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def cite(self, text: str) -> str:
        """Return the number of a citation, in brackets."""
        if text not in self.cited:
            self.cited.append(text)
        return f"[{self.cited.index(text) + 1}]"

    def training(self, model: ModelUsed) -> None:
        version = dict(model.versions)
        cells = "" if model.n_cells is None else f"{model.n_cells:,} cells of "
        kind = "linear model" if model.is_linear else "graph neural network"
        self.add(
            f"Cell types were annotated with gene_gcn {version['gene_gcn']} (Python {version['Python']}, "
            f"torch {version.get('torch', '')}): a {kind} of all genes, trained on {cells}"
            f"{len(model.types):,} types and {model.n_genes:,} genes ({model.input_scale})."
        )
        self.add(NORMALIZED[model.method].format(model.target_sum) + ".")
        if model.network is not None:
            self._network(model.network)
        if model.is_linear:
            self.add(
                f"Probabilities are calibrated by temperature scaling {self.cite(GUO)} on held-out cells."
            )
        if model.settings:
            self.add(f"Other settings: {', '.join(f'{name} = {value}' for name, value in model.settings)}.")

    def _network(self, network: NetworkUsed) -> None:
        graph = f"{network.name} {self.cite(network.citation)}" if network.citation else network.name
        graph += f" ({network.edges:,} edges between {network.genes:,} of these genes)"
        if not network.is_used:
            self.add(f"Cross-validation gave the gene network, {graph}, the weight 0, so it was not used.")
            return
        chosen = "" if network.weight is None else f" with the weight {network.weight:g} (cross-validation)"
        self.add(f"Expression was propagated {self.cite(KIPF)} along {graph}{chosen}.")

    def query(self, cells: CellsRead, types: TypesFound, model: ModelUsed) -> None:
        if not cells.n_cells:
            return
        self.add(f"{cells.n_cells:,} cells were annotated; their values are {cells.scale}.")
        if cells.n_missing and model.imputes:
            self.add(
                f"{cells.n_missing:,} genes of the model were not measured and were imputed by probabilistic "
                f"principal component analysis {self.cite(TIPPING)}."
            )
        elif cells.n_missing:
            self.add(f"{cells.n_missing:,} genes of the model were not measured and count as zero.")
        if types.shift_is_removed:
            self.add(
                "What all types had in common that differed from the training cells was removed "
                f"(shift {types.shift:.2f})."
            )
        if types.n_unknown is not None:
            self.add(
                f"Cells with a novelty p-value below {types.unknown_below:g} are called unknown "
                f"({types.n_unknown:,} cells)."
            )
        if types.has_sets:
            level = "" if types.alpha is None else f" at level α = {types.alpha:g}"
            self.add(f"Sets of types are class-conditional conformal sets {self.cite(ANGELOPOULOS)}{level}.")
