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
) -> dict[str, Any]:
    """Fit `clf`; say, and return, how long it took; say what the network contributed."""
    start = time.perf_counter()
    clf.fit(cells, label, batch=batch, parents=parents, checkpoint=checkpoint)
    seconds = time.perf_counter() - start
    fitted: dict[str, Any] = {"seconds": round(seconds, 3), "epochs": None, "validation_accuracy": None}
    if "epoch" in clf.history_:
        best = _best_epoch(clf.history_)
        fitted["epochs"] = len(clf.history_)
        fitted["validation_accuracy"] = None if best is None else best["validation_accuracy"]
        say(f"Trained   {len(clf.history_)} epochs in {seconds:.1f} s; {_validation(best)}")
    else:
        say(f"Fitted    in {seconds:.1f} s{_network_weight(clf)}")
    if clf.network_ is not None:
        _say_genes(clf, clf.network_)
    return fitted


def _best_epoch(history: pd.DataFrame) -> pd.Series | None:
    """Return the epoch whose weights were kept; None without validation cells."""
    if "validation_loss" not in history:
        return None
    return history.loc[history["validation_loss"].idxmin()]


def _validation(best: pd.Series | None) -> str:
    """Say how the best epoch did on the validation cells."""
    if best is None:
        return "too few cells for a validation set"
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
