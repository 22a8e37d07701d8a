"""What a panel of genes can tell of the types of a model, and which genes to add to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from gene_gcn.cells import SMALLEST_OVERLAP, Normalizer
from gene_gcn.errors import Argument, ArgumentError, first_few
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.genes.names import match_names
from gene_gcn.training.panel_genes import add_genes, expected_confusion, with_further_confusion

__all__ = ["Panel", "judge_panel"]

MOST_CONFUSED = 0.1  # of the cells of a type: it is listed as confused
SHOWN = 10  # rows of a printed table


@dataclass(frozen=True, eq=False)
class Panel:
    """What is expected of cells that are measured in some of a model's genes; print it.

    Attributes
    ----------
    genes : tuple of str
        Genes of the panel that the model knows.
    unknown : tuple of str
        Those that it does not.
    confusion : DataFrame, shape (K, K)
        The expected fraction of the cells of each type (rows) that is called each type (columns).
    pairs : DataFrame
        Pairs of types, the most confused first: "type", "called" and "fraction" of the cells of the former
        that is expected to be called the latter, without those below 0.01.
    added : DataFrame
        Genes to add, the most useful first: "gene", and "confused", the mean probability that cells of two
        types are confused by the panel with this gene and those before it.
    confused : float
        That probability without them.
    """

    genes: tuple[str, ...]
    unknown: tuple[str, ...]
    confusion: pd.DataFrame
    pairs: pd.DataFrame
    added: pd.DataFrame
    confused: float

    @property
    def recall(self) -> pd.Series:
        """The expected fraction of the cells of each type that is recognized."""
        return pd.Series(np.diag(self.confusion), index=self.confusion.index, name="recall")

    @property
    def balanced_accuracy(self) -> float:
        """The mean of `recall`."""
        return float(self.recall.mean())

    def __str__(self) -> str:
        unknown = f", {len(self.unknown):,} that the model lacks" if self.unknown else ""
        lines = [
            f"Panel of {len(self.genes):,} genes{unknown}: expected balanced accuracy "
            f"{self.balanced_accuracy:.2f}"
        ]
        lines += ["", self.recall.sort_values().round(2).head(SHOWN).to_string()]
        often = self.pairs[self.pairs["fraction"] >= MOST_CONFUSED].head(SHOWN)
        if len(often):
            lines += [
                "",
                "Confused:",
                *(f"  {r.type} → {r.called}: {r.fraction:.0%}" for r in often.itertuples()),
            ]
        if len(self.added):
            lines += ["", f"Add: {', '.join(map(str, self.added['gene']))}"]
        return "\n".join(lines)

    __repr__ = __str__


def judge_panel(
    model: LinearModel,
    normalizer: Normalizer,
    classes: np.ndarray,
    genes: Sequence[str],
    n_added: int,
) -> Panel:
    """Judge a panel of genes by the moments of a model; see `GeneGCNClassifier.panel`."""
    all_genes = normalizer.genes
    if all_genes is None:
        raise ArgumentError("genes", "The model has no names of genes by which to find a panel's.")
    if isinstance(genes, str):
        raise ArgumentError("genes", Argument("genes", genes), " must be a list of gene names.")
    if isinstance(n_added, bool) or not isinstance(n_added, (int, np.integer)) or n_added < 0:
        raise ArgumentError("n_added", Argument("n_added", n_added), " must be a whole number, 0 or more.")
    names = tuple(dict.fromkeys(map(str, genes)))
    indexer = match_names(all_genes, names) if names else np.empty(0, np.int64)
    found = indexer >= 0
    if found.sum() < max(1, SMALLEST_OVERLAP * len(names)):
        examples = f"genes of the panel are like {first_few(names)}, those of the model like "
        what = f"The model knows {int(found.sum()):,} of {len(names):,} genes: "
        raise ArgumentError("genes", f"{what}{examples}{first_few(all_genes)}.")
    present = np.zeros(len(all_genes), bool)
    present[indexer[found]] = True
    weight, bias = (part.numpy() for part in model.folded(torch.from_numpy(present)))
    moments = model.reference.moments
    scales_depth = normalizer.method == "sqrt"
    confusion = expected_confusion(moments.take(present), weight[present], bias, scales_depth=scales_depth)
    every = expected_confusion(
        moments, *(part.numpy() for part in model.folded(None)), scales_depth=scales_depth
    )
    confusion = with_further_confusion(confusion, every, _held_out_confusion(model))
    added, confused = add_genes(moments, present, n_added)
    table = pd.DataFrame(confusion, index=pd.Index(classes, name="type"), columns=classes)
    return Panel(
        tuple(name for name, is_found in zip(names, found, strict=True) if is_found),
        tuple(name for name, is_found in zip(names, found, strict=True) if not is_found),
        table,
        _pairs(table),
        pd.DataFrame({"gene": [all_genes[gene] for gene in added], "confused": confused[1:]}),
        float(confused[0]),
    )


def _held_out_confusion(model: LinearModel) -> np.ndarray:
    """Return the numbers (K, K) of held-out training cells by type and what they are called."""
    held_out = model.reference.held_out
    counts = np.zeros((len(held_out.counts), len(held_out.counts)))
    if len(held_out.types):
        np.add.at(counts, (held_out.types, held_out.logits.argmax(axis=1)), 1)
    return counts


def _pairs(confusion: pd.DataFrame) -> pd.DataFrame:
    values = confusion.to_numpy() * (1 - np.eye(len(confusion)))
    rows, columns = np.nonzero(values >= 0.01)
    order = np.argsort(-values[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    names = confusion.index.to_numpy()
    return pd.DataFrame({"type": names[rows], "called": names[columns], "fraction": values[rows, columns]})
