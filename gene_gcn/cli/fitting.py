"""Fit a classifier and say how that went."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gene_gcn.cli.console import say

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier, GeneNetwork
    from gene_gcn.ontology import OntologyMap

__all__ = ["fit"]


def fit(
    clf: GeneGCNClassifier,
    cells: AnnData | Path | Sequence[AnnData | Path],
    label: str | Sequence[Any],
    batch: str | None = None,
    checkpoint: Path | None = None,
    parents: Path | OntologyMap | None = None,
) -> None:
    """Fit `clf`; say how long it took, and what the network contributed."""
    start = time.perf_counter()
    clf.fit(cells, label, batch=batch, parents=parents, checkpoint=checkpoint)
    seconds = time.perf_counter() - start
    if "epoch" in clf.history_:
        say(f"Trained   {len(clf.history_)} epochs in {seconds:.1f} s; {_validation(clf.history_)}")
    else:
        say(f"Fitted    in {seconds:.1f} s{_network_weight(clf)}")
    if clf.network_ is not None:
        _say_genes(clf, clf.network_)


def _validation(history: pd.DataFrame) -> str:
    """Say how the best epoch, whose weights were kept, did on the validation cells."""
    if "validation_loss" not in history:
        return "too few cells for a validation set"
    best = history.loc[history["validation_loss"].idxmin()]
    return f"kept epoch {int(best['epoch']) + 1}, validation accuracy {best['validation_accuracy']:.1%}"


def _network_weight(clf: GeneGCNClassifier) -> str:
    if clf.network_ is None or clf.mixing_.empty:  # no network, or no layer that could take it
        return ""
    weight = clf.mixing_["global"].iloc[0]
    value = f"{weight:g}" if weight else "0 (the network is not used)"
    return f"; network weight {value}, chosen by cross-validation"


def _say_genes(clf: GeneGCNClassifier, aligned: GeneNetwork) -> None:
    """Say how many genes of the cells have edges, and how they were matched to those of the network."""
    from gene_gcn import GeneNetwork

    genes = clf.genes_ or ()
    connected = int((aligned.degree > 0).sum())
    if clf.gene_match_ is not None:
        say(f"Genes     {clf.gene_match_}")
    if isinstance(clf.network, GeneNetwork):
        shared = len(set(clf.network.genes) & set(genes))
        say(
            f"Genes     {shared:,} of {len(genes):,} are in the network, {connected:,} of them connected by "
            f"{aligned.num_edges:,} edges"
        )
    else:  # made for these genes, or matched to them
        say(
            f"Genes     {connected:,} of {len(genes):,} are connected by {aligned.num_edges:,} edges "
            f"({aligned.source})"
        )
