"""Whether the rows of a matrix are genes, which would have to be its columns."""

from __future__ import annotations

from collections.abc import Sequence

from gene_gcn.genes.names import gene_kind

__all__ = ["genes_in_rows"]

# Expressed in nearly every cell of every tissue: if these name rows, the rows are genes.
HOUSEKEEPING = {"ACTB", "GAPDH", "B2M", "MALAT1", "EEF1A1", "RPL3", "RPS3", "RPLP0", "TMSB4X", "FTL", "UBC"}
# Kinds of gene names that no cell has.
IDS = {
    "human Ensembl gene ids",
    "mouse Ensembl gene ids",
    "Ensembl ids",
    "Ensembl transcript ids",
    "RefSeq ids",
}


def genes_in_rows(rows: Sequence[str], columns: Sequence[str]) -> str:
    """Return what shows that rows are genes, such as the names of some; empty text if nothing does.

    Parameters
    ----------
    rows, columns : sequence of str
        Their names.
    """
    found = sorted(HOUSEKEEPING & {row.upper() for row in rows})
    if len(found) > 1 and not HOUSEKEEPING & {column.upper() for column in columns}:
        return ", ".join(found[:3])
    of_rows, of_columns = gene_kind(rows), gene_kind(columns)
    if of_rows in IDS and of_columns not in IDS:
        return ", ".join(rows[:3])
    if of_columns == "cell barcodes" and of_rows != "cell barcodes":
        return f"its columns are barcodes of cells, {', '.join(columns[:2])}"
    return ""
