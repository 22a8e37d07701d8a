from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.report.types_found import TypesFound


def test_numbers_are_those_of_the_cells(annotated):
    found = TypesFound.of(annotated, "gene_gcn")
    confidence, names = annotated.obs["gene_gcn_confidence"], annotated.obs["gene_gcn"].astype(str)
    assert sum(one.cells for one in found.types) == 90
    assert sum(one.fraction for one in found.types) == pytest.approx(1)
    for one in found.types:
        own = (names == one.name).to_numpy()
        sets = annotated.obsm["gene_gcn_set"].to_numpy()[own].sum(1)
        assert one.cells == own.sum() and one.confidence == pytest.approx(confidence[own].mean())
        assert one.low == pytest.approx((confidence[own] < 0.5).mean())
        assert one.set_size == pytest.approx(sets.mean())
        assert one.single_sets == pytest.approx((sets == 1).mean())
    assert found.alpha == 0.1 and found.has_sets and found.n_unknown == (names == "unknown").sum()


def test_second_type_has_the_next_largest_mean_probability(annotated):
    probability = annotated.obsm["gene_gcn_proba"]
    own = (annotated.obs["gene_gcn"] == "B").to_numpy()
    probability.loc[own, :] = [0.6, 0.3, 0.1]
    found = {one.name: one for one in TypesFound.of(annotated, "gene_gcn").types}
    second = probability.columns[1]
    assert (found["B"].second, found["B"].second_probability) == (second, pytest.approx(0.3))
    probability.loc[own, :] = [0.97, 0.02, 0.01]
    found = {one.name: one for one in TypesFound.of(annotated, "gene_gcn").types}
    assert found["B"].second == ""


def test_unknown_cells_come_last_with_what_they_resemble(annotated):
    types = annotated.obs["gene_gcn"].astype(str).to_numpy(object)
    annotated.obs["gene_gcn"] = np.where(np.arange(90) < 50, "unknown", types)
    found = TypesFound.of(annotated, "gene_gcn")
    assert [one.name for one in found.types][-1] == "unknown" and not found.types[-1].is_type
    assert found.n_unknown == 50 == sum(cells for _, cells in found.resembled)
    best = annotated.obsm["gene_gcn_proba"].iloc[:50].to_numpy().argmax(1)
    counts = dict(zip(annotated.uns["gene_gcn"]["types"], np.bincount(best, minlength=3), strict=True))
    assert dict(found.resembled) == {name: n for name, n in counts.items() if n}
