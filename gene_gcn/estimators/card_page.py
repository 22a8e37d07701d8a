"""The card of a model: README.md, which people read and the Hugging Face Hub parses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

from gene_gcn.cells.label_values import labels_as_text
from gene_gcn.cells.scale import SCALE_NAMES
from gene_gcn.errors import ArgumentError, first_few
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.genes.organism_of_genes import organism_of_genes
from gene_gcn.genes.organisms import find_organism
from gene_gcn.ontology.hierarchy import UNKNOWN_ID
from gene_gcn.uncertainty import calibration_error

if TYPE_CHECKING:
    from gene_gcn.estimators.card import Provenance
    from gene_gcn.estimators.saving import SavedClassifier

__all__ = ["PLACEHOLDER", "HeldOutMetrics", "without_front_matter", "write_card"]

PLACEHOLDER = "hf://owner/name"  # where the card says how to load the model

FEW_CELLS = 20  # types with fewer training cells are named among the limits
CONFUSED = 0.05  # the fraction of a type's held-out cells from which a confusion is worth a word
LONGEST_LABEL = 80  # characters of a name in a table
MOST_NAMES = 8  # of types or batches in a sentence
# The Hub's identifiers of licenses that data and models usually have; others are "other", with their name.
LICENSES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "gpl-3.0", "agpl-3.0", "lgpl-3.0", "unlicense"),
    *("cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
    *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-4.0"),
    *("odbl", "odc-by", "pddl", "cdla-permissive-2.0"),
}
NORMALIZED = {
    "sqrt": "square roots of expression scaled to {:,.0f} per cell",
    "log1p": "log1p of expression scaled to {:,.0f} per cell",
    "none": "values as they are",
}
MISSING = {
    "impute": "imputed by probabilistic principal component analysis",
    "refit": "imputed, and the head is fitted again to the genes that the query has",
    "zero": "count as zero",
}
HOW_HELD_OUT = {
    "cells": "Cross-validation: each cell was classified by a model that had not seen its fold.",
    "batches": "Cross-validation that left whole batches out: each cell was classified by a model that had "
    "not seen its batch (types of a single batch were left out in parts).",
    "labeled": "Cross-validation of a model of the labeled cells alone; the model itself learned from "
    "unlabeled cells, too.",
}
WHY_NOT_MEASURED = {
    "markers": "the types of the training cells are from marker genes, so there were no labels to compare "
    "with",
    "drawn": "the model was fitted to cells drawn from the sums that models keep, which are not real cells",
}
_SPECIAL = re.compile(r"([\\`*{}\[\]#|~$!]|(?<!\w)_|_(?!\w))")  # an underscore within a word is one
_ADDRESS = re.compile(r"https?://[^\s<>\"'`|\\]+")
_FRONT = re.compile(r"---\n.*?\n---\n", re.DOTALL)


@dataclass(frozen=True)
class HeldOutMetrics:
    """How well held-out cells were classified.

    Attributes
    ----------
    n_cells : int
    accuracy, macro_f1, balanced_accuracy, calibration_error : float
        Macro-F1 and recall are means over the types that have held-out cells, or were called.
    f1 : ndarray, shape (K,)
        NaN for types without held-out cells.
    confused : ndarray of int, shape (K,)
        The type that held-out cells of each type were called most often besides their own; −1 for none.
    """

    n_cells: int
    accuracy: float
    macro_f1: float
    balanced_accuracy: float
    calibration_error: float
    f1: np.ndarray
    confused: np.ndarray

    @classmethod
    def of(cls, logits: np.ndarray, types: np.ndarray) -> HeldOutMetrics | None:
        """Compute metrics from logits (cells, K) and types (cells,); None without cells."""
        if not len(types):
            return None
        k = logits.shape[1]
        probability = softmax(logits.astype(np.float64), axis=1)
        called = probability.argmax(1)
        counts = np.bincount(types * k + called, minlength=k * k).reshape(k, k)  # (true, called)
        right, true, given = counts.diagonal(), counts.sum(1), counts.sum(0)
        f1 = np.where(true + given > 0, 2 * right / np.maximum(true + given, 1), np.nan)
        wrong = counts - np.diag(right)
        confused = np.where(wrong.max(1) >= np.maximum(CONFUSED * true, 1), wrong.argmax(1), -1)
        return cls(
            n_cells=len(types),
            accuracy=float(right.sum() / len(types)),
            macro_f1=float(np.nanmean(f1)),
            balanced_accuracy=float((right[true > 0] / true[true > 0]).mean()),
            calibration_error=calibration_error(called == types, probability.max(1)),
            f1=np.where(true > 0, f1, np.nan),
            confused=confused,
        )

    def by_name(self) -> dict[str, float]:
        """Return the metrics of all types together, rounded as they are written."""
        return {
            "accuracy": round(self.accuracy, 3),
            "macro F1": round(self.macro_f1, 3),
            "balanced accuracy": round(self.balanced_accuracy, 3),
            "expected calibration error": round(self.calibration_error, 3),
        }


def write_card(saved: SavedClassifier) -> str:
    """Return the card of a classifier: YAML, then Markdown.

    It depends on nothing but the model. Metrics are those of held-out cells, never of training cells.
    """
    return _Writer(saved).page()


def without_front_matter(card: str) -> str:
    """Return the Markdown of a card without its YAML."""
    return _FRONT.sub("", card, count=1).lstrip("\n")


class _Writer:
    def __init__(self, saved: SavedClassifier) -> None:
        self.saved, self.card = saved, saved.card
        self.types = [str(label) for label in labels_as_text(saved.classes.astype(object))]
        self.is_linear = isinstance(saved.fitted, LinearModel)
        self.counts: np.ndarray | None = None
        self.metrics: HeldOutMetrics | None = None
        if isinstance(saved.fitted, LinearModel):
            self.counts = saved.fitted.reference.profiles.counts.astype(int)
            if saved.provenance is not None and saved.provenance.held_out in HOW_HELD_OUT:
                held_out = saved.fitted.reference.held_out
                self.metrics = HeldOutMetrics.of(held_out.logits, held_out.types)

    # ---- the whole ----

    def page(self) -> str:
        import yaml

        front = yaml.safe_dump(self.front_matter(), sort_keys=False, allow_unicode=True, width=1000)
        parts = [
            f"---\n{front}---\n",
            f"# {_md(self.title)}\n",
            *self.summary(),
            "## How to use it\n",
            _USAGE,
            "## Cells\n",
            _list(self.cells()),
            "## Types\n",
            self.types_table(),
            "## Accuracy\n",
            *self.accuracy(),
            "## Gene network\n",
            self.network(),
            "## Model\n",
            _list(self.model()),
            "## Intended use\n",
            *self.intended_use(),
            "## What it cannot tell\n",
            *self.limits(),
            "## License\n",
            *self.licenses(),
        ]
        return "\n".join(parts).rstrip() + "\n"

    def front_matter(self) -> dict[str, Any]:
        """Return what the Hub reads: https://huggingface.co/docs/hub/model-cards."""
        card = self.card
        tags = ["gene_gcn", "biology", "single-cell", "scRNA-seq", "cell-type-annotation", "modality:rna"]
        for name in ("tissue", "organism", "assay", "disease"):
            stated = self.organisms if name == "organism" else getattr(card, name)
            tags += [f"{name}:{_line(value)}" for value in stated]
        values: dict[str, Any] = {"library_name": "gene_gcn", "pipeline_tag": "tabular-classification"}
        if card.license:
            values |= _hub_license(card.license)
        values["tags"] = tags
        if self.metrics is not None:
            values["metrics"] = ["accuracy", "f1"]
            values["model-index"] = [self.model_index(self.metrics)]
        return values

    def model_index(self, metrics: HeldOutMetrics) -> dict[str, Any]:
        found = metrics.by_name()
        kinds = {"accuracy": "accuracy", "macro F1": "f1"}
        return {
            "name": _line(self.title),
            "results": [
                {
                    "task": {"type": "tabular-classification", "name": "cell type annotation"},
                    "dataset": {"type": "training-cells", "name": "held-out training cells"},
                    "metrics": [
                        {"type": kind, "name": f"{name} (cross-validation)", "value": found[name]}
                        for name, kind in kinds.items()
                    ],
                }
            ],
        }

    @property
    def title(self) -> str:
        if self.card.title:
            return self.card.title
        tissue = f" of {', '.join(self.card.tissue)}" if self.card.tissue else ""
        return f"Cell types{tissue}"

    @property
    def organisms(self) -> tuple[str, ...]:
        """The organisms that are stated; else that of the parameter; else that of the gene names."""
        if self.card.organism:
            return tuple(self.card.organism)
        given = self.saved.parameters.get("organism")
        try:
            found = find_organism(given) if given else organism_of_genes(self.saved.normalizer.genes or ())
        except ArgumentError:
            return ()
        return (found.scientific_name,) if found and found.scientific_name else ()

    @property
    def n_cells(self) -> str:
        return "" if self.counts is None else f"{self.counts.sum():,} cells"

    # ---- sections ----

    def summary(self) -> list[str]:
        trained = f", fitted to {self.n_cells}" if self.counts is not None else ""
        text = f"A model of gene_gcn that tells {len(self.types):,} cell types apart by the expression of "
        text += f"{self.saved.normalizer.n_genes:,} genes{trained}."
        return [f"{_md(text)}\n", *_paragraphs(self.card.description)]

    def cells(self) -> list[tuple[str, str]]:
        card = self.card
        inferred = "" if card.organism or not self.organisms else " (inferred from the gene names)"
        batches = f"{len(self.saved.batches):,}, kept apart" if self.saved.batches else ""
        unknown = "not stated"
        return [
            ("Organism", (_listed(self.organisms) or unknown) + inferred),
            ("Tissue", _listed(card.tissue) or unknown),
            ("Assay", _listed(card.assay) or unknown),
            ("Disease", _listed(card.disease) or unknown),
            ("Donors", f"{card.donors:,}" if card.donors else unknown),
            ("Cells", self.n_cells and f"{self.n_cells} of {len(self.types):,} types"),
            ("Batches", batches),
            ("Source", _linked(card.source) if card.source else unknown),
            ("Please cite", _linked(card.citation) if card.citation else ""),
            ("License of the cells", _md(card.cells_license) if card.cells_license else unknown),
        ]

    def types_table(self) -> str:
        hierarchy = self.saved.hierarchy
        ids = list(hierarchy.ids[: len(self.types)]) if hierarchy is not None else []
        has_ids = any(each != UNKNOWN_ID for each in ids)
        header = ["Type", *(["Cell Ontology"] if has_ids else []), "Cells"]
        if self.metrics is not None:
            header += ["F1", "Often called"]
        rows = []
        for k, name in enumerate(self.types):
            row = [_label(name)]
            if has_ids:
                row.append(_md(ids[k]) if ids[k] != UNKNOWN_ID else "–")
            row.append("–" if self.counts is None else f"{self.counts[k]:,}")
            if self.metrics is not None:
                f1, other = self.metrics.f1[k], self.metrics.confused[k]
                row += ["–" if np.isnan(f1) else f"{f1:.2f}", _label(self.types[other]) if other >= 0 else ""]
            rows.append(tuple(row))
        if self.counts is not None:
            order = np.argsort(-self.counts, kind="stable")
            rows = [rows[k] for k in order]
        return _table(tuple(header), rows)

    def accuracy(self) -> Iterator[str]:
        provenance = self.saved.provenance
        yield from _paragraphs(self.card.measured)
        if self.metrics is None:
            yield f"Not measured: {self._why_not_measured(provenance)}.\n"
            return
        assert provenance is not None  # as there are metrics
        counted = f" ({self.metrics.n_cells:,} held-out cells)"
        named = self.metrics.by_name().items()
        rows = [(name[0].upper() + name[1:], f"{value:.3f}") for name, value in named]
        yield _table(("Metric" + counted, "Value"), rows)
        yield f"{HOW_HELD_OUT[provenance.held_out]} F1 in the table of types is of the same cells.\n"
        yield (
            "These cells are drawn evenly from the types as far as they have cells, so rare types weigh more "
            "than among the training cells, and the models that classified them had seen no more than the "
            "others of them: a model of all training cells tends to do better. The temperature of the "
            "probabilities and the weight of the network were chosen on the same cells, which flatters "
            "these numbers a little. Cells of another laboratory are classified less well.\n"
        )

    def _why_not_measured(self, provenance: Provenance | None) -> str:
        if not self.is_linear:
            return "training by gradients keeps no cells apart from those that it stops by"
        if provenance is None:
            return "the model was saved by a version that does not say what its held-out cells are"
        return WHY_NOT_MEASURED.get(provenance.held_out, "no type has two cells that could be held out")

    def network(self) -> str:
        network = self.saved.network
        if network is None:
            return "None.\n"
        source = network.source
        weight = self.saved.fitted.head.network_weight if isinstance(self.saved.fitted, LinearModel) else None
        used = "trained with the model" if weight is None else f"{weight:g}, chosen by cross-validation"
        if weight == 0:
            used = "0: cross-validation left the network out"
        genes = int(np.count_nonzero(network.degree))
        rows = [
            ("Network", _md(str(source or "") or "of the author's own")),
            ("Edges", f"{network.num_edges:,} between {genes:,} genes of the model"),
            ("Weight", used),
            ("License", _md(source.license) if source and source.license else ""),
            ("Please cite", _linked(source.citation) if source and source.citation else ""),
        ]
        return _list(rows)

    def model(self) -> list[tuple[str, str]]:
        saved, provenance = self.saved, self.saved.provenance
        normalizer, parameters = saved.normalizer, saved.parameters
        fit = "linear, fitted to convergence" if self.is_linear else "trained by gradients"
        attention = f", attention {parameters['attention']}" if parameters["attention"] else ""
        genes = f"{normalizer.n_genes:,}"
        genes += (
            f", such as {_md(', '.join(normalizer.genes[:3]))}" if normalizer.genes else ", without names"
        )
        rows = [
            ("Fit", fit + attention),
            ("Genes", genes),
            ("Expression", f"{NORMALIZED[normalizer.method].format(normalizer.target_sum)}"),
            ("Values of the training cells", _md(SCALE_NAMES[normalizer.input_scale])),
            ("Missing genes", MISSING[parameters["missing_genes"]] if normalizer.genes else "not allowed"),
        ]
        if provenance is not None:
            rows.append(("Date of the fit", _md(provenance.date)))
            rows.append(("Versions", _md(", ".join(f"{n} {v}" for n, v in provenance.versions.items()))))
            rows += [("Afterwards", _md(step)) for step in provenance.steps]
        if self.card.authors:
            rows.append(("Authors", _listed(self.card.authors)))
        return rows

    def intended_use(self) -> Iterator[str]:
        yield from _paragraphs(self.card.intended_use)
        yield (
            "To name the types of cells like the training cells: of the same organism and tissue, with "
            "expression of all genes or many of them, as counts or on another scale that gene_gcn "
            "recognizes. Names are suggestions for research, to be checked by marker genes; they are not a "
            "diagnosis.\n"
        )

    def limits(self) -> Iterator[str]:
        tested = [name for name in ("tissue", "assay", "disease") if getattr(self.card, name)]
        stated = " or ".join(tested or ["tissue", "assay", "disease"])
        lines = [
            "Types that are not in the table. Their cells get the most similar type, unless `unknown=True` "
            "(`--unknown`) calls them unknown, which finds many of them, not all.",
            "States and subtypes finer than the types in the table.",
            f"How well it does on cells of another {stated}, of another laboratory, or of another organism, "
            "by orthologs: that was not measured here.",
            "Whether the labels of the training cells were right: it repeats their mistakes.",
        ]
        if self.counts is not None:
            rare = [_label(self.types[k]) for k in np.flatnonzero(self.counts < FEW_CELLS)]
            if rare:
                names = first_few(rare, MOST_NAMES)
                lines.append(f"Much about types with fewer than {FEW_CELLS} training cells: {names}.")
        if not self.is_linear:
            lines.append("How sure it is: probabilities of models trained by gradients are not calibrated.")
        yield "\n".join(f"- {line}" for line in lines) + "\n"
        yield from _paragraphs(self.card.limitations)
        yield self._what_is_kept()

    def _what_is_kept(self) -> str:
        if not isinstance(self.saved.fitted, LinearModel):
            return (
                "The files hold weights and the mean expression of the training cells, and no single cell.\n"
            )
        reference = self.saved.fitted.reference
        cells, axes = reference.held_out.components.shape
        kept = "sums of the training cells by type" + (" and batch" if self.saved.batches else "")
        text = f"The files hold {kept}"
        if cells and reference.held_out.components.size:
            what = "drawn cells" if self._is_drawn else "single training cells"
            text += f", and {axes:,} principal components, logits and types of {cells:,} {what}"
        return f"{text}. Share them only if you may share that.\n"

    @property
    def _is_drawn(self) -> bool:
        return self.saved.provenance is not None and self.saved.provenance.held_out == "drawn"

    def licenses(self) -> Iterator[str]:
        card = self.card
        if card.license:
            yield f"This model: {_md(card.license)}.\n"
        else:
            yield "Not stated: ask the authors before you use or share this model.\n"
        source = self.saved.network.source if self.saved.network is not None else None
        if source and source.license:
            yield f"The gene network in it: {_md(source.license)}.\n"


_USAGE = f"""\
```python
from gene_gcn import GeneGCNClassifier

# Or a folder, a .zip, https://…/model.zip
clf = GeneGCNClassifier.load("{PLACEHOLDER}")
clf.annotate(adata)  # obs["gene_gcn"], obs["gene_gcn_confidence"]
```

```sh
gene-gcn predict cells.h5ad --model {PLACEHOLDER} --out annotated.h5ad
```
"""


# ---- Markdown ----


def _hub_license(name: str) -> dict[str, str]:
    identifier = re.sub(r"\s+", "-", _line(name).lower())
    if identifier in LICENSES:
        return {"license": identifier}
    return {"license": "other", "license_name": _line(name)}


def _line(text: str) -> str:
    """Return the text on one line, without characters that control a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _md(text: str) -> str:
    """Return text that Markdown, also in a table, and HTML show as it is."""
    return _escaped(_line(text))


def _escaped(line: str) -> str:
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line)


def _linked(text: str) -> str:
    """Return text whose web addresses are links."""
    text = _line(text)
    parts, end = [], 0
    for match in _ADDRESS.finditer(text):
        address = match[0].rstrip(".,;)")
        parts += [_escaped(text[end : match.start()]), f"<{address}>"]
        end = match.start() + len(address)
    return "".join([*parts, _escaped(text[end:])])


def _paragraphs(text: str | None) -> list[str]:
    """Return the paragraphs of a text, without any Markdown of its own."""
    found = re.split(r"\n\s*\n", text) if text else []
    return [f"{_linked(part)}\n" for part in found if part.strip()]


def _label(name: str) -> str:
    name = _line(name)
    return _md(name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…")


def _listed(values: Sequence[str]) -> str:
    return ", ".join(map(_md, values))


def _list(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- **{name}:** {value}" for name, value in rows if value) + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    numbers = {"Cells", "F1", "Value"}
    ruler = ["---:" if name in numbers else "---" for name in header]
    lines = [header, ruler, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
