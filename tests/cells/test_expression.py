"""The border to AnnData, data frames and arrays."""

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from gene_gcn.cells.expression import Normalizer, detect_scale, read_expression, read_labels

FILES = [
    "zheng_sorted_pbmc",
    "pbmc3k",
    "baron_mouse_pancreas",
    "panc8_small",
    "baron_mini_human_mouse",
    "garnett_pbmc800",
    "kang_ctrl_8k_2511genes",
]


def make(n=60, m=80, seed=0):
    """Counts of n cells × m genes whose depths differ tenfold."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.5, 2.0, m) * rng.uniform(0.3, 3.0, (n, 1))
    X = sparse.csr_matrix(rng.poisson(mean).astype(np.float32))
    adata = ad.AnnData(
        X,
        obs=pd.DataFrame(index=[f"cell{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"GENE{j}" for j in range(m)]),
    )
    adata.obs["cell_type"] = pd.Categorical(rng.choice(["B", "T", "NK"], n))
    return adata


def apply(f, X):
    X = sparse.csr_matrix(X, dtype=np.float64, copy=True)
    X.data = f(X.data)
    return X.astype(np.float32)


def depth_scaled(X, target):
    X = sparse.csr_matrix(X, dtype=np.float64)
    return sparse.diags(target / np.maximum(np.asarray(X.sum(axis=1)).ravel(), 1e-9)) @ X


def transformed(X):
    """One matrix of counts on every scale, with the name of that scale."""
    cp10k, cpm = depth_scaled(X, 1e4), depth_scaled(X, 1e6)
    return [
        ("cp10k", cp10k),
        ("cp10k", cpm),
        ("log1p", apply(np.log1p, cp10k)),
        ("log1p", apply(np.log1p, X)),
        ("log1p", apply(lambda x: np.round(np.log1p(x), 3), cp10k)),
        ("sqrt", apply(np.sqrt, X)),
        ("sqrt", apply(np.sqrt, depth_scaled(X, 1500))),
        ("log2p1", apply(lambda x: np.log2(x + 1), cpm)),
    ]


def with_X(adata, X):
    return ad.AnnData(X, obs=adata.obs.copy(), var=adata.var.copy())


def same(a, b, atol=0.0):
    assert a.shape == b.shape
    np.testing.assert_allclose(a.toarray(), b.toarray(), rtol=0, atol=atol)


# reading


@pytest.mark.parametrize(
    "form",
    [
        "csr",
        "csc",
        "coo",
        "lil",
        "sparray",
        "dense",
        "fortran",
        "frame",
        "sparse frame",
        "int",
        "float16",
        "list",
        "object",
    ],
)
def test_every_form_reads_the_same(form):
    X = make().X
    dense = X.toarray()
    forms = {
        "csr": X,
        "csc": X.tocsc(),
        "coo": X.tocoo(),
        "lil": X.tolil(),
        "sparray": sparse.csc_array(X),
        "dense": dense,
        "fortran": np.asfortranarray(dense.astype(float)),
        "frame": pd.DataFrame(dense),
        "sparse frame": pd.DataFrame.sparse.from_spmatrix(X),
        "int": X.astype(np.int64),
        "float16": dense.astype(np.float16),
        "list": dense.tolist(),
        "object": dense.astype(object),
    }
    expr = read_expression(forms[form])
    assert expr.X.dtype == np.float32 and expr.X.format == "csr" and expr.X.has_canonical_format
    assert expr.genes is None
    same(expr.X, X)


def test_canonical_float32_is_shared_and_others_are_left_alone():
    X = make().X
    assert np.shares_memory(read_expression(X).X.data, X.data)
    data, indices, indptr = np.array([1, 2, 0, 4], np.float32), np.array([2, 2, 0, 1]), np.array([0, 3, 4])
    messy = sparse.csr_matrix((data, indices, indptr), shape=(2, 3))
    before = messy.data.copy(), messy.indices.copy(), messy.indptr.copy()
    expr = read_expression(messy)
    Normalizer.fit(expr).transform(expr)
    assert expr.X.nnz == 2 and expr.X.has_sorted_indices
    for old, now in zip(before, (messy.data, messy.indices, messy.indptr), strict=True):
        np.testing.assert_array_equal(old, now)


def test_transform_owns_its_arrays():
    expr = read_expression(make())
    for method in ("sqrt", "none"):
        out = Normalizer.fit(expr, method).transform(expr)
        for name in ("data", "indices", "indptr"):
            assert not np.shares_memory(getattr(out, name), getattr(expr.X, name))


def test_matrix_of_an_anndata_is_chosen():
    adata = make()
    adata.layers["twice"] = adata.X * 2
    adata.raw = adata
    adata.X = adata.X * 3
    same(read_expression(adata, layer="twice").X, adata.raw.X * 2)
    same(read_expression(adata, use_raw=True).X, adata.raw.X)
    assert read_expression(adata[:5, ::-1]).genes == tuple(adata.var_names[::-1])
    with pytest.raises(ValueError, match=r"layer='counts' is not in this AnnData; it has \['twice'\]"):
        read_expression(adata, layer="counts")
    with pytest.raises(ValueError, match="no .raw"):
        read_expression(make(), use_raw=True)
    with pytest.raises(ValueError, match="pass one of them"):
        read_expression(adata, layer="twice", use_raw=True)
    with pytest.raises(ValueError, match="layer='twice' names a part of an AnnData, but X is a csr_matrix"):
        read_expression(adata.X, layer="twice")


@pytest.mark.parametrize("dense", [False, True])
def test_backed_anndata(tmp_path, dense):
    adata = make()
    same_counts = adata.X.copy()
    if dense:
        adata.X = adata.X.toarray()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    expr = read_expression(backed)
    backed.file.close()
    same(expr.X, same_counts)


def test_gene_column_and_its_gaps():
    adata = make(m=4)
    adata.var["symbol"] = ["A", None, "", "D"]
    assert read_expression(adata, gene_column="symbol").genes == ("A", "GENE1", "GENE2", "D")
    with pytest.raises(ValueError, match=r"gene_column='name' is not in var; it has \['symbol'\]"):
        read_expression(adata, gene_column="name")


def test_column_labels_become_text():
    frame = pd.DataFrame(np.eye(2), columns=[7157, 672])
    assert read_expression(frame).genes == ("7157", "672")


@pytest.mark.parametrize("value, what", [(np.nan, "NaN"), (np.inf, "infinity"), (1e300, "infinity or a")])
def test_what_is_not_finite_is_named(value, what):
    frame = pd.DataFrame(np.eye(3), index=list("abc"), columns=["X1", "X2", "X3"])
    frame.loc["b", "X3"] = value
    with pytest.raises(ValueError, match=f"Input X contains {what}.*cell 'b', gene 'X3'"):
        read_expression(frame)
    with pytest.raises(ValueError, match="cell 1, gene 2"):
        read_expression(frame.to_numpy())


@pytest.mark.parametrize(
    "X, message",
    [
        (np.zeros((0, 3)), r"0 sample\(s\)"),
        (sparse.csr_matrix((3, 0)), r"0 feature\(s\)"),
        (np.zeros(3), "Expected 2D"),
        (np.array([["a", "b"]]), "not numeric"),
        (np.array([["a", 1]], dtype=object), "must be numeric"),
        (np.eye(2) * 1j, "Complex data"),
        (sparse.eye(2, dtype=complex), "Complex data"),
        (pd.DataFrame({"A": [1.0], "cell_type": ["B"]}), r"not numbers: \['cell_type'\]"),
    ],
)
def test_what_is_no_expression_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        read_expression(X)


def test_same_names_are_summed_on_the_linear_scale():
    adata = make(n=200)
    halves = sparse.hstack([adata.X, adata.X], format="csr")
    names = [*adata.var_names, *adata.var_names]
    for forward in (np.asarray, np.log1p, np.sqrt):
        frame = pd.DataFrame(apply(forward, halves).toarray(), columns=names)
        with pytest.warns(UserWarning, match="80 gene names occur more than once.*summed"):
            expr = read_expression(frame)
        assert expr.genes == tuple(adata.var_names)
        same(expr.X, apply(forward, adata.X * 2), atol=1e-4)
    with pytest.raises(ValueError, match="cannot be summed"):
        read_expression(frame - 1)


# scale


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", ["all", "half", 300])
def test_scale_of_real_cells(shared_data, name, kept):
    counts = ad.read_h5ad(shared_data / "cells" / f"{name}.h5ad")[:600].X
    rng = np.random.default_rng(0)
    n = counts.shape[1]
    genes = np.sort(rng.choice(n, {"all": n, "half": n // 2}.get(kept, kept), replace=False))
    assert detect_scale(counts[:, genes]) == ("cp10k" if name == "panc8_small" else "counts")
    for scale, X in transformed(counts):
        assert detect_scale(X.tocsc()[:, genes]) == scale
    dense = counts[:100].toarray()
    assert detect_scale(dense - dense.mean(axis=0)) == "scaled"


def test_scale_of_pbmc68k():
    """scanpy ships z-scores in X and log1p values of 765 genes, rounded to three decimals, in raw."""
    adata = sc.datasets.pbmc68k_reduced()
    assert detect_scale(adata.X) == "scaled"
    assert detect_scale(adata.raw.X) == "log1p"


def test_scale_of_values_that_do_not_come_from_counts():
    rng = np.random.default_rng(0)
    tpm = depth_scaled(rng.gamma(0.3, 5.0, (50, 400)), 1e6).toarray()
    assert detect_scale(tpm) == "cp10k"
    assert detect_scale(np.sqrt(tpm)) == "sqrt"
    assert detect_scale(np.log2(tpm + 1)) == "log2p1"
    assert detect_scale(np.log1p(tpm)) == detect_scale(np.log1p(tpm)[:, :200]) == "log1p"
    assert not read_expression(np.log1p(tpm)[:, :200]).scale_is_certain


# normalisation


def test_values_are_the_equation():
    adata = make()
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


@pytest.mark.parametrize("method", ["sqrt", "log1p", "none"])
def test_order_of_genes_does_not_matter(method):
    adata = make()
    norm = Normalizer.fit(read_expression(adata), method)
    order = np.random.default_rng(1).permutation(adata.n_vars)
    same(norm.transform(read_expression(adata[:, order])), norm.transform(read_expression(adata)))


@pytest.mark.parametrize("method", ["sqrt", "log1p"])
def test_scale_of_the_query_does_not_matter(method):
    adata = make(n=100)
    norm = Normalizer.fit(read_expression(adata), method)
    expected = norm.transform(read_expression(adata))
    for scale, X in transformed(adata.X):
        atol = 0.1 if scale == "log1p" else 1e-3  # one of the log1p matrices is rounded
        same(norm.transform(read_expression(with_X(adata, X))), expected, atol=atol)
    log = with_X(adata, apply(np.log1p, depth_scaled(adata.X, 1e4)))
    same(norm.transform(read_expression(log)), expected, atol=1e-4)


@pytest.mark.parametrize("forward", [np.asarray, np.log1p, np.sqrt])
@pytest.mark.parametrize("train", [np.asarray, np.log1p])
def test_a_cell_alone_gives_its_row_of_the_batch(train, forward):
    adata = make()
    norm = Normalizer.fit(read_expression(with_X(adata, apply(train, adata.X))))
    query = with_X(adata, apply(forward, adata.X))
    batch = norm.transform(read_expression(query))
    assert query.n_obs > 20  # enough to judge the batch by its range
    for i in range(20):
        expr = read_expression(query[i])
        if expr.scale_is_certain or forward is train:
            same(norm.transform(expr), batch[i])
    same(norm.transform(read_expression(query[::-1])), batch[::-1])


def test_a_few_cells_are_on_the_training_scale_unless_their_values_rule_it_out():
    rng = np.random.default_rng(0)
    tpm = depth_scaled(rng.gamma(0.3, 5.0, (50, 400)), 1e6).toarray()[:, :200]
    names = [f"G{i}" for i in range(200)]

    def read(X):
        return read_expression(pd.DataFrame(X, columns=names))

    by_sqrt = Normalizer.fit(read(np.sqrt(tpm)), "sqrt")
    assert by_sqrt.input_scale == "cp10k"  # no evidence, and values above 25
    by_log = Normalizer.fit(read(np.log1p(tpm)))
    same(by_log.transform(read(np.log1p(tpm)[:1])), by_log.transform(read(np.log1p(tpm)))[:1])
    with pytest.warns(UserWarning, match="taken as cp10k by the range.*fitted on log1p"):
        linear = by_log.transform(read(tpm[:1]))
    same(linear, by_log.transform(read(np.log1p(tpm)))[:1], atol=1e-2)
    by_counts = Normalizer.fit(read(np.rint(tpm)))
    with pytest.warns(UserWarning, match="taken as log1p by the range.*fitted on counts"):
        by_counts.transform(read(np.log1p(tpm)[:1]))


@pytest.mark.parametrize("method", ["sqrt", "log1p"])
def test_missing_genes_do_not_inflate_the_others(method):
    """Where every cell has the training set's composition, the genes present keep their values."""
    share = np.random.default_rng(0).integers(1, 30, 40)
    frame = pd.DataFrame(np.outer([1, 2, 5], share), columns=[f"G{i}" for i in range(40)])
    norm = Normalizer.fit(read_expression(frame), method)
    query = frame.iloc[:, 10:].assign(EXTRA=1000)
    with pytest.warns(UserWarning, match=r"10 of the model's 40 genes \(25.0%\) are missing"):
        out = norm.transform(read_expression(query)).toarray()
    expected = norm.transform(read_expression(frame)).toarray()
    assert not out[:, :10].any()
    np.testing.assert_allclose(out[:, 10:], expected[:, 10:], rtol=1e-5)


def test_genes_that_were_matched_before_are_not_matched_again(monkeypatch):
    frame = pd.DataFrame(np.arange(1, 13).reshape(3, 4), columns=list("ABCD"))
    norm = Normalizer.fit(read_expression(frame))
    query = read_expression(frame[["D", "B"]].assign(X=1))
    with pytest.warns(UserWarning, match="2 of the model's 4 genes"):
        place, expected = norm.match(query), norm.transform(query)
    assert place.tolist() == [3, 1, -1]
    monkeypatch.setattr(Normalizer, "match", lambda *args: pytest.fail("was matched"))
    np.testing.assert_array_equal(norm.transform(query, place).toarray(), expected.toarray())


def test_empty_cells_stay_zero():
    adata = make()
    norm = Normalizer.fit(read_expression(adata))
    adata.X = sparse.diags(np.isin(np.arange(60), [3, 4], invert=True).astype(np.float32)) @ adata.X
    with pytest.warns(UserWarning, match="2 of 60 cells express none"):
        out = norm.transform(read_expression(adata))
    assert out[3:5].nnz == 0 and np.isfinite(out.data).all()
    with pytest.raises(ValueError, match="zero everywhere"):
        Normalizer.fit(read_expression(np.zeros((3, 2))))


def test_negative_values():
    adata = make()
    fitted = Normalizer.fit(read_expression(adata))
    scaled = adata.X.toarray() - adata.X.mean(axis=0).A1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = Normalizer.fit(read_expression(scaled))
    assert prepared.method == "none"
    same(prepared.transform(read_expression(scaled)), sparse.csr_matrix(scaled.astype(np.float32)))
    with pytest.warns(UserWarning, match="taken as it is"):
        Normalizer.fit(read_expression(pd.DataFrame(scaled, columns=adata.var_names)))
    with pytest.raises(ValueError, match="negative values.*pass counts"):
        fitted.transform(read_expression(scaled))
    adata.layers["counts"] = adata.X.copy()
    adata.X = scaled
    with pytest.raises(ValueError, match=r"read another matrix \(layer='counts'\).*normalization='none'"):
        Normalizer.fit(read_expression(adata))
    assert Normalizer.fit(read_expression(adata), "none").method == "none"
    with pytest.raises(ValueError, match="normalization='cpm' is unknown"):
        Normalizer.fit(read_expression(adata), "cpm")


def test_arrays_are_matched_by_position_and_stay_on_the_training_scale():
    X = make().X
    norm = Normalizer.fit(read_expression(X))
    same(norm.transform(read_expression(X[:1])), norm.transform(read_expression(X))[:1])
    with pytest.raises(ValueError, match="X has 79 features, but the model is expecting 80 features"):
        norm.transform(read_expression(X[:, 1:]))
    with pytest.warns(UserWarning, match="looks like sqrt, the model was fitted on counts"):
        norm.transform(read_expression(apply(np.sqrt, X)))


def test_saved_values_build_it_again():
    expr = read_expression(make())
    norm = Normalizer.fit(expr)
    again = Normalizer.from_dict(norm.to_dict(), norm.arrays())
    assert again.to_dict() == norm.to_dict()
    same(again.transform(expr), norm.transform(expr))


counts = st.integers(2, 6).flatmap(
    lambda m: st.lists(
        st.lists(st.integers(0, 50), min_size=m, max_size=m).filter(any), min_size=1, max_size=8
    )
)


@settings(max_examples=60, deadline=None)
@given(counts, st.randoms(use_true_random=False))
def test_a_row_depends_on_its_cell_alone(rows, random):
    frame = pd.DataFrame(rows, columns=[f"G{i}" for i in range(len(rows[0]))])
    norm = Normalizer.fit(read_expression(frame))
    whole = norm.transform(read_expression(frame))
    np.testing.assert_allclose(whole.power(2).sum(axis=1), norm.target_sum, rtol=1e-4)
    order = random.sample(range(len(frame)), random.randint(1, len(frame)))
    same(norm.transform(read_expression(frame.iloc[order])), whole[order])
    same(norm.transform(read_expression(frame * 7)), whole, atol=1e-5)


# gene names


def test_versions_of_ensembl_ids_are_ignored():
    adata = make()
    adata.var_names = [f"ENSG{i:011d}.{i % 7}" for i in range(adata.n_vars)]
    norm = Normalizer.fit(read_expression(adata))
    query = adata.copy()
    query.var_names = [name.split(".")[0] for name in adata.var_names]
    same(norm.transform(read_expression(query)), norm.transform(read_expression(adata)))


def test_versions_that_tell_names_apart_are_kept():
    names = ["ENSG00000000001.1", "ENSG00000000001.2", "AL1.2"]
    frame = pd.DataFrame(np.arange(1, 7).reshape(2, 3), columns=names)
    norm = Normalizer.fit(read_expression(frame))
    same(norm.transform(read_expression(frame.iloc[:, ::-1])), norm.transform(read_expression(frame)))


def test_no_gene_in_common_names_both_kinds_and_the_remedy():
    adata = make()
    norm = Normalizer.fit(read_expression(adata))
    query = adata.copy()
    query.var["symbol"] = adata.var_names
    query.var_names = [f"ENSMUSG{i:011d}" for i in range(query.n_vars)]
    with pytest.raises(
        ValueError,
        match=r"no genes in common.*mouse Ensembl gene ids \(ENSMUSG0.*"
        r"human symbols \(GENE0, .*pass gene_column='symbol'",
    ):
        norm.transform(read_expression(query))
    same(norm.transform(read_expression(query, gene_column="symbol")), norm.transform(read_expression(adata)))
    del query.var["symbol"]
    with pytest.raises(ValueError, match="Rename the genes of X to human symbols"):
        norm.transform(read_expression(query))
    frame = pd.DataFrame(adata.X.toarray(), columns=adata.var_names.str.capitalize())
    with pytest.raises(ValueError, match="mouse symbols .*80 match when letter case is ignored.*orthologs"):
        norm.transform(read_expression(frame))


def test_mouse_cells_for_a_human_model(shared_data):
    human = read_expression(ad.read_h5ad(shared_data / "cells" / "zheng_sorted_pbmc.h5ad"))
    mouse = read_expression(ad.read_h5ad(shared_data / "cells" / "baron_mouse_pancreas.h5ad"))
    with pytest.raises(ValueError, match="look like mouse symbols .*like human symbols .*letter case"):
        Normalizer.fit(human).transform(mouse)


def test_real_query_of_a_few_genes(shared_data):
    train = read_expression(ad.read_h5ad(shared_data / "cells" / "pbmc3k.h5ad"))
    query = ad.read_h5ad(shared_data / "cells" / "kang_ctrl_8k_2511genes.h5ad")[:500]
    norm = Normalizer.fit(train)
    with pytest.warns(UserWarning, match="genes .* are missing from X"):
        out = norm.transform(read_expression(query))
    assert out.shape == (500, len(train.genes)) and out.has_sorted_indices
    shared = np.isin(train.genes, query.var_names)
    expected = norm.target_sum * norm.gene_share[shared].sum()
    np.testing.assert_allclose(out.power(2).sum(axis=1), expected, rtol=1e-4)


# labels


def test_labels_of_an_obs_column_or_given():
    adata = make()
    labels = adata.obs["cell_type"]
    expected = np.asarray(labels, dtype=object)
    for y in ("cell_type", labels, labels.astype(object), list(labels), expected[:, None]):
        out = read_labels(adata, y)
        assert out.shape == (60,)
        np.testing.assert_array_equal(out, expected)
    integers = pd.Series(pd.Categorical(np.arange(60) % 3))
    assert read_labels(adata.X, integers).dtype.kind == "i"


def test_labels_that_are_refused():
    adata = make()
    with pytest.raises(ValueError, match=r"y='celltype' is not.*Did you mean 'cell_type'\?.*\['cell_type'\]"):
        read_labels(adata, "celltype")
    with pytest.raises(ValueError, match="names a column of obs, but X is a csr_matrix"):
        read_labels(adata.X, "cell_type")
    with pytest.raises(ValueError, match=r"shape \(59,\), but X has 60 cells"):
        read_labels(adata, list(adata.obs["cell_type"])[1:])
    with pytest.raises(ValueError, match="another order"):
        read_labels(adata, adata.obs["cell_type"][::-1])
    with pytest.raises(ValueError, match="y to be passed"):
        read_labels(adata, None)
    with pytest.raises(ValueError, match="1 class .B.; at least 2"):
        read_labels(adata, ["B"] * 60, min_classes=2)
    for missing in (None, np.nan, pd.NA, ""):
        y = pd.Series(adata.obs["cell_type"].astype(object))
        y.iloc[[4, 7]] = missing
        adata.obs["holes"] = y
        with pytest.raises(ValueError, match="2 labels are missing or empty.* cells cell4, cell7"):
            read_labels(adata, "holes")
