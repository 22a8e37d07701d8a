"""CellOntology: terms for cell types and how they are related, as an immutable value."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from gene_gcn.errors import ArgumentError
from gene_gcn.networks.source import NetworkSource

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["ROOT", "UNKNOWN_ID", "CellOntology", "Term"]

ROOT = "CL:0000000"  # cell
UNKNOWN_ID = "unknown"  # what CELLxGENE has instead of an id where the type is not known


@dataclass(frozen=True)
class Term:
    """A type of cells.

    Parameters
    ----------
    id : str
        Such as ``"CL:0000084"``.
    label : str
        Such as ``"T cell"``.
    synonyms : tuple of str
        Exact ones.
    parents : tuple of str
        Ids of the terms that it is a direct subtype of (``is_a``).
    """

    id: str
    label: str
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class CellOntology:
    """The Cell Ontology: types of cells, each a subtype of one or several others.

    `gene_gcn.ontology.cell_ontology` reads it. A term of which another is a subtype, directly or not, is its
    ancestor; the relation is ``is_a`` between terms of the Cell Ontology, as in CELLxGENE.

    Parameters
    ----------
    terms : mapping of str to Term
        By id. Terms that are not subtypes of "cell" are left out.
    replaced : mapping of str to str
        From obsolete ids to the ids that replace them.
    source : NetworkSource, optional
        Where they come from.

    Raises
    ------
    ArgumentError
        The root CL:0000000 is missing, or a term is its own ancestor.

    References
    ----------
    Diehl et al. (2016), doi:10.1186/s13326-016-0088-7.
    """

    terms: Mapping[str, Term]
    replaced: Mapping[str, str] = field(default_factory=dict)
    source: NetworkSource | None = None

    def __post_init__(self) -> None:
        if ROOT not in self.terms:
            raise ArgumentError("terms", f"terms lack {ROOT} (cell); this is not the Cell Ontology.")
        object.__setattr__(self, "terms", _below_root(self.terms))

    def __len__(self) -> int:
        return len(self.terms)

    def __iter__(self) -> Iterator[str]:
        return iter(self.terms)

    def __contains__(self, term: object) -> bool:
        return term in self.terms

    def __repr__(self) -> str:
        return ", ".join(filter(None, (f"CellOntology({len(self):,} terms", str(self.source or "")))) + ")"

    def __getitem__(self, term: str) -> Term:
        """Return the term of an id; an obsolete id gives the term that replaces it.

        Raises
        ------
        ArgumentError
            There is no such term.
        """
        found = self.terms.get(self.replaced.get(term, term))
        if found is None:
            text = f"{term!r} is not a term of {self!r}; ids look like 'CL:0000084'."
            raise ArgumentError("term", text)
        return found

    def parents(self, term: str) -> tuple[str, ...]:
        """Return the ids of the terms that a term is a direct subtype of.

        Parameters
        ----------
        term : str
            Id of a term, such as "CL:0000084".
        """
        return self[term].parents

    def ancestors(self, term: str) -> frozenset[str]:
        """Return the ids of all terms that a term is a subtype of, without its own.

        Parameters
        ----------
        term : str
            Id of a term, such as "CL:0000084".
        """
        import networkx as nx

        return frozenset(nx.descendants(self.graph, self[term].id))

    def descendants(self, term: str) -> frozenset[str]:
        """Return the ids of all subtypes of a term, without its own.

        Parameters
        ----------
        term : str
            Id of a term, such as "CL:0000084".
        """
        import networkx as nx

        return frozenset(nx.ancestors(self.graph, self[term].id))

    def common_ancestors(self, terms: Collection[str]) -> frozenset[str]:
        """Return the deepest terms under which all the given ones are; a term is under itself.

        Parameters
        ----------
        terms : collection of str
            Ids, one or more.
        """
        above = [self.ancestors(term) | {self[term].id} for term in terms]
        if not above:
            raise ArgumentError("terms", "terms is empty; pass one id or more.")
        common = frozenset.intersection(*above)
        return common - frozenset().union(*(self.ancestors(term) for term in common))

    @cached_property
    def graph(self) -> nx.DiGraph:
        """The terms as a networkx graph, with an edge from each to its parents; not to be changed."""
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_nodes_from((term.id, {"label": term.label}) for term in self.terms.values())
        graph.add_edges_from((term.id, parent) for term in self.terms.values() for parent in term.parents)
        return graph


def _below_root(terms: Mapping[str, Term]) -> dict[str, Term]:
    """Return the terms under the root, with those parents that are there, too; refuse circles."""
    from graphlib import CycleError, TopologicalSorter

    sorter = TopologicalSorter({term.id: [p for p in term.parents if p in terms] for term in terms.values()})
    try:
        order = list(sorter.static_order())
    except CycleError as error:
        circle = " is a ".join(reversed(error.args[1]))
        raise ArgumentError(
            "terms", f"terms are their own ancestors: {circle}; download the file again."
        ) from error
    kept: dict[str, Term] = {}
    for name in order:  # parents first
        term = terms[name]
        parents = tuple(parent for parent in term.parents if parent in kept)
        if parents or name == ROOT:
            kept[name] = Term(term.id, term.label, term.synonyms, parents)
    return kept
