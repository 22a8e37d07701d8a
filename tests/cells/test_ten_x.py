"""Folders as Cell Ranger writes them."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from example_cells import CELLS, COUNTS, GENES, dense
from scipy import sparse
from scipy.io import mmwrite

from gene_gcn.cells import read_cells
from gene_gcn.errors import ArgumentError, GeneNamesWarning


def write_folder(
    folder, version=3, start="", zipped=True, names=GENES, kind="Gene Expression", by_cell=False
):
    """Write three files; version 2 names genes in genes.tsv, without their kind."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = [f"\t{kind}" if version == 3 else ""] * len(names)
    lines = [f"ENSG{i}\t{name}{column}" for i, (name, column) in enumerate(zip(names, columns, strict=True))]
    counts = COUNTS.round() if by_cell else COUNTS.round().T
    mmwrite(folder / f"{start}matrix.mtx", sparse.coo_matrix(counts.astype(int)))
    (folder / f"{start}{'features' if version == 3 else 'genes'}.tsv").write_text("\n".join(lines) + "\n")
    (folder / f"{start}barcodes.tsv").write_text("\n".join(CELLS) + "\n")
    for file in list(folder.glob(f"{start}*")) if zipped else ():
        file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()


def assert_read(path):
    cells = read_cells(path)
    assert list(cells.obs_names) == CELLS and list(cells.var_names) == GENES
    assert cells.var["gene_ids"].tolist() == ["ENSG0", "ENSG1", "ENSG2", "ENSG3"]
    np.testing.assert_array_equal(dense(cells), COUNTS.round())


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("start", ["", "GSM1_"])
def test_folder(tmp_path, version, start, zipped):
    write_folder(tmp_path / "a", version, start, zipped)
    assert_read(tmp_path / "a")
    assert_read(tmp_path / "a" / f"{start}matrix.mtx{'.gz' if zipped else ''}")


@pytest.mark.parametrize("inside", ["filtered_feature_bc_matrix", "filtered_gene_bc_matrices/GRCh38", "any"])
def test_folder_inside(tmp_path, inside):
    write_folder(tmp_path / inside)
    assert_read(tmp_path)


def test_cells_as_rows(tmp_path):
    write_folder(tmp_path, by_cell=True)
    assert_read(tmp_path)


def test_folder_that_cannot_be_read(tmp_path):
    write_folder(tmp_path / "two" / "a")
    write_folder(tmp_path / "two" / "b")
    with pytest.raises(ArgumentError, match="several matrices .*pass the path of one"):
        read_cells(tmp_path / "two")
    write_folder(tmp_path / "few")
    (tmp_path / "few" / "barcodes.tsv.gz").write_bytes(gzip.compress(b"c1\n"))
    with pytest.raises(ArgumentError, match=r"4 genes in features.tsv.gz and 1 cells in barcodes.tsv.gz"):
        read_cells(tmp_path / "few")
    (tmp_path / "few" / "features.tsv.gz").unlink()
    with pytest.raises(ArgumentError, match=r"needs features.tsv\[.gz\] or genes.tsv\[.gz\]"):
        read_cells(tmp_path / "few")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="is a folder that holds neither"):
        read_cells(tmp_path / "empty")


def test_antibodies_and_two_genomes(tmp_path):
    write_folder(tmp_path / "a", kind="Antibody Capture")
    with pytest.raises(ArgumentError, match="has no genes; it has Antibody Capture"):
        read_cells(tmp_path / "a")
    file = tmp_path / "a" / "features.tsv.gz"
    kinds = ["Gene Expression"] * 3 + ["Antibody Capture"]
    file.write_bytes(
        gzip.compress("\n".join(f"{g}\t{g}\t{k}" for g, k in zip(GENES, kinds, strict=True)).encode())
    )
    with pytest.warns(GeneNamesWarning, match="1 Antibody Capture"):
        assert list(read_cells(tmp_path / "a").var_names) == GENES[:3]
    write_folder(tmp_path / "b", names=["GRCh38_A", "GRCh38_B", "mm10___A", "mm10___B"])
    with pytest.raises(ArgumentError, match="choose genome='GRCh38' or genome='mm10'"):
        read_cells(tmp_path / "b")
    assert list(read_cells(tmp_path / "b", genome="GRCh38").var_names) == ["A", "B"]
