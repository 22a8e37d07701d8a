"""What all explanations share: tables of genes and edges, graphs, and what is written into an AnnData."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells.expression import is_anndata
from gene_gcn.cells.gene_columns import names_in_var
from gene_gcn.cells.keys import check_key, column_names
from gene_gcn.errors import Argument, ArgumentError, first_few
from gene_gcn.explain.checks import check_top, position_of
from gene_gcn.explain.graph_files import write_cyjs, write_graphml
from gene_gcn.genes.names import match_names

if TYPE_CHECKING:
    import networkx as nx
    from anndata import AnnData

    CellIndex = int | Sequence[int] | np.ndarray | None
    CellsOfTypes = CellIndex | Mapping[Any, CellIndex]

__all__ = ["BaseExplanation", "largest"]


class BaseExplanation(ABC):
    """Contributions of genes, and of the edges of a network, to the logits of cells.

    Attributes
    ----------
    X : csr_matrix of float32, shape (B, N)
        Normalized expression.
    gene_names : sequence of str, shape (N,)
    types : sequence, shape (K,)
        The explained types.
    against : object
        Another type, whose logit is subtracted; None for none.
    gene_column : str or None
        The column of an AnnData's `var` with the names of its genes.
    """

    X: sparse.csr_matrix
    gene_names: Sequence[str]
    types: Sequence[Any]
    against: Any
    gene_column: str | None

    def __repr__(self) -> str:
        what = first_few(self.types, 5)
        against = "" if self.against is None else f" against {self.against}"
        return f"{type(self).__name__}({self.X.shape[0]:,} cells, {self.X.shape[1]:,} genes; {what}{against})"

    # ---- what each kind of explanation computes ----

    @property
    def parts(self) -> list[str]:
        """The parts of contributions, which are columns of tables."""
        return ["own", "from_network", "through_missing"]

    @property
    @abstractmethod
    def edge_index(self) -> np.ndarray:
        """Edges of the network, from genes of the first row to genes of the second: (2, E), as in PyG."""

    @abstractmethod
    def edge_mask(self, type: Any = None, *, cells: CellIndex = None) -> np.ndarray:
        """Return what each edge of `edge_index` adds to the logit of a type: (E,), as in PyG.

        Parameters
        ----------
        type, cells
            As in `genes`, and with its errors.
        """

    @abstractmethod
    def _summary(self, indices: Sequence[int], cells: CellIndex) -> pd.DataFrame:
        """Return the rows of `summary` of types, by their positions."""

    @abstractmethod
    def _gene_parts(self, index: int, cells: CellIndex) -> np.ndarray:
        """Return the `parts` of the contributions of all genes to the logit of a type, (parts, N)."""

    # ---- tables ----

    def genes(self, type: Any = None, top: int | None = 20, *, cells: CellIndex = None) -> pd.DataFrame:
        """Return the genes that add most to the logit of a type, up or down.

        Parameters
        ----------
        type : label, optional
            One of `types`; may be left out if only one is explained.
        top : int or None
            Number of genes; None for all.
        cells : int, sequence of int or mask of bool, optional
            The position of a cell, or of several, over which contributions are averaged; by default all.

        Returns
        -------
        DataFrame
            "gene", "own", "from_network", "through_missing" and their sum "total", in units of logits, sorted
            by the size of the total.

        Raises
        ------
        ArgumentError
            The type is not explained, `top` is not positive, or there are no such cells.
        """
        table = self._gene_table(self._index(type), cells)
        return largest(table, "total", top)

    def edges(self, type: Any = None, top: int | None = 20, *, cells: CellIndex = None) -> pd.DataFrame:
        """Return the edges of the network that add most to the logit of a type, up or down.

        Edges that end in the same gene sum to its "from_network". There are none if the model does not use
        its network (λ = 0).

        Parameters
        ----------
        type, top, cells
            As in `genes`, and with its errors.

        Returns
        -------
        DataFrame
            "source", "target" and "contribution": what the expression of `source` adds by reaching `target`,
            in units of logits.
        """
        names = np.asarray(self.gene_names, dtype=object)
        mask = self.edge_mask(type, cells=cells)
        source, target = self.edge_index
        table = pd.DataFrame({"source": names[source], "target": names[target], "contribution": mask})
        return largest(table, "contribution", top)

    def summary(self, cells: CellsOfTypes = None) -> pd.DataFrame:
        """Return how the mean logits of cells come about, a row per type.

        Parameters
        ----------
        cells
            As in `genes`; or a mapping from each type to its cells.

        Returns
        -------
        DataFrame
            "baseline", the logit of the mean training cell, the parts of `genes`, summed over all genes, and
            "logit", their sum.
        """
        if not isinstance(cells, Mapping):
            return self._summary(range(len(self.types)), cells)
        rows = [self._summary([index], self._cells_of(index, cells)) for index in range(len(self.types))]
        return pd.concat(rows)

    def to_frame(self, cells: CellsOfTypes = None) -> pd.DataFrame:
        """Return the contributions of all genes to all types: "type" and the columns of `genes`.

        Genes are in the order of the model.

        Parameters
        ----------
        cells
            As in `summary`.
        """
        tables = self._gene_tables(cells)
        for label, table in zip(self.types, tables, strict=True):
            table.insert(0, "type", label)
        return pd.concat(tables, ignore_index=True)

    # ---- graphs ----

    def to_networkx(self, type: Any = None, top: int = 20, *, cells: CellIndex = None) -> nx.DiGraph:
        """Return the genes and the edges that add most to the logit of a type as a graph.

        Parameters
        ----------
        type, top, cells
            As in `genes`, and with its errors; `top` is the number of genes and that of edges. Genes at the
            ends of these edges are added.

        Returns
        -------
        networkx.DiGraph
            Nodes have "own", "from_network", "through_missing" and "total", edges "contribution".
        """
        import networkx as nx

        table = self._gene_table(self._index(type), cells)
        edges = self.edges(type, top, cells=cells)
        chosen = dict.fromkeys([*largest(table, "total", top)["gene"], *edges["source"], *edges["target"]])
        graph = nx.DiGraph()
        rows = table.set_index("gene").loc[list(chosen)].to_dict("index")
        graph.add_nodes_from(rows.items())
        graph.add_weighted_edges_from(edges.itertuples(index=False, name=None), weight="contribution")
        return graph

    def write_graphml(
        self,
        path: str | os.PathLike[str],
        type: Any = None,
        top: int = 20,
        *,
        cells: CellIndex = None,
    ) -> None:
        """Write the graph of `to_networkx` as GraphML, whole or not at all.

        Parameters
        ----------
        path : path
            File to write.
        type, top, cells
            As in `to_networkx`.

        Raises
        ------
        ArgumentError
            As in `genes`, or there is something other than a file at the path.
        """
        write_graphml(self.to_networkx(type, top, cells=cells), path)

    def write_cyjs(
        self,
        path: str | os.PathLike[str],
        type: Any = None,
        top: int = 20,
        *,
        cells: CellIndex = None,
    ) -> None:
        """Write the graph of `to_networkx` as Cytoscape JSON (.cyjs), whole or not at all.

        Parameters
        ----------
        path : path
            File to write.
        type, top, cells
            As in `to_networkx`.

        Raises
        ------
        ArgumentError
            As in `genes`, or there is something other than a file at the path.
        """
        write_cyjs(self.to_networkx(type, top, cells=cells), path)

    # ---- AnnData ----

    def write(
        self,
        adata: AnnData,
        key_added: str = "explain",
        *,
        cells: CellsOfTypes = None,
        edges_of: Sequence[Any] = (),
    ) -> None:
        """Write contributions into an AnnData with these genes.

        Writes `varm[key_added]`, an array (genes, K) of total contributions that is NaN for genes the model
        does not have; for each type of `edges_of` the contributions of the edges, a sparse matrix (genes,
        genes) whose rows are sources and whose columns are targets, into `varp[f"{key_added}_{type}"]`, with
        "|" instead of "/"; and `uns[key_added]` with the "types" of the columns of `varm`, "against" and the
        "baseline" logits.

        Parameters
        ----------
        adata : AnnData
        key_added : str
            Without "/".
        cells
            As in `summary`.
        edges_of : sequence of types
            By default none: with a large network, each takes tens of MB.

        Raises
        ------
        ArgumentError
            `adata` is not an AnnData or has none of the genes, `key_added` cannot be written to files, or as
            in `genes`.
        """
        if not is_anndata(adata):
            kind = type(adata).__name__
            raise ArgumentError("adata", f"write takes an AnnData, but adata is a {kind}; use to_frame.")
        check_key(key_added)
        names = names_in_var(adata.var, self.gene_column) or tuple(map(str, adata.var_names))
        unique, repeated = np.unique(np.array(names, dtype=object), return_inverse=True)
        position = match_names(self.gene_names, unique.tolist())[repeated]
        found = position >= 0
        if not found.any():
            raise ArgumentError(
                "adata",
                f"adata has none of the {len(self.gene_names):,} explained genes ({self.gene_names[0]}, …); "
                "pass the AnnData that was explained.",
            )
        chosen = [position_of(label, self.types, "edges_of") for label in edges_of]
        totals = np.stack([table["total"] for table in self._gene_tables(cells)], axis=1)
        values = np.full((adata.n_vars, len(self.types)), np.nan)
        values[found] = totals[position[found]]
        edges = {index: self._edge_matrix(index, self._cells_of(index, cells)) for index in chosen}
        baseline = self.summary(cells)["baseline"].to_numpy()
        columns = column_names(self.types)
        for index, matrix in edges.items():
            # Repeated genes have the contributions of the gene, absent ones none.
            to_var = _indicator(position, len(self.gene_names))
            adata.varp[f"{key_added}_{columns[index]}"] = (to_var @ matrix @ to_var.T).tocsr()
        adata.varm[key_added] = values
        adata.uns[key_added] = {
            "types": np.array([str(label) for label in self.types], dtype=object),
            "against": "" if self.against is None else str(self.against),
            "baseline": baseline,
        }

    def _edge_matrix(self, index: int, cells: CellIndex) -> sparse.csr_matrix:
        mask = self.edge_mask(self.types[index], cells=cells)
        n_genes = len(self.gene_names)
        matrix = sparse.csr_matrix((mask, tuple(self.edge_index)), (n_genes, n_genes))
        matrix.eliminate_zeros()
        return matrix

    # ---- parts ----

    def _gene_table(self, index: int, cells: CellIndex) -> pd.DataFrame:
        values = self._gene_parts(index, cells)
        columns = dict(zip(self.parts, values, strict=True))
        return pd.DataFrame({"gene": list(self.gene_names), **columns, "total": values.sum(axis=0)})

    def _gene_tables(self, cells: CellsOfTypes) -> list[pd.DataFrame]:
        return [self._gene_table(index, self._cells_of(index, cells)) for index in range(len(self.types))]

    def _cells_of(self, index: int, cells: CellsOfTypes) -> CellIndex:
        if not isinstance(cells, Mapping):
            return cells
        label = self.types[index]
        if label not in cells:
            problem = f"cells has no cells for {label!r}; give some for each explained type."
            raise ArgumentError("cells", problem)
        return cells[label]

    def _shares(self, cells: CellIndex) -> np.ndarray:
        """Return the weight of each cell in the mean over the chosen ones, (B,)."""
        chosen = self._positions(cells)
        return np.bincount(chosen, minlength=self.X.shape[0]) / len(chosen)

    def _positions(self, cells: CellIndex) -> np.ndarray:
        everything = np.arange(self.X.shape[0])
        try:
            chosen = everything if cells is None else np.atleast_1d(everything[cells])
        except (IndexError, ValueError) as error:
            hint = f" must be positions of the {len(everything):,} explained cells, or a mask of them."
            raise ArgumentError("cells", Argument("cells", cells), hint) from error
        if not chosen.size:
            raise ArgumentError("cells", "cells selects no cell; pass at least one position.")
        return chosen.ravel()

    def _index(self, type: Any) -> int:
        if type is None and len(self.types) == 1:
            return 0
        return position_of(type, self.types, "type")


def largest(table: pd.DataFrame, column: str, top: int | None) -> pd.DataFrame:
    """Return the rows with the largest values, up or down; equal ones stay in order."""
    if top is not None:
        check_top(top)
    order = np.argsort(-table[column].abs().to_numpy(), kind="stable")[:top]
    return table.iloc[order].reset_index(drop=True)


def _indicator(position: np.ndarray, n: int) -> sparse.csr_matrix:
    """Return a matrix (len(position), n) with 1 where a row is at that position, and no entry if it is -1."""
    rows = np.flatnonzero(position >= 0)
    entries = (np.ones(len(rows)), (rows, position[rows]))
    return sparse.csr_matrix(entries, (len(position), n))
