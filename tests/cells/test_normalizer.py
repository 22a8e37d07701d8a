"""Cells are brought to the genes, their order and the scale of the training cells."""

from __future__ import annotations

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from example_cells import apply, assert_same, depth_scaled, make_cells, transformed, with_X
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.errors import ArgumentError, EmptyCellsWarning, MissingGenesWarning, ScaleWarning


def test_values_follow_the_equation():
    adata = make_cells()
    X = adata.X.toarray().astype(float)
    depth = X.sum(axis=1, keepdims=True)
    expr = read_expression(adata)
    norm = Normalizer.fit(expr)
    assert (norm.method, norm.input_scale, norm.target_sum) == ("sqrt", "counts", np.median(depth))
    np.testing.assert_allclose(norm.gene_share, (X / depth).mean(axis=0), rtol=1e-6)
    root = norm.transform(expr).toarray()
    np.testing.assert_allclose(root, np.sqrt(X / depth * norm.target_sum), atol=1e-5)
    log = Normalizer.fit(expr, "log1p").transform(expr).toarray()
    np.testing.assert_allclose(log, np.log1p(X / depth * 1e4), atol=1e-5)


def test_transform_owns_its_arrays():
    expr = read_expression(make_cells())
    for method in ("sqrt", "none"):
        out = Normalizer.fit(expr, method).transform(expr)
        for name in ("data", "indices", "indptr"):
            assert not np.shares_memory(getattr(out, name), getattr(expr.X, name))


@pytest.mark.parametrize("method", ["sqrt", "log1p", "none"])
def test_order_of_genes_does_not_matter(method):
    adata = make_cells()
    norm = Normalizer.fit(read_expression(adata), method)
    order = np.random.default_rng(1).permutation(adata.n_vars)
    assert_same(norm.transform(read_expression(adata[:, order])), norm.transform(read_expression(adata)))


@pytest.mark.parametrize("method", ["sqrt", "log1p"])
def test_scale_of_the_query_does_not_matter(method):
    adata = make_cells(n=100)
    norm = Normalizer.fit(read_expression(adata), method)
    expected = norm.transform(read_expression(adata))
    for scale, X in transformed(adata.X):
        atol = 0.1 if scale == "log1p" else 1e-3  # one of the log1p matrices is rounded
        assert_same(norm.transform(read_expression(with_X(adata, X))), expected, atol=atol)
    log = with_X(adata, apply(np.log1p, depth_scaled(adata.X, 1e4)))
    assert_same(norm.transform(read_expression(log)), expected, atol=1e-4)


@pytest.mark.parametrize("forward", [np.asarray, np.log1p, np.sqrt])
@pytest.mark.parametrize("train", [np.asarray, np.log1p])
def test_single_cell_gives_its_row_of_the_batch(train, forward):
    adata = make_cells()
    norm = Normalizer.fit(read_expression(with_X(adata, apply(train, adata.X))))
    query = with_X(adata, apply(forward, adata.X))
    batch = norm.transform(read_expression(query))
    assert query.n_obs > 20  # enough to infer the scale from the range
    for i in range(20):
        expr = read_expression(query[i])
        if expr.scale_is_certain or forward is train:
            assert_same(norm.transform(expr), batch[i])
    assert_same(norm.transform(read_expression(query[::-1])), batch[::-1])


def test_few_cells_have_the_training_scale_unless_their_values_rule_it_out():
    rng = np.random.default_rng(0)
    tpm = depth_scaled(rng.gamma(0.3, 5.0, (50, 400)), 1e6).toarray()[:, :200]
    names = [f"G{i}" for i in range(200)]

    def read(X):
        return read_expression(pd.DataFrame(X, columns=names))

    by_sqrt = Normalizer.fit(read(np.sqrt(tpm)), "sqrt")
    assert by_sqrt.input_scale == "cp10k"  # no evidence, and values above 25
    by_log = Normalizer.fit(read(np.log1p(tpm)))
    assert_same(by_log.transform(read(np.log1p(tpm)[:1])), by_log.transform(read(np.log1p(tpm)))[:1])
    with pytest.warns(ScaleWarning, match="taken as linear .* range .*fitted on log1p"):
        linear = by_log.transform(read(tpm[:1] / 200))
    assert_same(linear, by_log.transform(read(np.log1p(tpm)))[:1], atol=1e-2)
    by_counts = Normalizer.fit(read(np.rint(tpm)))
    with pytest.warns(ScaleWarning, match="taken as log1p.* range .*fitted on raw counts"):
        by_counts.transform(read(np.log1p(tpm)[:1]))


@pytest.mark.parametrize("method", ["sqrt", "log1p"])
def test_missing_genes_do_not_inflate_the_others(method):
    """Where every cell has the training set's composition, the genes present keep their values."""
    share = np.random.default_rng(0).integers(1, 30, 40)
    frame = pd.DataFrame(np.outer([1, 2, 5], share), columns=[f"G{i}" for i in range(40)])
    norm = Normalizer.fit(read_expression(frame), method)
    query = frame.iloc[:, 10:].assign(EXTRA=1000)
    with pytest.warns(MissingGenesWarning, match=r"10 of the model's 40 genes \(25.0%\) are missing"):
        out = norm.transform(read_expression(query)).toarray()
    expected = norm.transform(read_expression(frame)).toarray()
    assert not out[:, :10].any()
    np.testing.assert_allclose(out[:, 10:], expected[:, 10:], rtol=1e-5)


def test_matched_genes_are_not_matched_again(monkeypatch):
    frame = pd.DataFrame(np.arange(1, 13).reshape(3, 4), columns=list("ABCD"))
    norm = Normalizer.fit(read_expression(frame))
    query = read_expression(frame[["D", "B"]].assign(X=1))
    with pytest.warns(MissingGenesWarning, match="2 of the model's 4 genes"):
        indexer, expected = norm.match(query), norm.transform(query)
    assert indexer.tolist() == [3, 1, -1]
    monkeypatch.setattr(Normalizer, "match", lambda *args: pytest.fail("was matched"))
    np.testing.assert_array_equal(norm.transform(query, indexer).toarray(), expected.toarray())


def test_empty_cells_stay_zero():
    adata = make_cells()
    norm = Normalizer.fit(read_expression(adata))
    adata.X = sparse.diags(np.isin(np.arange(60), [3, 4], invert=True).astype(np.float32)) @ adata.X
    with pytest.warns(EmptyCellsWarning, match="2 of 60 cells express none"):
        out = norm.transform(read_expression(adata))
    assert out[3:5].nnz == 0 and np.isfinite(out.data).all()
    with pytest.raises(ArgumentError, match="zero everywhere"):
        Normalizer.fit(read_expression(np.zeros((3, 2))))


def test_negative_values():
    adata = make_cells()
    fitted = Normalizer.fit(read_expression(adata))
    scaled = adata.X.toarray() - adata.X.mean(axis=0).A1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = Normalizer.fit(read_expression(scaled))
    assert prepared.method == "none"
    assert_same(prepared.transform(read_expression(scaled)), sparse.csr_matrix(scaled.astype(np.float32)))
    with pytest.warns(ScaleWarning, match="not normalized .normalization='none'"):
        Normalizer.fit(read_expression(pd.DataFrame(scaled, columns=adata.var_names)))
    with pytest.raises(ArgumentError, match="negative values.*Pass raw counts"):
        fitted.transform(read_expression(scaled))
    adata.layers["counts"] = adata.X.copy()
    adata.X = scaled
    with pytest.raises(ArgumentError, match=r"Read another matrix \(layer='counts'\)\.$"):
        Normalizer.fit(read_expression(adata))
    assert Normalizer.fit(read_expression(adata), "none").method == "none"
    with pytest.raises(ArgumentError, match="normalization='cpm' is not supported"):
        Normalizer.fit(read_expression(adata), "cpm")


def test_arrays_are_matched_by_position_on_the_training_scale():
    X = make_cells().X
    norm = Normalizer.fit(read_expression(X))
    assert_same(norm.transform(read_expression(X[:1])), norm.transform(read_expression(X))[:1])
    with pytest.raises(ArgumentError, match="X has 79 features, but the model is expecting 80 features"):
        norm.transform(read_expression(X[:, 1:]))
    with pytest.warns(ScaleWarning, match="looks like square roots but is treated as raw counts"):
        norm.transform(read_expression(apply(np.sqrt, X)))


def test_saved_normalizer_is_rebuilt():
    expr = read_expression(make_cells())
    norm = Normalizer.fit(expr)
    again = Normalizer.from_dict(norm.to_dict(), norm.arrays())
    assert again.to_dict() == norm.to_dict()
    assert_same(again.transform(expr), norm.transform(expr))


counts = st.integers(2, 6).flatmap(
    lambda m: st.lists(
        st.lists(st.integers(0, 50), min_size=m, max_size=m).filter(any), min_size=1, max_size=8
    )
)


@settings(max_examples=60, deadline=None)
@given(counts, st.randoms(use_true_random=False))
def test_row_depends_on_its_cell_only(rows, random):
    frame = pd.DataFrame(rows, columns=[f"G{i}" for i in range(len(rows[0]))])
    norm = Normalizer.fit(read_expression(frame))
    whole = norm.transform(read_expression(frame))
    np.testing.assert_allclose(whole.power(2).sum(axis=1), norm.target_sum, rtol=1e-4)
    order = random.sample(range(len(frame)), random.randint(1, len(frame)))
    assert_same(norm.transform(read_expression(frame.iloc[order])), whole[order])
    assert_same(norm.transform(read_expression(frame * 7)), whole, atol=1e-5)


def test_versions_of_ensembl_ids_are_ignored():
    adata = make_cells()
    adata.var_names = [f"ENSG{i:011d}.{i % 7}" for i in range(adata.n_vars)]
    norm = Normalizer.fit(read_expression(adata))
    query = adata.copy()
    query.var_names = [name.split(".")[0] for name in adata.var_names]
    assert_same(norm.transform(read_expression(query)), norm.transform(read_expression(adata)))


def test_versions_of_one_id_are_summed_in_any_order():
    names = ["ENSG00000000001.1", "ENSG00000000001.2", "AL1.2"]
    frame = pd.DataFrame(np.arange(1, 7).reshape(2, 3), columns=names)
    norm = Normalizer.fit(read_expression(frame))
    assert_same(norm.transform(read_expression(frame.iloc[:, ::-1])), norm.transform(read_expression(frame)))


def test_no_genes_in_common():
    adata = make_cells()
    norm = Normalizer.fit(read_expression(adata))
    query = adata.copy()
    query.var["symbol"] = adata.var_names
    query.var_names = [f"ENSG{i:011d}" for i in range(query.n_vars)]
    with pytest.raises(
        ValueError,
        match=r"no genes in common.*human Ensembl gene ids \(ENSG0.*"
        r"human symbols \(GENE0, .*pass gene_column='symbol'",
    ):
        norm.transform(read_expression(query))
    assert_same(
        norm.transform(read_expression(query, gene_column="symbol")), norm.transform(read_expression(adata))
    )
    del query.var["symbol"]
    with pytest.raises(ArgumentError, match="Rename the genes of X to human symbols, or .*gene_column="):
        norm.transform(read_expression(query))
    frame = pd.DataFrame(adata.X.toarray(), columns=adata.var_names.str.lower())
    with pytest.raises(ArgumentError, match="80 names match if letter case is ignored.*species.*organism="):
        norm.transform(read_expression(frame))
    frame.columns = adata.var_names.str.capitalize()
    with pytest.raises(ArgumentError, match="cells of Mus musculus.*Homo sapiens.*organism='mouse'"):
        norm.transform(read_expression(frame))


def test_mouse_cells_with_a_human_model(shared_data):
    human = read_expression(ad.read_h5ad(shared_data / "cells" / "zheng_sorted_pbmc.h5ad"))
    mouse = read_expression(ad.read_h5ad(shared_data / "cells" / "baron_mouse_pancreas.h5ad"))
    with pytest.raises(ArgumentError, match="look like mouse symbols .*like human symbols .*organism="):
        Normalizer.fit(human).transform(mouse)


def test_real_query_with_few_genes(shared_data):
    train = read_expression(ad.read_h5ad(shared_data / "cells" / "pbmc3k.h5ad"))
    query = ad.read_h5ad(shared_data / "cells" / "kang_ctrl_8k_2511genes.h5ad")[:500]
    norm = Normalizer.fit(train)
    with pytest.warns(MissingGenesWarning, match="genes .* are missing from X"):
        out = norm.transform(read_expression(query))
    assert out.shape == (500, len(train.genes)) and out.has_sorted_indices
    shared = np.isin(train.genes, query.var_names)
    expected = norm.target_sum * norm.gene_share[shared].sum()
    np.testing.assert_allclose(out.power(2).sum(axis=1), expected, rtol=1e-4)


def read_part(X, n=120, **options):
    """Read values that come neither from counts nor to a total, so that their scale is a guess."""
    return read_expression(pd.DataFrame(X, columns=[f"G{i}" for i in range(n)]), **options)


def uncertain_values():
    return np.random.default_rng(0).gamma(0.5, 2.0, (50, 120)) + 0.05


def test_guessed_training_scale_is_said():
    logs = np.log10(uncertain_values() * 100 + 1)
    with pytest.warns(
        ScaleWarning, match="taken as log1p.* a guess from the range .* state its scale with scale="
    ):
        Normalizer.fit(read_part(logs))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        norm = Normalizer.fit(read_part(logs, scale="log10p1"))
        assert norm.input_scale == "log10p1"
        expected = Normalizer.fit(read_part(uncertain_values() * 100, scale="cp10k"))
        linear = expected.transform(read_part(uncertain_values() * 100, scale="cp10k"))
        assert_same(norm.transform(read_part(logs, scale="log10p1")), linear, atol=1e-4)
        assert_same(norm.transform(read_part(uncertain_values() * 100, scale="cp10k")), linear, atol=1e-4)
    with pytest.warns(ScaleWarning, match="taken as log10.* a guess"):
        assert_same(norm.transform(read_part(logs)), linear, atol=1e-4)


def test_scale_stated_for_training_gives_way_to_evidence():
    adata = make_cells(n=100)
    log = with_X(adata, apply(np.log1p, adata.X))
    norm = Normalizer.fit(read_expression(log, scale="log1p"))
    expected = norm.transform(read_expression(log))
    assert_same(norm.transform(read_expression(adata, scale="log1p")), expected, atol=1e-4)


def test_stated_scale_that_cannot_be_right():
    adata = make_cells(n=100)
    with pytest.raises(ArgumentError, match=r"scale='log1p' cannot be right, as X has values up to \d+"):
        Normalizer.fit(read_expression(with_X(adata, adata.X * 10), scale="log1p"))
    with pytest.warns(
        ScaleWarning, match="looks like log1p.* but is read as linear .* as scale='cp10k' says"
    ):
        Normalizer.fit(read_expression(with_X(adata, apply(np.log1p, adata.X)), scale="cp10k"))


def test_parts_on_different_scales_are_converted_each():
    adata = make_cells(n=100, m=300)
    norm = Normalizer.fit(read_expression(adata))
    joined = sparse.vstack([adata.X[:40], apply(np.log1p, depth_scaled(adata.X[40:], 1e4))], "csr")
    said = "joins 40 cells of raw counts and 60 cells of log1p-transformed values; each part is converted"
    with pytest.warns(ScaleWarning, match=said):
        query = norm.transform(read_expression(with_X(adata, joined)))
    assert_same(query, norm.transform(read_expression(adata)), atol=1e-3)
    with pytest.warns(ScaleWarning, match=said):
        trained = Normalizer.fit(read_expression(with_X(adata, joined)))
    np.testing.assert_allclose(trained.gene_share, norm.gene_share, rtol=1e-3)
    with pytest.raises(ArgumentError, match="X joins 40 cells of raw counts and 60 .* state it with scale="):
        Normalizer.fit(read_expression(joined))


@pytest.mark.parametrize(
    ("second", "said"),
    [(np.log1p, "X is taken as log1p.*, a guess for 2 of"), (np.sqrt, r"X joins .*, a guess for \d of")],
)
def test_cells_whose_scale_is_guessed_among_others_are_said(second, said):
    """Two cells of values without a trace of counts, spread evenly over many genes."""
    adata = make_cells(n=100, m=300)
    even = sparse.csr_matrix(np.random.default_rng(0).uniform(1, 2, (2, 300)))
    parts = [even, apply(np.log1p, adata.X[2:50]), apply(second, adata.X[50:])]
    cells = with_X(adata, sparse.vstack(parts, "csr"))
    with pytest.warns(ScaleWarning, match=said):
        norm = Normalizer.fit(read_expression(cells))
    with pytest.warns(ScaleWarning, match=said):
        norm.transform(read_expression(cells))
