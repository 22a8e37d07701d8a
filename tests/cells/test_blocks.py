from __future__ import annotations

import anndata as ad
import h5py
import numpy as np
import pytest
from scipy import sparse
from stored_cells import Rows, log1p, typed_cells

from gene_gcn.cells import (
    NormalizedBlocks,
    Normalizer,
    blocks,
    join_references,
    open_cells,
    read_expression,
    settle_scale,
    stays_on_disk,
    stored,
)
from gene_gcn.errors import ArgumentError, DuplicateGenesWarning, MissingGenesWarning


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(stored, "ROWS", 100)


def write(cells, path):
    (cells.write_zarr if path.suffix == ".zarr" else cells.write_h5ad)(path)
    return path


def normalized(X, method="auto", **options):
    """All cells of files, read block by block and normalized, and their normalizer."""
    opened, normalizer = open_cells(X, **options).fit_normalizer(method)
    source = NormalizedBlocks(opened, normalizer, np.ones(len(opened), bool))
    return sparse.vstack(list(source.blocks()), "csr").toarray(), normalizer


def in_memory(expression, method="auto"):
    normalizer = Normalizer.fit(expression, method)
    return normalizer.transform(expression).toarray(), normalizer


@pytest.mark.parametrize("method", ["auto", "sqrt", "log1p"])
@pytest.mark.parametrize("ending", [".h5ad", ".zarr"])
def test_blocks_are_what_is_normalized_in_memory(tmp_path, method, ending):
    cells = typed_cells(350)
    found, normalizer = normalized(write(cells, tmp_path / f"cells{ending}"), method)
    expected, other = in_memory(read_expression(cells), method)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose(normalizer.gene_share, other.gene_share, rtol=1e-6)
    assert normalizer.to_dict() == other.to_dict()


def test_prepared_features_are_left_as_they_are(tmp_path):
    cells = typed_cells(350)
    cells.X = cells.X.toarray() - 1
    found, _ = normalized(write(cells, tmp_path / "cells.h5ad"), "none", normalize=False)
    np.testing.assert_array_equal(found, cells.X)


def test_files_on_different_scales_are_joined_as_in_memory(tmp_path):
    """One has other genes in another order, one is on the logarithmic scale, one is dense."""
    first, second, third = typed_cells(250), log1p(typed_cells(150, 50, seed=1)), typed_cells(120, seed=2)
    second = second[:, np.random.default_rng(0).permutation(50)].copy()
    third.X = third.X.toarray()
    paths = [write(first, tmp_path / "a.h5ad"), write(second, tmp_path / "b.zarr")]
    paths += [write(third, tmp_path / "c.h5ad")]
    with pytest.warns(MissingGenesWarning, match="share 40 of their 40, 50 and 40 genes"):
        found, normalizer = normalized(paths)
    with pytest.warns(MissingGenesWarning):
        joined = join_references([settle_scale(read_expression(cells)) for cells in (first, second, third)])
    expected, other = in_memory(joined)
    assert normalizer.genes == other.genes and normalizer.input_scale == other.input_scale == "cp10k"
    np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_repeated_genes_are_summed(tmp_path):
    cells = typed_cells(150)
    cells.var_names = [*cells.var_names[:38], "GENE3", "GENE0"]
    with pytest.warns(DuplicateGenesWarning, match="cells.h5ad' has 2 repeated gene names"):
        opened = open_cells(write(cells, tmp_path / "cells.h5ad"))
    X = cells.X.toarray()
    X[:, [3, 0]] += X[:, 38:]
    assert opened.genes == tuple(cells.var_names[:38])
    np.testing.assert_array_equal(opened.take(np.arange(150)).toarray(), X[:, :38])


def test_gene_column(tmp_path):
    cells = typed_cells(150)
    cells.var["symbol"] = [f"S{i}" for i in range(40)]
    opened = open_cells(write(cells, tmp_path / "cells.h5ad"), gene_column="symbol")
    assert opened.genes == tuple(cells.var["symbol"])
    with pytest.raises(ArgumentError) as caught:
        open_cells(tmp_path / "cells.h5ad", gene_column="name")
    assert caught.value.argument == "gene_column"


@pytest.fixture
def two_files(tmp_path):
    parts = [typed_cells(350), typed_cells(230, seed=1)]
    return ad.concat(parts), [write(part, tmp_path / f"{i}.h5ad") for i, part in enumerate(parts)]


@pytest.mark.parametrize(
    "rows", [[], [0], [349, 350], [5, 6, 99, 100, 348, 579], range(0, 580, 3), range(580)]
)
def test_some_cells_are_taken_by_position(two_files, rows):
    cells, paths = two_files
    opened = open_cells(paths)
    taken = opened.take(np.array(rows, int))
    np.testing.assert_array_equal(taken.toarray(), cells.X[list(rows)].toarray())


def test_never_more_than_a_block_is_read_at_a_time():
    """However many cells a sample takes."""
    rows = Rows(typed_cells(1000).X)
    opened = open_cells(rows)
    rows.read.clear()
    opened.take(np.arange(0, 1000, 2))
    assert sum(rows.read) > 900 and max(rows.read) <= Rows.batch_size


def test_processes_divide_the_cells(two_files):
    _, paths = two_files
    opened, normalizer = open_cells(paths).fit_normalizer("auto")
    kept = np.arange(580) % 4 != 0
    whole = NormalizedBlocks(opened, normalizer, kept)
    expected = sparse.vstack(list(whole.blocks())).toarray()
    assert whole.shape == (kept.sum(), 40) and not whole.is_divided
    np.testing.assert_array_equal(whole.rows, np.arange(kept.sum()))
    np.testing.assert_array_equal(whole.take(np.array([0, 200, 434])).toarray(), expected[[0, 200, 434]])
    parts = [NormalizedBlocks(opened, normalizer, kept, process, 3) for process in range(3)]
    assert all(part.is_divided for part in parts)
    assert sorted(np.concatenate([part.rows for part in parts])) == list(range(kept.sum()))
    for part in parts:
        np.testing.assert_array_equal(sparse.vstack(list(part.blocks())).toarray(), expected[part.rows])


def test_what_stays_on_disk(two_files, monkeypatch):
    cells, paths = two_files
    backed = ad.read_h5ad(paths[0], backed="r")
    for X in (backed, [backed, paths[1]], open_cells(paths), Rows(cells.X), [Rows(cells.X)]):
        assert stays_on_disk(X)
    for X in (cells, paths[0], paths, cells.X, cells.to_df(), [], "absent.h5ad", paths[0].parent):
        assert not stays_on_disk(X)
    monkeypatch.setattr(blocks, "LARGEST_IN_MEMORY", int(1.2 * ad.read_h5ad(paths[0]).X.nnz))
    assert not stays_on_disk(paths[0]) and stays_on_disk(paths)  # together


BAD = {
    "NaN": (np.nan, "have values that are NaN or infinite"),
    "infinite": (np.inf, "have values that are NaN or infinite"),
    "negative": (-1.0, "have negative values"),
    "fractions": (0.5, "are not raw counts as the others"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_values_of_a_late_block_are_found_in_the_first_pass(tmp_path, kind):
    value, message = BAD[kind]
    path = write(typed_cells(40_000, 5), tmp_path / "cells.h5ad")
    with h5py.File(path, "r+") as file:
        at = int(file["X/indptr"][39_050])
        file["X/data"][at] = value
    opened = open_cells([write(typed_cells(150, 5), tmp_path / "good.h5ad"), path])
    with pytest.raises(ArgumentError, match=rf"cells.h5ad', cells 39,001 to 39,100, {message}") as caught:
        opened.fit_normalizer("auto")
    assert caught.value.argument == "X"


@pytest.mark.parametrize("first", ["counts", "log1p"])
def test_another_scale_of_a_late_block_is_found_in_the_first_pass(tmp_path, first):
    counts = typed_cells(20_000)
    logarithms = log1p(counts)
    X, other = (counts.X, logarithms.X) if first == "counts" else (logarithms.X, counts.X)
    counts.X = sparse.vstack([X[:2100], other[2100:2200], X[2200:]], "csr")
    opened = open_cells(write(counts, tmp_path / "cells.h5ad"))
    with pytest.raises(ArgumentError, match=r"cells.h5ad', cells 2,101 to 2,200, are not .* as the others"):
        opened.fit_normalizer("auto")


def test_a_stated_scale_is_taken_as_stated(tmp_path):
    path = write(log1p(typed_cells(350)), tmp_path / "cells.h5ad")
    with pytest.warns(match="looks like .* but is read as"):
        opened = open_cells(path, scale="sqrt")
    assert opened.fit_normalizer("auto")[1].input_scale == "sqrt"


@pytest.mark.parametrize("n", [101, 102, 120])
def test_a_last_block_of_few_cells_passes(tmp_path, n):
    for name, cells in {"counts": typed_cells(n), "log1p": log1p(typed_cells(n))}.items():
        opened = open_cells(write(cells, tmp_path / f"{name}.h5ad"))
        assert opened.fit_normalizer("auto")[1].input_scale == name


def test_values_that_cannot_be_used_are_refused_when_opened(tmp_path):
    cells = typed_cells(150)
    cells.X = cells.X.toarray() - 1
    with pytest.raises(ArgumentError, match=r"cells.h5ad': X has negative values"):
        open_cells(write(cells, tmp_path / "cells.h5ad"))
    mixed = typed_cells(100)
    mixed.X = sparse.vstack([mixed.X[:50], log1p(mixed).X[50:]], "csr")
    with pytest.raises(ArgumentError, match=r"mixed.h5ad': X joins .* files of their own"):
        open_cells(write(mixed, tmp_path / "mixed.h5ad"))
    with pytest.raises(ArgumentError, match="empty.h5ad' has no cells"):
        open_cells(write(typed_cells(5)[:0].copy(), tmp_path / "empty.h5ad"))


def test_other_genes_in_one_file_are_refused(two_files):
    _, paths = two_files
    other = typed_cells(50)
    other.var_names = [f"OTHER{i}" for i in range(40)]
    paths.append(write(other, paths[0].with_name("other.h5ad")))
    with pytest.raises(ArgumentError, match="share only 0 genes .*OTHER0"):
        open_cells(paths)


def test_a_truncated_file_among_many_is_named(two_files):
    _, paths = two_files
    with paths[1].open("r+b") as file:
        file.truncate(3000)
    with pytest.raises(ArgumentError, match="1.h5ad' is damaged or not an AnnData"):
        open_cells(paths)
