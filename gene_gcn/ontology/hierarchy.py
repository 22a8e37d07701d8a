"""Hierarchy: types of cells and the coarser types that they belong to, as an immutable value."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.ontology.terms import ROOT, UNKNOWN_ID, CellOntology

__all__ = ["ROOT_NAME", "Hierarchy"]

ROOT_NAME = "cell"
# Terms that CELLxGENE's schema refuses as the type of a cell, as they say nothing; "cell" neither.
UNINFORMATIVE = frozenset([ROOT, "CL:0000255", "CL:0000257", "CL:0000548"])
_ID = re.compile(r"CL:\d{7}")


@dataclass(frozen=True, eq=False, repr=False)
class Hierarchy:
    """K types of cells among M nodes, each of which is under others, all under one root.

    A type may be above others, as "T cell" is above "CD4 T cell" where a reference has both: as a type it
    stands for cells of which no more is known, as a node for all cells of any of these types.

    Parameters
    ----------
    nodes : tuple of str, shape (M,)
        Unique names: the K types first, the root last.
    num_types : int
        K.
    parents : tuple of tuple of int, shape (M,)
        Positions of the nodes directly above each node; none for the root.
    ids : tuple of str, shape (M,), optional
        Ids of terms of the Cell Ontology, "unknown" where there is none.
    levels : mapping of str to tuple of int, optional
        Levels by name, the coarsest first: the node of each type, shape (K,).

    Raises
    ------
    ArgumentError
        These do not fit each other, or a node is above itself.
    """

    nodes: tuple[str, ...]
    num_types: int
    parents: tuple[tuple[int, ...], ...]
    ids: tuple[str, ...] = ()
    levels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.ids:
            object.__setattr__(self, "ids", (UNKNOWN_ID,) * len(self.nodes))
        problem = self._problem()
        if problem:
            raise ArgumentError("parents", f"The hierarchy is not valid: {problem}.")

    def __repr__(self) -> str:
        named = f", levels {', '.join(map(repr, self.levels))}" if self.levels else ""
        known = sum(each != UNKNOWN_ID for each in self.ids)
        ids = f", {known} with ids" if known else ""
        return f"Hierarchy({self.num_types} types, {len(self.nodes)} nodes{ids}{named})"

    def _problem(self) -> str:
        count, root = len(self.nodes), len(self.nodes) - 1
        if not 0 < self.num_types < count or not len(self.parents) == len(self.ids) == count:
            return "nodes, parents and ids differ in length"
        if len(set(self.nodes)) < count or not all(self.nodes):
            return "nodes are not unique names"
        if any(not 0 <= parent < count for above in self.parents for parent in above):
            return "a parent is not a node"
        if any((not above) != (node == root) for node, above in enumerate(self.parents)):
            return "other nodes than the last one lack parents, or that one has some"
        if any(each != UNKNOWN_ID and not _ID.fullmatch(each) for each in self.ids):
            return "an id does not look like CL:0000084"
        if self._order is None:
            return "a node is above itself"
        if not all(self._is_level(level) for level in self.levels.values()):
            return "a level does not have a node above each type"
        return ""

    def _is_level(self, level: Sequence[int]) -> bool:
        if len(level) != self.num_types or not all(0 <= node < len(self.nodes) for node in level):
            return False
        return bool(self.members[np.arange(self.num_types), list(level)].all())

    # ---- making ----

    @classmethod
    def from_parents(
        cls,
        types: Sequence[str],
        parents: Mapping[str, str | Collection[str]],
        levels: Mapping[str, Sequence[str]] | None = None,
    ) -> Hierarchy:
        """Make a hierarchy of names and the names above them.

        Parameters
        ----------
        types : sequence of str, shape (K,)
        parents : mapping of str to str or to several
            What is directly above a type or a node. What has nothing above is under the root, "cell".
        levels : mapping of str to sequence of str, shape (K,), optional
            Levels by name: the node of each type.

        Raises
        ------
        ArgumentError
            A node is above itself, or no type is under it.
        """
        above = {name: (over,) if isinstance(over, str) else tuple(over) for name, over in parents.items()}
        above = {name: tuple(dict.fromkeys(each for each in over if each)) for name, over in above.items()}
        names = list(dict.fromkeys(types))
        for name in names:  # which grows
            names += [each for each in above.get(name, ()) if each not in names]
        if ROOT_NAME in names[len(types) :]:
            names.remove(ROOT_NAME)
        elif ROOT_NAME in names:
            raise ArgumentError("parents", f"A type is called {ROOT_NAME!r}, as the root is; rename it.")
        names.append(ROOT_NAME)
        place = {name: position for position, name in enumerate(names)}
        root = (len(names) - 1,)
        found = [tuple(place[each] for each in above.get(name, ())) or root for name in names]
        _check_no_circle(names, found)
        placed = {name: tuple(place[each] for each in level) for name, level in (levels or {}).items()}
        return cls(tuple(names), len(types), (*found[:-1], ()), (), placed)

    @classmethod
    def from_ontology(cls, types: Sequence[str], ids: Mapping[str, str], ontology: CellOntology) -> Hierarchy:
        """Make the part of the Cell Ontology above some types that tells them apart.

        Of the terms above the same types only the deepest is kept, such as "mature alpha-beta T cell" of all
        terms from there to "T cell" if the types under each are the same.

        Parameters
        ----------
        types : sequence of str, shape (K,)
        ids : mapping of str to str
            The ids of types, such as `gene_gcn.ontology.read_map` returns. Types without one, or with
            "unknown", are under the root only.
        ontology : CellOntology
        """
        own = [ids.get(name, UNKNOWN_ID) for name in types]
        own = [ontology[each].id if each != UNKNOWN_ID else UNKNOWN_ID for each in own]
        under = _types_under(own, ontology)
        names, found_ids = list(types), list(own)
        sets = [under[each] if own.count(each) == 1 and each in under else {k} for k, each in enumerate(own)]
        terms = _deepest_terms(under, own, ontology)
        every = frozenset(range(len(types)))
        for members, term in sorted(terms.items(), key=lambda pair: (len(pair[0]), pair[1])):
            if members != every:
                label = ontology[term].label
                names.append(label if label not in names else f"{label} ({term})")
                found_ids.append(term)
                sets.append(members)
        top = terms.get(every)
        names.append(ontology[top].label if top else ROOT_NAME)
        found_ids.append(top or UNKNOWN_ID)
        parents = _directly_above([*sets, every])
        return cls(tuple(names), len(types), parents, tuple(found_ids))

    def with_ids(self, ids: Mapping[str, str]) -> Hierarchy:
        """Return the hierarchy with the ids of some nodes, by name.

        Parameters
        ----------
        ids : dict of str to str
            Name of a node to its id; other nodes keep theirs.
        """
        given = tuple(ids.get(name, old) for name, old in zip(self.nodes, self.ids, strict=True))
        return replace(self, ids=given)

    def for_types(self, types: Sequence[str]) -> Hierarchy:
        """Return the hierarchy of other types: some of its own, in any order, and new ones under the root.

        Nodes that no type is under are left out.

        Parameters
        ----------
        types : sequence of str
            Names of the types.
        """
        place = {name: position for position, name in enumerate(self.nodes)}
        root = len(self.nodes) - 1
        kept, above = [place.get(name) for name in types], set()
        for node in kept:
            above |= set() if node is None else {*np.flatnonzero(self.above[node]).tolist()}
        inner = [node for node in range(root) if node in above and node not in kept]
        old = [*kept, *inner, root]
        names = [*types, *(self.nodes[node] for node in inner), self.nodes[root]]
        new = {node: position for position, node in enumerate(old) if node is not None}
        parents = [
            (len(old) - 1,) if node is None else tuple(new[each] for each in self.parents[node])
            for node in old
        ]
        ids = [UNKNOWN_ID if node is None else self.ids[node] for node in old]
        levels = {}
        for name, level in self.levels.items():
            node_of = dict(zip(self.nodes[: self.num_types], level, strict=True))
            levels[name] = tuple(new[node_of[each]] if each in node_of else k for k, each in enumerate(types))
        return Hierarchy(tuple(names), len(types), tuple(parents), tuple(ids), levels)

    # ---- structure ----

    @property
    def types(self) -> tuple[str, ...]:
        """The K types."""
        return self.nodes[: self.num_types]

    @property
    def has_ids(self) -> bool:
        """Whether any node has an id of the Cell Ontology."""
        return any(each != UNKNOWN_ID for each in self.ids)

    @cached_property
    def _order(self) -> list[int] | None:
        """Nodes such that each comes after those above it; None if there is a circle."""
        from graphlib import CycleError, TopologicalSorter

        try:
            return list(TopologicalSorter(dict(enumerate(self.parents))).static_order())
        except CycleError:
            return None

    @cached_property
    def above(self) -> np.ndarray:
        """Which node is under which: itself and all above it, bool, shape (M, M)."""
        above = np.eye(len(self.nodes), dtype=bool)
        for node in self._order or []:
            for parent in self.parents[node]:
                above[node] |= above[parent]
        return above

    @property
    def members(self) -> np.ndarray:
        """Which type is under which node, bool, shape (K, M)."""
        return self.above[: self.num_types]

    @cached_property
    def depth(self) -> np.ndarray:
        """Number of nodes above each one, shape (M,)."""
        return self.above.sum(1) - 1

    def ancestors(self, node: str) -> frozenset[str]:
        """Return the names of all nodes above a node, without its own.

        Parameters
        ----------
        node : str
            Name of a node or a type.
        """
        position = self._position(node)
        return frozenset(
            self.nodes[each] for each in np.flatnonzero(self.above[position]) if each != position
        )

    def descendants(self, node: str) -> frozenset[str]:
        """Return the names of all nodes under a node, without its own.

        Parameters
        ----------
        node : str
            Name of a node or a type.
        """
        position = self._position(node)
        under = np.flatnonzero(self.above[:, position])
        return frozenset(self.nodes[each] for each in under if each != position)

    def __contains__(self, node: object) -> bool:
        return node in self.nodes

    def _position(self, node: str) -> int:
        if node not in self.nodes:
            raise ArgumentError("node", Argument("node", node), f" is not a node of {self!r}.")
        return self.nodes.index(node)

    # ---- probabilities ----

    def sum_upwards(self, probability: np.ndarray) -> np.ndarray:
        """Return the probability of each node: the sum over the types under it.

        Parameters
        ----------
        probability : ndarray, shape (B, K)

        Returns
        -------
        ndarray, shape (B, M)
            In the order of `nodes`; that of the root is 1, and no node's is larger than that of one above.
        """
        return probability @ self.members.astype(probability.dtype)

    def at_level(self, level: str) -> tuple[tuple[str, ...], np.ndarray]:
        """Return the names of the L nodes of a level, and which of them each type belongs to, shape (K,).

        Parameters
        ----------
        level : str
            One of `levels`.

        Raises
        ------
        ArgumentError
            There is no such level.
        """
        if level not in self.levels:
            known = f"levels are {', '.join(map(repr, self.levels))}" if self.levels else "it has no levels"
            raise ArgumentError("level", Argument("level", level), f" is not a level of the model; {known}.")
        nodes, group = np.unique(self.levels[level], return_inverse=True)
        names = [self.nodes[node] for node in nodes]
        order = np.argsort(names, kind="stable")
        return tuple(names[each] for each in order), np.argsort(order)[group]

    def sum_to_level(self, probability: np.ndarray, level: str) -> np.ndarray:
        """Return the probabilities of the nodes of a level, which sum to 1, shape (B, L).

        Columns are in the order of `at_level`.

        Parameters
        ----------
        probability : ndarray, shape (B, K)
            Probabilities of the types.
        level : str
            One of `levels`.
        """
        names, group = self.at_level(level)
        return probability @ np.eye(len(names), dtype=probability.dtype)[group]

    def cover(self, sets: np.ndarray) -> np.ndarray:
        """Return the fewest nodes that stand for a set of types.

        These are the highest nodes all of whose types are in the set; a type for which there is none, as it
        is above types that are not in the set, stands for itself. They hold the types of the set, so what is
        promised of it holds.

        Parameters
        ----------
        sets : ndarray of bool, shape (B, K)

        Returns
        -------
        ndarray of bool, shape (B, M)
        """
        members = self.members.astype(np.int64)
        inside = sets.astype(np.int64) @ members == members.sum(0)
        covered = (inside.astype(np.int64) @ members.T) > 0
        inside[:, : self.num_types] |= sets & ~covered
        strictly = self.above & ~np.eye(len(self.nodes), dtype=bool)
        return inside & ~((inside.astype(np.int64) @ strictly.T.astype(np.int64)) > 0)

    # ---- saving ----

    def to_dict(self) -> dict[str, Any]:
        """Return a value that JSON can represent."""
        return {
            "nodes": list(self.nodes),
            "num_types": self.num_types,
            "parents": [list(above) for above in self.parents],
            "ids": list(self.ids),
            "levels": [[name, list(level)] for name, level in self.levels.items()],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Hierarchy:
        """Rebuild what `to_dict` returned; what is not valid is refused.

        Parameters
        ----------
        values : dict
            What `to_dict` returned.

        Returns
        -------
        Hierarchy

        Raises
        ------
        ArgumentError
            It is not a hierarchy.
        """
        return cls(
            tuple(values["nodes"]),
            values["num_types"],
            tuple(map(tuple, values["parents"])),
            tuple(values["ids"]),
            {name: tuple(level) for name, level in values["levels"]},
        )


def _check_no_circle(names: Sequence[str], parents: Sequence[tuple[int, ...]]) -> None:
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(dict(enumerate(parents[:-1]))).prepare()
    except CycleError as error:
        circle = " is under ".join(repr(names[node]) for node in reversed(error.args[1]))
        raise ArgumentError("parents", f"A node is above itself: {circle}; take out one of these.") from error


def _types_under(own: Sequence[str], ontology: CellOntology) -> dict[str, frozenset[int]]:
    """Return the types under each term that any is under, by position."""
    under: dict[str, set[int]] = {}
    for position, term in enumerate(own):
        if term != UNKNOWN_ID:
            for each in (term, *ontology.ancestors(term)):
                under.setdefault(each, set()).add(position)
    return {term: frozenset(found) for term, found in under.items()}


def _deepest_terms(
    under: Mapping[str, frozenset[int]], own: Sequence[str], ontology: CellOntology
) -> dict[frozenset[int], str]:
    """Return, of the terms above the same several types, the one with most terms above itself.

    Where that is the term of one of the types, its node is there already.
    """
    deepest: dict[frozenset[int], str] = {}
    for term in sorted(under, key=lambda each: (len(ontology.ancestors(each)), each)):
        if len(under[term]) > 1 and term not in UNINFORMATIVE:
            deepest[under[term]] = term
    return {members: term for members, term in deepest.items() if own.count(term) != 1}


def _directly_above(sets: Sequence[Collection[int]]) -> tuple[tuple[int, ...], ...]:
    """Return the smallest sets of types that each set is part of, by position; the last is the root."""
    of_node = [frozenset(members) for members in sets]
    root = len(sets) - 1
    parents: list[tuple[int, ...]] = []
    for members in of_node[:-1]:
        larger = [other for other, others in enumerate(of_node[:-1]) if members < others] or [root]
        parents.append(tuple(o for o in larger if not any(of_node[each] < of_node[o] for each in larger)))
    return (*parents, ())
