from __future__ import annotations

import pytest

from gene_gcn.genes.orientation import genes_in_rows

ENSEMBL = [f"ENSG{i:011}" for i in range(5)]
SYMBOLS = ["CD3E", "ACTB", "MS4A1", "GAPDH"]
BARCODES = ["AAACCTGAGAAACCAT-1", "AAACCTGAGAAACCTA-1"]
CELLS = ["c1", "c2", "c3"]


@pytest.mark.parametrize(
    ("rows", "columns", "found"),
    [
        (ENSEMBL, CELLS, "ENSG00000000000, ENSG00000000001, ENSG00000000002"),
        (ENSEMBL, BARCODES, "ENSG00000000000, ENSG00000000001, ENSG00000000002"),
        (SYMBOLS, CELLS, "ACTB, GAPDH"),
        (
            ["CD4", "CD8A"],
            BARCODES,
            "its columns are barcodes of cells, AAACCTGAGAAACCAT-1, AAACCTGAGAAACCTA-1",
        ),
    ],
)
def test_genes_as_rows_are_found(rows, columns, found):
    assert genes_in_rows(rows, columns) == found


@pytest.mark.parametrize("rows", [CELLS, BARCODES, ["CD4", "CD8A"], ["Cell1", "Cell2"], []])
@pytest.mark.parametrize("columns", [ENSEMBL, SYMBOLS, []])
def test_cells_as_rows_are_not_mistaken(rows, columns):
    assert genes_in_rows(rows, columns) == ""
