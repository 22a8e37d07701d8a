"""CellOntology: ancestors, descendants, common ancestors, and what it refuses."""

from __future__ import annotations

import networkx as nx
import pytest
from small_ontology import ONTOLOGY, ROWS

from gene_gcn.errors import ArgumentError
from gene_gcn.ontology import CellOntology
from gene_gcn.ontology.terms import ROOT, Term

CD4, CD8, NAIVE_CD4, T, B = "CL:0000624", "CL:0000625", "CL:0000895", "CL:0000084", "CL:0000236"


def test_ancestors_and_descendants_are_inverse_and_those_of_networkx():
    graph = nx.DiGraph((name, parent) for name, _, _, parents in ROWS for parent in parents)
    for name in ONTOLOGY:
        assert ONTOLOGY.ancestors(name) == nx.descendants(graph, name)
        assert all(name in ONTOLOGY.descendants(above) for above in ONTOLOGY.ancestors(name))
    assert ONTOLOGY.descendants(ROOT) | {ROOT} == set(ONTOLOGY)


@pytest.mark.parametrize(
    ("terms", "deepest"),
    [
        ((CD4, CD8), {T}),
        ((CD4, B), {"CL:0000542"}),
        ((NAIVE_CD4, CD4), {CD4}),
        ((NAIVE_CD4,), {NAIVE_CD4}),
        ((CD4, "CL:0000171"), {ROOT}),
    ],
)
def test_deepest_common_ancestors(terms, deepest):
    assert ONTOLOGY.common_ancestors(terms) == deepest


def test_two_deepest_common_ancestors_where_terms_have_two_parents():
    rows = {"a": (ROOT,), "b": (ROOT,), "c": ("a", "b"), "d": ("a", "b")}
    ontology = CellOntology({ROOT: Term(ROOT, "cell")} | {n: Term(n, n, (), p) for n, p in rows.items()})
    assert ontology.common_ancestors(["c", "d"]) == {"a", "b"}


def test_obsolete_ids_give_their_replacement():
    assert ONTOLOGY["CL:0000003"].label == "cell"
    assert "CL:0000003" not in ONTOLOGY and ROOT in ONTOLOGY and len(ONTOLOGY) == len(ROWS)


def test_terms_that_are_not_cells_are_left_out():
    terms = {
        ROOT: Term(ROOT, "cell"),
        "CL:1": Term("CL:1", "nucleus"),
        "CL:2": Term("CL:2", "x", (), ("CL:1", ROOT)),
    }
    assert list(CellOntology(terms)) == [ROOT, "CL:2"]
    assert CellOntology(terms).parents("CL:2") == (ROOT,)


def test_what_is_no_ontology_is_refused():
    with pytest.raises(ArgumentError, match="lack CL:0000000"):
        CellOntology({})
    circle = {"a": Term("a", "a", (), ("b",)), "b": Term("b", "b", (), ("a",))}
    with pytest.raises(ArgumentError, match="a is a b is a a|b is a a is a b"):
        CellOntology({ROOT: Term(ROOT, "cell")} | circle)
    with pytest.raises(ArgumentError, match="'CL:9' is not a term"):
        ONTOLOGY.parents("CL:9")
    with pytest.raises(ArgumentError, match="terms is empty"):
        ONTOLOGY.common_ancestors([])
