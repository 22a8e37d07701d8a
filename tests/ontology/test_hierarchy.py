"""Hierarchy: sums upwards, levels, covers of sets, made of parents or of the Cell Ontology."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_ontology import ONTOLOGY

from gene_gcn.errors import ArgumentError
from gene_gcn.ontology import Hierarchy

TYPES = ("CD4", "CD8", "B", "plasma", "mono")
PARENTS = {"CD4": "T", "CD8": "T", "T": "lymphoid", "B": "lymphoid", "plasma": "B"}
LEVELS = {"lineage": ["lymphoid"] * 4 + ["mono"], "coarse": ["T", "T", "B", "B", "mono"], "fine": list(TYPES)}
TREE = Hierarchy.from_parents(TYPES, PARENTS, LEVELS)
IDS = {
    "CD4": "CL:0000624",
    "CD8": "CL:0000625",
    "naive": "CL:0000898",
    "naive CD4": "CL:0000895",
    "B": "CL:0000236",
    "mono": "CL:0001054",
}
DAG = Hierarchy.from_ontology([*IDS, "odd"], IDS, ONTOLOGY)


def probabilities(num_types, n=200, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(num_types, 0.3), n)


@pytest.mark.parametrize("hierarchy", [TREE, DAG])
def test_sums_upwards(hierarchy):
    probability = probabilities(hierarchy.num_types)
    summed = hierarchy.sum_upwards(probability)
    np.testing.assert_allclose(summed[:, -1], 1)
    for node, name in enumerate(hierarchy.nodes):
        under = [k for k, t in enumerate(hierarchy.types) if t == name or name in hierarchy.ancestors(t)]
        np.testing.assert_allclose(summed[:, node], probability[:, under].sum(1))
        for parent in hierarchy.parents[node]:
            assert (summed[:, node] <= summed[:, parent] + 1e-12).all()


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_sums_to_one(level):
    probability = probabilities(5)
    names, group = TREE.at_level(level)
    summed = TREE.sum_to_level(probability, level)
    assert list(names) == sorted(set(LEVELS[level])) and [names[g] for g in group] == LEVELS[level]
    np.testing.assert_allclose(summed.sum(1), 1)
    for column, name in enumerate(names):
        own = [k for k, each in enumerate(LEVELS[level]) if each == name]
        np.testing.assert_allclose(summed[:, column], probability[:, own].sum(1))


def test_ancestors_and_depth():
    assert TREE.ancestors("plasma") == {"B", "lymphoid", "cell"} and TREE.descendants("B") == {"plasma"}
    assert TREE.nodes[:5] == TYPES and TREE.nodes[-1] == "cell"
    assert TREE.depth[TREE.nodes.index("plasma")] == 3 and "T" in TREE and "NK" not in TREE
    with pytest.raises(ArgumentError, match="node='NK' is not a node"):
        TREE.ancestors("NK")
    with pytest.raises(ArgumentError, match="level='tissue' is not a level.*'lineage', 'coarse', 'fine'"):
        TREE.at_level("tissue")


def test_of_the_cell_ontology_only_what_tells_types_apart_is_kept():
    assert set(DAG.nodes) - set(DAG.types) == {"T cell", "lymphocyte", "hematopoietic cell", "cell"}
    assert set(DAG.parents[DAG.types.index("naive CD4")]) == {0, 2}  # CD4 and naive, both types themselves
    assert DAG.ancestors("odd") == {"cell"} and DAG.ids[DAG.types.index("odd")] == "unknown"
    assert DAG.ids[DAG.nodes.index("T cell")] == "CL:0000084" and DAG.ids[-1] == "unknown"


def test_the_root_is_the_deepest_common_ancestor():
    lymphoid = Hierarchy.from_ontology(["CD4", "B"], IDS, ONTOLOGY)
    assert (lymphoid.nodes, lymphoid.ids[-1]) == (("CD4", "B", "lymphocyte"), "CL:0000542")


def test_types_of_one_term_and_of_its_label():
    ids = {"B cell": "CL:0000236", "B": "CL:0000236", "T": "CL:0000084"}
    found = Hierarchy.from_ontology(list(ids), ids, ONTOLOGY)
    assert found.nodes == ("B cell", "B", "T", "B cell (CL:0000236)", "lymphocyte")
    assert found.ancestors("B") == {"B cell (CL:0000236)", "lymphocyte"}


def test_a_type_above_all_others_is_under_the_root():
    ids = {"T": "CL:0000084", "CD4": "CL:0000624"}
    assert Hierarchy.from_ontology(["T", "CD4"], ids, ONTOLOGY).ancestors("CD4") == {"T", "cell"}


def test_every_ancestor_of_the_ontology_with_other_types_is_there():
    """Summing over the terms of the whole ontology gives no probability that the hierarchy lacks."""
    types = list(IDS)
    kept = Hierarchy.from_ontology(types, IDS, ONTOLOGY)
    sets = {frozenset(np.flatnonzero(column)) for column in kept.members.T}
    for term in ONTOLOGY:
        under = {k for k, name in enumerate(types) if term in ONTOLOGY.ancestors(IDS[name]) | {IDS[name]}}
        assert not under or frozenset(under) in sets


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.sampled_from([DAG, TREE]))
def test_covers_hold_the_set_and_no_more_than_needed(flags, hierarchy):
    flags = np.array([*flags, False][: hierarchy.num_types])
    (cover,) = hierarchy.cover(flags[None])
    held = hierarchy.members[:, cover].any(1)
    assert (held >= flags).all() and cover.sum() <= flags.sum()
    strictly = hierarchy.above & ~np.eye(len(hierarchy.nodes), dtype=bool)
    assert not strictly[np.ix_(cover, cover)].any()  # none above another
    for node in np.flatnonzero(cover):  # only a type of the set that is above others brings these with it
        assert (hierarchy.members[:, node] <= flags).all() or node < hierarchy.num_types


def test_covers_by_name():
    def cover(*names):
        (found,) = TREE.cover(np.isin(TYPES, names)[None])
        return {TREE.nodes[node] for node in np.flatnonzero(found)}

    assert cover("CD4", "CD8") == {"T"} and cover("CD4", "plasma") == {"CD4", "plasma"}
    assert cover("B", "plasma", "mono") == {"B", "mono"} and cover("B") == {"B"} and cover() == set()
    assert cover(*TYPES) == {"cell"} and cover(*TYPES[:4]) == {"lymphoid"}


def test_other_types():
    some = TREE.for_types(["mono", "CD8", "new"])
    assert some.nodes == ("mono", "CD8", "new", "T", "lymphoid", "cell")
    assert some.ancestors("CD8") == {"T", "lymphoid", "cell"} and some.ancestors("new") == {"cell"}
    assert some.at_level("coarse")[0] == ("T", "mono", "new")
    same = TREE.for_types(TYPES)
    assert same.to_dict() == TREE.to_dict()


@pytest.mark.parametrize("hierarchy", [TREE, DAG])
def test_json_round_trip(hierarchy):
    again = Hierarchy.from_dict(json.loads(json.dumps(hierarchy.to_dict())))
    assert again.to_dict() == hierarchy.to_dict()
    np.testing.assert_array_equal(again.above, hierarchy.above)


def test_ids_by_name():
    named = TREE.with_ids({"T": "CL:0000084", "elsewhere": "CL:0000000"})
    assert named.has_ids and not TREE.has_ids and named.ids[named.nodes.index("T")] == "CL:0000084"
    assert repr(named) == "Hierarchy(5 types, 8 nodes, 1 with ids, levels 'lineage', 'coarse', 'fine')"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"num_types": 9}, "differ in length"),
        ({"parents": ((1,), (0,), ())}, "above itself"),
        ({"parents": ((7,), (2,), ())}, "not a node"),
        ({"parents": ((), (2,), ())}, "lack parents"),
        ({"parents": ((2,), (2,), (0,))}, "lack parents"),
        ({"nodes": ("a", "a", "cell")}, "unique"),
        ({"ids": ("CL:1", "unknown", "unknown")}, "an id"),
        ({"levels": {"coarse": (1, 1)}}, "a level"),
        ({"levels": {"coarse": (0,)}}, "a level"),
    ],
)
def test_what_is_no_hierarchy(change, problem):
    values = {"nodes": ("a", "b", "cell"), "num_types": 2, "parents": ((2,), (2,), ())}
    assert Hierarchy(**values).types == ("a", "b")
    with pytest.raises(ArgumentError, match=problem):
        Hierarchy(**values | change)


def test_circles_are_named():
    with pytest.raises(ArgumentError, match="'T' is under 'L' is under 'T'|'L' is under 'T' is under 'L'"):
        Hierarchy.from_parents(["CD4", "B"], {"CD4": "T", "T": "L", "L": "T"})
    with pytest.raises(ArgumentError, match="A type is called 'cell'"):
        Hierarchy.from_parents(["cell", "B"], {})
