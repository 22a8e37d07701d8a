"""The parameters of the classifier that say what its model consists of, in one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.networks import GeneNetwork
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.training.reproducibility import seeded

if TYPE_CHECKING:
    from gene_gcn.nn.gene_gcn import GeneGCN

CHOICES: dict[str, tuple[Any, ...]] = {
    "attention": ("embedded_dot", "dot", "additive", None),
    "diagonal": (0, 1),
    "head_init": ("pca", "autoencoder", "random"),
    "network_normalization": ("sym", "max"),
    "optimizer": ("auto", "lbfgs", "sgd", "adam"),
}


@dataclass(frozen=True)
class ModelSettings:
    """Parameters of `GeneGCNClassifier`, which documents them."""

    attention: str | None
    channels: int
    diagonal: int
    dropout: float
    head_init: str
    heads: int
    hidden_channels: Sequence[int]
    learn_mixing: bool
    network_normalization: Literal["sym", "max"]
    num_layers: int
    optimizer: str
    residual: bool

    @classmethod
    def of(cls, estimator: object) -> ModelSettings:
        """Take them from an estimator."""
        return cls(**{f.name: getattr(estimator, f.name) for f in fields(cls)})

    def check(self) -> None:
        """Refuse what cannot be built or trained (ArgumentError)."""
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                self._refuse(name, f"must be one of {allowed}")
        if not 0 <= self.dropout < 1:
            self._refuse("dropout", "must be at least 0 and below 1")
        if self.attention == "dot" and self.channels % self.heads:
            shared = (
                Argument("channels", self.channels),
                ", which the graphs of ",
                Argument("attention", "dot"),
            )
            self._refuse("heads", "does not divide ", *shared, " share")
        if min(self.hidden_channels, default=1) < 1:
            self._refuse("hidden_channels", "must hold positive widths, or be empty")
        if self.head_init == "autoencoder" and not len(self.hidden_channels):
            remedy = Argument("hidden_channels", (128, 64))
            self._refuse("head_init", "initializes hidden layers, but there are none; pass ", remedy)
        if self.optimizer == "lbfgs" and (others := self._needs_gradients()):
            settings = [part for name in others for part in (", ", Argument(name, getattr(self, name)))][1:]
            remedies = (Argument("optimizer", "sgd"), " or ", Argument("optimizer", "adam"))
            self._refuse("optimizer", "fits a linear head and cannot train ", *settings, "; pass ", *remedies)

    def _refuse(self, name: str, *problem: str | Argument) -> None:
        raise ArgumentError(name, Argument(name, getattr(self, name)), " ", *problem, ".")

    @property
    def chosen_optimizer(self) -> str:
        """The optimizer, "auto" resolved."""
        if self.optimizer != "auto":
            return self.optimizer
        return "sgd" if self._needs_gradients() else "lbfgs"

    @property
    def uses_unlabeled(self) -> bool:
        """Whether cells without labels are learned from."""
        return self.head_init == "autoencoder" or self.chosen_optimizer == "lbfgs"

    def _needs_gradients(self) -> list[str]:
        """Return the parameters for which the head cannot be fitted exactly."""
        needs = {
            "attention": self.attention is not None,
            "channels": self.channels != 1,
            "num_layers": self.num_layers > 1,
            "residual": not self.residual,
            "dropout": self.dropout > 0,
            "hidden_channels": len(self.hidden_channels) > 0,
            "head_init": self.head_init != "pca",
        }
        return [name for name, needed in needs.items() if needed]

    def count_layers(self, network: GeneNetwork | None) -> int:
        """Return the number of interaction layers: 0 where there is no graph for them."""
        return self.num_layers if self.attention is not None or network is not None else 0

    def prepare_graph(self, network: GeneNetwork | None) -> GlobalGraph | None:
        """Return the matrices of a network, normalized and ready for many products, if a layer takes them."""
        if network is None or not self.num_layers:
            return None
        network = network.with_diagonal(self.diagonal).normalized(self.network_normalization)
        return GlobalGraph(network.adj_t).prepare()

    def build(self, num_genes: int, num_classes: int, network: GeneNetwork | None, seed: int = 0) -> GeneGCN:
        """Return an untrained model."""
        from gene_gcn.nn.gene_gcn import GeneGCN

        with seeded(seed):
            return GeneGCN(
                num_genes,
                num_classes,
                self.channels,
                self.count_layers(network),
                tuple(self.hidden_channels),
                attention=self.attention,
                heads=self.heads,
                learn_mixing=self.learn_mixing,
                residual=self.residual,
                dropout=self.dropout,
            )
