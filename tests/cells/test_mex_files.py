"""The three files of a matrix are found in the folders of many programs, or what is missing is named."""

from __future__ import annotations

import pytest

from gene_gcn.cells.mex_files import find_mex_files
from gene_gcn.errors import ArgumentError


def write(folder, *names):
    """Make empty files; their contents are not read."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def names(files):
    return [file.name for file in (files.matrix, files.genes, files.barcodes)]


THREE = ("matrix.mtx", "features.tsv", "barcodes.tsv")


@pytest.mark.parametrize(
    "three",
    [
        THREE,
        ("matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz"),
        ("matrix.mtx", "genes.tsv", "barcodes.tsv.gz"),
        ("GSM1_matrix.mtx.gz", "GSM1_features.tsv.gz", "GSM1_barcodes.tsv.gz"),
        ("s1.matrix.mtx", "s1.genes.tsv", "s1.barcodes.tsv"),
        ("s1_count_matrix.mtx", "s1_count_genes.tsv", "s1_count_barcodes.tsv"),
        ("counts.mtx", "features.tsv", "barcodes.tsv"),
        ("s1.mtx", "s1_features.tsv", "s1_barcodes.tsv"),
        ("cells_x_genes.mtx", "cells_x_genes.genes.txt", "cells_x_genes.barcodes.txt"),
        ("DGE.mtx", "all_genes.csv", "cell_metadata.csv"),
        ("count_matrix.mtx.gz", "all_genes.csv.gz", "cell_metadata.csv.gz"),
    ],
)
def test_names_of_the_files(tmp_path, three):
    write(tmp_path, *three)
    assert names(find_mex_files(tmp_path)) == list(three)
    assert names(find_mex_files(tmp_path / three[0])) == list(three)


@pytest.mark.parametrize(
    "inside",
    [
        "filtered_feature_bc_matrix",
        "filtered_gene_bc_matrices/GRCh38",
        "outs/filtered_feature_bc_matrix",
        "outs/filtered_gene_bc_matrices/hg19",
        "count/sample_filtered_feature_bc_matrix",
        "filtered",
        "Gene/filtered",
        "any",
    ],
)
def test_folder_inside(tmp_path, inside):
    write(tmp_path / inside, *THREE)
    assert find_mex_files(tmp_path).matrix == tmp_path / inside / "matrix.mtx"


@pytest.mark.parametrize(
    ("filtered", "raw"),
    [
        ("filtered_feature_bc_matrix", "raw_feature_bc_matrix"),
        ("filtered", "raw"),
        ("Gene/filtered", "Gene/raw"),
        ("counts_filtered", "counts_unfiltered"),
        ("all-sample/DGE_filtered", "all-sample/DGE_unfiltered"),
    ],
)
def test_filtered_cells_are_preferred_to_all_barcodes(tmp_path, filtered, raw):
    write(tmp_path / filtered, *THREE)
    write(tmp_path / raw, *THREE)
    assert find_mex_files(tmp_path).matrix.parent == tmp_path / filtered


@pytest.mark.parametrize(
    "folders",
    [
        ("a", "b"),
        ("filtered_gene_bc_matrices/hg19", "filtered_gene_bc_matrices/mm10"),
        ("Gene/filtered", "GeneFull/filtered"),
    ],
)
def test_several_samples_are_refused(tmp_path, folders):
    for folder in folders:
        write(tmp_path / folder, *THREE)
    with pytest.raises(ArgumentError, match=f"several matrices .{folders[0]}/matrix.mtx, {folders[1]}/.*one"):
        find_mex_files(tmp_path)


def test_several_samples_in_one_folder_are_refused(tmp_path):
    for start in ("GSM1_", "GSM2_"):
        write(tmp_path, *(start + name for name in THREE))
    with pytest.raises(ArgumentError, match=r"several matrices \(GSM1_matrix.mtx, GSM2_matrix.mtx\)"):
        find_mex_files(tmp_path)
    assert names(find_mex_files(tmp_path / "GSM2_matrix.mtx")) == [f"GSM2_{name}" for name in THREE]


def test_plain_and_compressed_copies_are_one_matrix(tmp_path):
    write(tmp_path, *THREE, "matrix.mtx.gz")
    assert names(find_mex_files(tmp_path)) == list(THREE)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("matrix.mtx", "barcodes.tsv"), r"needs features.tsv\[.gz\] or genes.tsv\[.gz\] in the same folder"),
        (("S_matrix.mtx", "S_genes.tsv", "barcodes.tsv"), r"needs S_barcodes.tsv\[.gz\] in"),
        (("cells_x_genes.mtx",), r"needs cells_x_genes.genes.names.txt\[.gz\] or cells_x_genes.genes.txt"),
        (("DGE.mtx", "all_genes.csv"), r"needs cell_metadata.csv\[.gz\]"),
        (("quants_mat.mtx",), "alevin-fry, .*pyroe.load_fry"),
    ],
)
def test_missing_files_are_named(tmp_path, files, message):
    write(tmp_path, *files)
    for path in (tmp_path, tmp_path / files[0]):
        with pytest.raises(ArgumentError, match=message):
            find_mex_files(path)


def test_folder_without_a_matrix(tmp_path):
    write(tmp_path / "a", "features.tsv", "notes.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert find_mex_files(tmp_path) is None
