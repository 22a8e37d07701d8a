"""How models are fitted, each way in one value: an ablation is a table of options."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LinearHeadOptions", "TrainingOptions"]


@dataclass(frozen=True)
class LinearHeadOptions:
    """Constants of the linear head; docs/benchmarks/protocol.md says on which sets they were chosen.

    Attributes
    ----------
    weightings : tuple of (str, float)
        Gene weightings (see `gene_gcn.training.gene_weights`) and the share of each in the ensemble.
    members : tuple of str
        What a regression is fitted on with each weighting, "genes" and "components"; all count the same.
    n_components : int
        Principal components.
    shrink_components : bool
        Shorten components by the part of their variance that is chance.
    gene_penalty, component_penalty : float
        Of squared weights, where the features of a cell have length 1.
    network_weights : tuple of float
        λ to choose from; the first, 0, leaves the network out.
    network_loss : float
        Mean cross-entropy of held-out cells below which the network is left out, unless batches are known.
    temperatures : tuple of float
        Of the logits, to choose from; the first wins a tie.
    sample_cells : int
        Of more cells, components are those of as many, drawn evenly from all types as far as they last.
    cv_cells, cv_folds : int
        Cells and folds of the cross-validation that chooses both.
    n_neighbors, spreading_iterations : int
        See `gene_gcn.training.label_spreading`.
    """

    weightings: tuple[tuple[str, float], ...] = (("shrunken", 1 / 3), ("standardized", 2 / 3))
    members: tuple[str, ...] = ("genes", "components")
    n_components: int = 30
    shrink_components: bool = True
    gene_penalty: float = 5e-3
    component_penalty: float = 2e-3
    network_weights: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)
    network_loss: float = 0.5
    temperatures: tuple[float, ...] = (1.0, *(2.0 ** (i / 2) for i in (-1, 1, -2, 2, -3, 3, -4, 4)))
    sample_cells: int = 20_000
    cv_cells: int = 300
    cv_folds: int = 5
    n_neighbors: int = 15
    spreading_iterations: int = 20


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes
    ----------
    optimizer : {"sgd", "adam"}
        "sgd" has Nesterov momentum 0.9. "adam" (β 0.9 and 0.999, ε 1e-8) is the paper's; its scaling of every
        single weight lets rarely seen genes overfit.
    learning_rate : float, or None
        None: 1e-3 for Adam; for SGD 4.5 over the mean squared length of a cell's fused features, at most
        0.05, which makes the first step independent of the scale of the data.
    head_init : {"pca", "autoencoder", "random"}
        See `initialize_head`.
    patience : int
        Epochs without a better validation loss before training stops.
    """

    optimizer: str = "sgd"
    learning_rate: float | None = None
    weight_decay: float = 0.0
    head_init: str = "pca"
    batch_size: int = 64
    max_epochs: int = 100
    patience: int = 8
    device: str = "auto"
    progress: bool = False
