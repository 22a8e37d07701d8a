"""BaseNetwork: genes and edges in canonical form, as an immutable value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.names import check_gene_names
from gene_gcn.networks.conversions import to_csr
from gene_gcn.networks.edge_arrays import Edges, check_edge_index, check_edge_weight
from gene_gcn.networks.source import NetworkSource

if TYPE_CHECKING:
    import torch

Normalization = Literal["max", "sym"]


class BaseNetwork:
    """What a network contains, and how it is compared, hashed, copied, pickled and saved.

    :class:`gene_gcn.networks.GeneNetwork` adds the constructor and the methods that return new networks.
    """

    __slots__ = (
        "_content_hash",
        "_diagonal",
        "_edge_index",
        "_edge_weight",
        "_genes",
        "_normalization",
        "_source",
    )
    _content_hash: str | None
    _diagonal: int
    _edge_index: np.ndarray
    _edge_weight: np.ndarray
    _genes: tuple[str, ...]
    _normalization: Normalization
    _source: NetworkSource | None

    def _set(
        self,
        genes: tuple[str, ...],
        edge_index: np.ndarray,
        edge_weight: np.ndarray,
        diagonal: int,
        normalization: Normalization,
        source: NetworkSource | None,
    ) -> None:
        if source is not None and not isinstance(source, NetworkSource):
            raise ArgumentError("source", Argument("source", source), " must be a NetworkSource or None.")
        edge_index.setflags(write=False)
        edge_weight.setflags(write=False)
        values = {
            "_content_hash": None,
            "_diagonal": diagonal,
            "_edge_index": edge_index,
            "_edge_weight": edge_weight,
            "_genes": genes,
            "_normalization": normalization,
            "_source": source,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def _canonical(
        cls,
        genes: tuple[str, ...],
        edge_index: np.ndarray,
        edge_weight: np.ndarray,
        diagonal: int,
        normalization: Normalization,
        source: NetworkSource | None,
    ) -> Self:
        """Build a network from arrays in canonical form, without checking or rescaling them."""
        network = object.__new__(cls)
        network._set(genes, edge_index, edge_weight, diagonal, normalization, source)
        return network

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{type(self).__name__} is immutable: {name!r} cannot be set; its methods return new networks."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable: {name!r} cannot be deleted.")

    # ---- content ----

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the nodes, in order, shape (N,)."""
        return self._genes

    @property
    def edge_index(self) -> torch.Tensor:
        """Every edge in both directions, and self-loops if the diagonal is set; a new int64 tensor (2, E)."""
        import torch

        return torch.from_numpy(self._edge_index.copy())

    @property
    def edge_weight(self) -> torch.Tensor:
        """Weight of each column of :attr:`edge_index`; a new float32 tensor (E,)."""
        import torch

        return torch.from_numpy(self._edge_weight.copy())

    @property
    def adj_t(self) -> torch.Tensor:
        """Adjacency matrix (N, N), equal to its transpose; a new float32 ``torch.sparse_csr`` tensor."""
        return to_csr(self._edge_index, self.edge_weight, self.num_genes)

    @property
    def num_genes(self) -> int:
        """Number of nodes, N."""
        return len(self._genes)

    @property
    def num_edges(self) -> int:
        """Number of undirected edges: each pair counts once, self-loops do not count."""
        return (self._edge_index.shape[1] - self._diagonal * self.num_genes) // 2

    @property
    def degree(self) -> np.ndarray:
        """Number of neighbors of each gene, without itself; a new int64 array (N,)."""
        return np.bincount(self._edge_index[0], minlength=self.num_genes) - self._diagonal

    @property
    def diagonal(self) -> int:
        """1 if every gene has a self-loop, otherwise 0."""
        return self._diagonal

    @property
    def normalization(self) -> Normalization:
        """``"max"`` or ``"sym"``, see :meth:`normalized`."""
        return self._normalization

    @property
    def source(self) -> NetworkSource | None:
        """Where the network comes from."""
        return self._source

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of genes, edges, weights, diagonal and normalization; the same for equal networks."""
        if self._content_hash is None:
            digest = hashlib.sha256()
            digest.update(json.dumps([self._genes, self._diagonal, self._normalization]).encode())
            digest.update(np.ascontiguousarray(self._edge_index, dtype="<i8").data)
            digest.update(np.ascontiguousarray(self._edge_weight, dtype="<f4").data)
            # Computed once; this does not change the value of the network.
            object.__setattr__(self, "_content_hash", digest.hexdigest())
        return cast(str, self._content_hash)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, BaseNetwork):
            return NotImplemented
        return (
            (self._diagonal, self._normalization) == (other._diagonal, other._normalization)
            and self._genes == other._genes
            and np.array_equal(self._edge_index, other._edge_index)
            and np.array_equal(self._edge_weight, other._edge_weight)
        )

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # immutable, so a copy would make no difference

    def __reduce__(self) -> tuple[Any, ...]:
        arrays = (self._edge_index, self._edge_weight)
        state = (self._genes, *arrays, self._diagonal, self._normalization, self._source)
        return (type(self)._canonical, state)

    def __repr__(self) -> str:
        parts = [f"{self.num_genes:,} genes", f"{self.num_edges:,} edges"]
        parts += [str(self._source)] if self._source is not None and str(self._source) else []
        parts += ["diagonal 1"] if self._diagonal else []
        parts += ["sym"] if self._normalization == "sym" else []
        return f"{type(self).__name__}({', '.join(parts)})"

    # ---- saving ----

    def to_dict(self) -> dict[str, Any]:
        """Return everything but genes and edges, in a form that JSON can represent."""
        source = None if self._source is None else asdict(self._source)
        return {"diagonal": self._diagonal, "normalization": self._normalization, "source": source}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what to save with :meth:`to_dict`: int64 `edge_index` (2, E), float32 `edge_weight` (E,)."""
        return {"edge_index": self._edge_index.copy(), "edge_weight": self._edge_weight.copy()}

    @classmethod
    def from_dict(
        cls, genes: Sequence[str], values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> Self:
        """Rebuild a network from what :meth:`to_dict` and :meth:`arrays` returned, without rescaling it.

        Parameters
        ----------
        genes : sequence of str
            Names of the N genes.
        values : dict
            What :meth:`to_dict` returned.
        arrays : dict of str to ndarray
            What :meth:`arrays` returned.

        Returns
        -------
        GeneNetwork
        """
        genes = check_gene_names(genes)
        edge_index = np.array(arrays["edge_index"], dtype=np.int64)
        edge_weight = np.array(arrays["edge_weight"], dtype=np.float32)
        check_edge_index(edge_index, len(genes))
        check_edge_weight(edge_weight, edge_index.shape[1])
        source = None if values["source"] is None else NetworkSource(**values["source"])
        return cls._canonical(
            genes, edge_index, edge_weight, values["diagonal"], values["normalization"], source
        )

    # ---- helpers ----

    def _edges(self) -> Edges:
        keep = self._edge_index[0] < self._edge_index[1]
        return Edges(self._edge_index[0], self._edge_index[1], self._edge_weight).select(keep)
