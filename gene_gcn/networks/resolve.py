"""The `network` argument of estimators, benchmarks and the command line: read it and bring it to genes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import pandas as pd

from gene_gcn.cells.normalizer import SMALLEST_OVERLAP
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.names import gene_kind
from gene_gcn.networks.coexpression import coexpression
from gene_gcn.networks.conversions import is_networkx_graph
from gene_gcn.networks.edges import read
from gene_gcn.networks.for_genes import for_genes
from gene_gcn.networks.from_file import from_file
from gene_gcn.networks.matching import GeneMatch, with_names_of
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.storage.text_files import existing_file

if TYPE_CHECKING:
    import networkx as nx
    from scipy.sparse import csr_matrix

    NetworkLike: TypeAlias = GeneNetwork | str | os.PathLike[str] | pd.DataFrame | nx.Graph | None

NetworkWord = Literal["coexpression", "string", "biogrid"]
WORDS: tuple[NetworkWord, ...] = ("coexpression", "string", "biogrid")


class ResolvedNetwork(NamedTuple):
    """What :func:`resolve_network` returns.

    Attributes
    ----------
    network : GeneNetwork or None
        The network on the genes, in their order.
    match : GeneMatch or None
        How the genes were found in "string" or "biogrid"; None for other networks.
    """

    network: GeneNetwork | None
    match: GeneMatch | None


def read_network(
    network: NetworkLike, *, organism: str | int | None = None, info: str | os.PathLike[str] | None = None
) -> GeneNetwork | NetworkWord | None:
    """Read a network argument as far as that is possible without genes.

    Parameters
    ----------
    network : GeneNetwork, str, path, DataFrame, networkx.Graph or None
        None, a GeneNetwork and the words "coexpression", "string" and "biogrid" are returned as they are. A
        file is read by :func:`from_file`, a table of edges or a graph by :func:`read`.
    organism : str or int, optional
        Organism to take from a file of STRING or BioGRID.
    info : path, optional
        STRING's ``protein.info`` file that belongs to a file of links.

    Returns
    -------
    GeneNetwork, str or None

    Raises
    ------
    ArgumentError
        If `network` is neither a word nor a file, is of another type, or cannot be read.
    FileNotFoundError
        If a path, or `info`, does not exist.
    """
    if network is None or isinstance(network, GeneNetwork):
        return network
    if isinstance(network, (str, os.PathLike)):
        word = next((word for word in WORDS if word == network), None)
        return word or _read_file(network, organism, info)
    if not isinstance(network, pd.DataFrame) and not is_networkx_graph(network):
        raise ArgumentError(
            "network",
            Argument("network", network),
            f" has type {type(network).__name__}; pass None, {', '.join(map(repr, WORDS))}, a path, a "
            "GeneNetwork, a DataFrame of edges or a networkx graph.",
        )
    try:
        return read(network)
    except (TypeError, ArgumentError) as error:
        context = (f"the {type(network).__name__} passed as ", Argument("network"), " cannot be read: ")
        raise ArgumentError("network", *context, *_parts(error)) from error


def resolve_network(
    network: NetworkLike,
    genes: Sequence[str] | None,
    *,
    num_genes: int | None = None,
    organism: str | int | None = None,
    cells: csr_matrix | None = None,
) -> ResolvedNetwork:
    """Read a network argument and align the network to genes.

    Parameters
    ----------
    network : GeneNetwork, str, path, DataFrame, networkx.Graph or None
        None means no network. "coexpression" is computed from `cells`. "string" and "biogrid" are matched to
        the genes by :func:`for_genes`, whatever kind of names these have. Other networks, see
        :func:`read_network`, are aligned to the genes by name, whatever its spelling.
    genes : sequence of str, shape (N,), or None
        Names of the genes; None if they have none, so that networks are aligned by position.
    num_genes : int, optional
        N, if there are neither names nor cells.
    organism : str or int, optional
        For "string", "biogrid" and their files; by default inferred from the gene names, or the file's.
    cells : csr_matrix, shape (B, N), optional
        Normalized expression of the training cells, for "coexpression".

    Returns
    -------
    ResolvedNetwork

    Raises
    ------
    ArgumentError
        If the network cannot be read, or has no edge between these genes.
    DownloadError
        If a database cannot be downloaded.
    """
    network = read_network(network, organism=organism)
    if network is None:
        return ResolvedNetwork(None, None)
    if network == "coexpression":
        return ResolvedNetwork(_from_cells(cells, genes), None)
    if isinstance(network, str):
        if genes is None:
            text = " is matched by gene names, but X has none; pass an AnnData or a DataFrame."
            raise ArgumentError("network", Argument("network", network), text)
        return ResolvedNetwork(*for_genes(network, genes, organism))
    if genes is not None:
        return ResolvedNetwork(_align(network, genes), None)
    if num_genes is None:
        num_genes = network.num_genes if cells is None else cells.shape[1]
    if network.num_genes != num_genes:
        raise ArgumentError(
            "network",
            f"network has {network.num_genes:,} genes, X {num_genes:,} columns without names. Pass X as an "
            "AnnData or a DataFrame to match genes by name.",
        )
    return ResolvedNetwork(network, None)


def _read_file(
    path: str | os.PathLike[str], organism: str | int | None, info: str | os.PathLike[str] | None
) -> GeneNetwork:
    argument = Argument("network", str(path))
    if isinstance(path, str) and not Path(path).expanduser().is_file():
        raise ArgumentError(
            "network", argument, f" is neither one of {', '.join(map(repr, WORDS))} nor a file."
        )
    try:
        return from_file(existing_file(path, "network"), info=info, organism=organism)
    except (TypeError, ArgumentError) as error:
        about = getattr(error, "argument", "path")
        about = "network" if about == "path" else about  # the user's name for it
        raise ArgumentError(about, argument, " cannot be read: ", *_parts(error)) from error


def _parts(error: TypeError | ArgumentError) -> tuple[str | Argument, ...]:
    return error.parts if isinstance(error, ArgumentError) else (str(error),)


def _from_cells(cells: csr_matrix | None, genes: Sequence[str] | None) -> GeneNetwork:
    if cells is None:
        text = " is computed from training cells, but there are none here; choose another network."
        raise ArgumentError("network", Argument("network", "coexpression"), text)
    names = tuple(map(str, range(cells.shape[1]))) if genes is None else genes
    return coexpression(cells, genes=names, normalization="none")


def _align(network: GeneNetwork, genes: Sequence[str]) -> GeneNetwork:
    _refuse_other_numbers(network, genes)
    network = with_names_of(network, genes)
    aligned = network.align(genes)
    shared = len(set(network.genes).intersection(genes))
    if shared < SMALLEST_OVERLAP * min(network.num_genes, len(genes)) or not aligned.num_edges:
        raise ArgumentError(
            "network",
            f"network and X share {shared:,} genes and {aligned.num_edges:,} edges between them: the network "
            f"has genes such as {_listed(network.genes[:3])}, X such as {_listed(genes[:3])}. Are they of "
            "the same species? If X has another kind of gene names, choose a column of names with ",
            Argument("gene_column"),
            ".",
        )
    return aligned


def _refuse_other_numbers(network: GeneNetwork, genes: Sequence[str]) -> None:
    """Refuse to match positions 0 to N - 1 to numbers that are none, such as Entrez numbers."""
    if gene_kind(genes) != "positions" or not all(map(str.isdecimal, (*network.genes, *genes))):
        return
    positions = set(genes)
    foreign = [gene for gene in network.genes if gene not in positions]
    if foreign and max(map(int, network.genes)) > max(map(int, genes), default=0):
        raise ArgumentError(
            "network",
            f"the genes of X are named by positions ({', '.join(genes[:3])}, …), those of the network by "
            f"other numbers ({', '.join(foreign[:3])}, …); name the genes of X, or choose a column of "
            "names with ",
            Argument("gene_column"),
            ".",
        )


def _listed(names: Sequence[str]) -> str:
    """Join names with commas and a final "or"."""
    *first, last = [repr(name) for name in names] or ["none"]
    return f"{', '.join(first)} or {last}" if first else last
