"""Folders as Cell Ranger writes them."""

from __future__ import annotations

import gzip
import warnings

import numpy as np
import pytest
from example_cells import CELLS, COUNTS, GENES, dense
from scipy import sparse
from scipy.io import mmwrite

from gene_gcn.cells import read_cells
from gene_gcn.errors import ArgumentError, GeneGCNWarning, GeneNamesWarning


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


def test_cells_as_rows(tmp_path):
    write_folder(tmp_path, by_cell=True)
    assert_read(tmp_path)


def test_files_of_two_samples_are_refused(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "barcodes.tsv.gz").write_bytes(gzip.compress(b"c1\n"))
    message = r"4 genes in features.tsv.gz and 1 cells in barcodes.tsv.gz; pass three files of one sample"
    with pytest.raises(ArgumentError, match=message):
        read_cells(tmp_path)


@pytest.mark.parametrize("field", ["integer", "real", "pattern"])
def test_kinds_of_numbers(tmp_path, field):
    write_folder(tmp_path, zipped=False)
    mmwrite(tmp_path / "matrix.mtx", sparse.coo_matrix(COUNTS.round().astype(int).T), field=field)
    expected = (COUNTS > 0) if field == "pattern" else COUNTS.round()
    np.testing.assert_array_equal(dense(read_cells(tmp_path)), expected)


def test_blank_lines_windows_line_ends_and_quotes(tmp_path):
    write_folder(tmp_path, zipped=False)
    for name in ("features.tsv", "barcodes.tsv"):
        rows = [line.split("\t") for line in (tmp_path / name).read_text().splitlines()]
        lines = ["\t".join(f'"{field}"' for field in row) for row in rows]
        (tmp_path / name).write_bytes("\r\n".join([*lines, "", ""]).encode())
    assert_read(tmp_path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("damage", ["header", "text", "end", "outside", "nothing"])
def test_damaged_matrix_does_not_end_the_process(tmp_path, zipped, damage):
    """SciPy seeks in a file after an error, and its threads end the process if they cannot."""
    write_folder(tmp_path, zipped=False)
    file = tmp_path / "matrix.mtx"
    rows = "".join(f"{i % 4 + 1} {i % 3 + 1} 1\n" for i in range(2000))
    text = f"%%MatrixMarket matrix coordinate integer general\n%\n4 3 2000\n{rows}"
    file.write_text(
        {
            "header": text.replace("coordinate", "array"),
            "text": text.replace("1 1 1\n", "1 x 1\n"),
            "end": text[:-700],
            "outside": text.replace("4 3 2000", "2 2 2000"),
            "nothing": "",
        }[damage]
    )
    if zipped:
        file.with_name("matrix.mtx.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    with pytest.raises(ArgumentError, match="damaged or not a matrix in the Matrix Exchange format"):
        read_cells(tmp_path)


def test_kallisto_bustools(tmp_path):
    mmwrite(tmp_path / "cells_x_genes.mtx", sparse.coo_matrix(COUNTS.round().astype(int)))
    (tmp_path / "cells_x_genes.barcodes.txt").write_text("\n".join(CELLS))
    (tmp_path / "cells_x_genes.genes.txt").write_text("\n".join(f"ENSG{i}" for i in range(4)))
    cells = read_cells(tmp_path)
    assert list(cells.obs_names) == CELLS and list(cells.var_names) == [f"ENSG{i}" for i in range(4)]
    (tmp_path / "cells_x_genes.genes.names.txt").write_text("\n".join(GENES))
    cells = read_cells(tmp_path / "cells_x_genes.mtx")
    assert list(cells.var_names) == GENES
    np.testing.assert_array_equal(dense(cells), COUNTS.round())


@pytest.mark.parametrize("name", ["DGE.mtx", "count_matrix.mtx"])
def test_parse_biosciences(tmp_path, name):
    mmwrite(tmp_path / name, sparse.coo_matrix(COUNTS.round().astype(int)))
    genes = [f"ENSG{i},{gene},hg38" for i, gene in enumerate(GENES)]
    (tmp_path / "all_genes.csv").write_text("\n".join(["gene_id,gene_name,genome", *genes]))
    (tmp_path / "cell_metadata.csv").write_text("\n".join(["bc_wells,sample", *(f"{c},a" for c in CELLS)]))
    assert_read(tmp_path)
    assert_read(tmp_path / name)


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


@pytest.mark.parametrize("kind", ["gene", "protein_coding", "chr1", ""])
def test_third_column_that_is_no_type_of_cell_ranger(tmp_path, kind):
    write_folder(tmp_path, kind=kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error", GeneGCNWarning)
        assert_read(tmp_path)
