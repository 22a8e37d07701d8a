"""Several references are joined on the genes they share, each from its own scale."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.cells import (
    are_references,
    join_references,
    read_expression,
    settle_scale,
    warn_of_unshared_types,
)
from gene_gcn.errors import ArgumentError, LabelWarning, MissingGenesWarning

COUNTS = np.random.default_rng(0).poisson(2.0, (40, 60)).astype(np.float32)
GENES = [f"GENE{i}" for i in range(60)]


def cells(values, genes=GENES) -> anndata.AnnData:
    return anndata.AnnData(sparse.csr_matrix(values), var=pd.DataFrame(index=list(genes)))


def joined(*parts):
    return join_references([settle_scale(read_expression(part)) for part in parts])


def test_genes_are_those_of_all_in_the_order_of_the_first():
    other = ["ONLY", *GENES[:50][::-1]]
    values = np.random.default_rng(1).poisson(2.0, (30, 51)).astype(np.float32)
    with pytest.warns(MissingGenesWarning, match="share 50 of their 60 and 51 genes; only these are used"):
        found = joined(cells(COUNTS), cells(values, other))
    assert found.genes == tuple(GENES[:50]) and found.scale == "counts"
    np.testing.assert_array_equal(found.X[:40].toarray(), COUNTS[:, :50])
    np.testing.assert_array_equal(found.X[40:].toarray(), values[:, 1:][:, ::-1])


def test_each_is_read_on_its_own_scale():
    other = np.log1p(COUNTS / COUNTS.sum(1, keepdims=True) * 1e4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = joined(cells(COUNTS), cells(other))
    np.testing.assert_allclose(found.X[:40].toarray(), COUNTS)
    np.testing.assert_allclose(found.X[40:].toarray(), np.expm1(other), rtol=1e-4)
    assert found.scale == "cp10k" and found.scale_is_certain
    logarithms = joined(cells(other[:20]), cells(other[20:]))
    assert logarithms.scale == "log1p"  # as all are, so that a query is read as by a model of one of them
    np.testing.assert_array_equal(logarithms.X.toarray(), other)
    as_they_are = join_references([read_expression(cells(COUNTS)), read_expression(cells(other))])
    np.testing.assert_array_equal(as_they_are.X[40:].toarray(), other)


def test_references_that_cannot_be_joined_are_refused():
    with pytest.raises(ArgumentError, match=r"share only 0 genes \(GENE0.*; ENSG0.*same kind of gene names"):
        joined(cells(COUNTS), cells(COUNTS, [f"ENSG{i}" for i in range(60)]))
    with pytest.raises(ArgumentError, match="need names of genes"):
        joined(cells(COUNTS), COUNTS)
    with pytest.raises(ArgumentError, match="negative values"):
        joined(cells(COUNTS), cells(COUNTS - 1))


def test_a_list_of_references_is_told_from_a_matrix():
    assert are_references([cells(COUNTS), "a.h5ad"]) and are_references((Path("a.h5ad"),))
    assert not are_references(COUNTS) and not are_references(COUNTS.tolist()) and not are_references([])
    assert not are_references("a.h5ad")


def test_types_of_one_reference_are_put_beside_those_of_the_others():
    with pytest.warns(LabelWarning) as caught:
        warn_of_unshared_types([np.array(["T", "B cell"]), np.array(["T", "B", "NK"])])
    assert str(caught[0].message) == (
        "Only 1 of 4 types are in all references; of the others, reference 1 has 'B cell', reference 2 has "
        "'B', 'NK'. If some of these are the same type, give them one name."
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unshared_types([np.array(["T", "B"]), np.array(["B", "T"])])
