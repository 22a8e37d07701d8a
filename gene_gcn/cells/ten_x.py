"""Read what Cell Ranger and programs like it write: ``.h5`` files and folders with ``matrix.mtx``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse
from scipy.io import mmread

from gene_gcn.cells.mex_files import MEXFiles
from gene_gcn.cells.texts import decode
from gene_gcn.errors import Argument, ArgumentError, GeneNamesWarning, warn
from gene_gcn.genes.names import without_genome
from gene_gcn.storage.text_files import open_file

__all__ = ["read_10x_folder", "read_10x_h5"]

GENES = "Gene Expression"
# What Cell Ranger measures besides genes; other programs write biotypes or chromosomes in the same place.
OTHER_KINDS = (
    *("Antibody Capture", "Antigen Capture", "CRISPR Guide Capture", "Multiplexing Capture"),
    *("Peaks", "Custom"),
)


def read_10x_h5(file: Path, store: h5py.File, genome: str | None = None) -> AnnData:
    """Read a file of Cell Ranger: version 2 has a group for each genome, later ones a group ``matrix``.

    Raises
    ------
    ArgumentError
        If the file is of another kind, or has several genomes and none is chosen.
    """
    if "matrix" in store and isinstance(store["matrix"], h5py.Group):
        group = store["matrix"]
        features = group["features"]
        var = {"gene_ids": features["id"], "name": features["name"]}
        var |= {"feature_types": features["feature_type"]} if "feature_type" in features else {}
        var |= {"genome": features["genome"]} if "genome" in features else {}
    else:
        genomes = [
            name for name in store if isinstance(store[name], h5py.Group) and "barcodes" in store[name]
        ]
        if not genomes:
            found = ", ".join(store) or "nothing"
            text = f"{str(file)!r} is damaged or not a 10x .h5 file, an AnnData or a pandas HDFStore"
            raise ArgumentError("path", f"{text}: it holds {found}.")
        group = store[_choose_genome(file, genomes, genome)]
        var = {"gene_ids": group["genes"], "name": group["gene_names"]}
    n_genes, n_cells = map(int, group["shape"][()])
    parts = (group["data"][()].astype(np.float32), group["indices"][()], group["indptr"][()])
    X = sparse.csr_matrix(parts, shape=(n_cells, n_genes))
    X.check_format(full_check=True)  # as the next step selects genes
    table = pd.DataFrame({name: decode(values[()]) for name, values in var.items()})
    return _cells(file, X, table, decode(group["barcodes"][()]).tolist(), genome)


def read_10x_folder(files: MEXFiles, genome: str | None = None) -> AnnData:
    """Read a matrix in the Matrix Exchange format with its genes and barcodes.

    Raises
    ------
    ArgumentError
        If the files do not fit each other, or there are several genomes and none is chosen.
    """
    genes, barcodes = _read_genes(files.genes), _read_columns(files.barcodes).iloc[:, 0]
    with open_file(files.matrix) as stream:
        matrix = sparse.csr_matrix(mmread(_Unseekable(stream), spmatrix=False), dtype=np.float32)
    shape = (len(genes), len(barcodes))
    if matrix.shape != shape and matrix.shape != shape[::-1]:
        raise ArgumentError(
            "path",
            f"{str(files.matrix)!r} has {matrix.shape[0]:,} rows and {matrix.shape[1]:,} columns, but there "
            f"are {shape[0]:,} genes in {files.genes.name} and {shape[1]:,} cells in {files.barcodes.name}; "
            "pass three files of one sample, without headers.",
        )
    X = matrix.T.tocsr() if matrix.shape == shape else matrix
    return _cells(files.matrix, X, genes, barcodes.tolist(), genome)


class _Unseekable:
    """A stream that SciPy can only read: in a plain file, it seeks to damage, and ends the process."""

    def __init__(self, stream: IO[bytes]):
        self.read = stream.read


def _read_genes(file: Path) -> pd.DataFrame:
    """Return a table with the column ``name`` and, where the file has them, ids, types and genomes."""
    table = _read_columns(file)
    if "gene_name" in table:  # Parse Biosciences
        known = {"gene_id": "gene_ids", "gene_name": "name", "genome": "genome"}
        return table[[column for column in known if column in table]].rename(columns=known)
    if table.shape[1] == 1:
        return table.set_axis(["name"], axis=1)
    return table.iloc[:, :3].set_axis(["gene_ids", "name", "feature_types"][: table.shape[1]], axis=1)


def _read_columns(file: Path) -> pd.DataFrame:
    """Read a table as text: with a header if it is .csv, without one otherwise."""
    is_csv = ".csv" in file.suffixes
    layout: dict[str, Any] = (
        {"sep": ","} if is_csv else {"sep": "\t", "header": None, "quoting": csv.QUOTE_NONE}
    )
    with open_file(file) as stream:
        try:
            table = pd.read_csv(stream, dtype=str, keep_default_na=False, **layout)
        except pd.errors.EmptyDataError:
            return pd.DataFrame({0: pd.Series(dtype=str)})
    for column in table:  # quoted by R
        if table[column].str.fullmatch('".*"').all():
            table[column] = table[column].str[1:-1]
    return table


def _cells(
    file: Path, X: sparse.csr_matrix, var: pd.DataFrame, barcodes: Sequence[str], genome: str | None
) -> AnnData:
    """Return the genes of one genome, named by their symbols, without antibodies, guides and peaks."""
    kept = np.ones(len(var), dtype=bool)
    if "feature_types" in var and var["feature_types"].isin((GENES, *OTHER_KINDS)).any():
        kept = (var["feature_types"] == GENES).to_numpy()
        others = var["feature_types"][~kept].value_counts()
        if not kept.any():
            raise ArgumentError("path", f"{str(file)!r} has no genes; it has {', '.join(others.index)}.")
        if len(others):
            few = ", ".join(f"{count:,} {kind or 'of no type'}" for kind, count in others.items())
            warn(
                GeneNamesWarning(f"{str(file)!r} has features that are not genes, which are left out: {few}.")
            )
    if "genome" in var:
        genomes = list(dict.fromkeys(var["genome"][kept]))
    else:
        prefixes = var["name"].map(_genome_of)[kept]
        genomes = list(dict.fromkeys(prefixes)) if (prefixes != "").all() else []
        if len(genomes) > 1:
            var = var.assign(genome=var["name"].map(_genome_of))
    if len(genomes) > 1:
        kept = kept & (var["genome"] == _choose_genome(file, genomes, genome)).to_numpy()
    elif genome is not None and genomes and genome not in genomes:
        _choose_genome(file, genomes, genome)
    var, X = var[kept], X[:, np.flatnonzero(kept)]
    names = [without_genome(name) for name in var["name"]] if len(genomes) > 1 else list(var["name"])
    return AnnData(
        X,
        obs=pd.DataFrame(index=pd.Index(barcodes, dtype=object).astype(str)),
        var=var.drop(columns="name").set_axis(pd.Index(names, dtype=object)),
    )


def _genome_of(name: str) -> str:
    short = without_genome(name)
    return name.removesuffix(short).rstrip("_") if short != name else ""


def _choose_genome(file: Path, genomes: Sequence[str], genome: str | None) -> str:
    if genome in genomes:
        return str(genome)
    if genome is None and len(genomes) == 1:
        return genomes[0]
    has = f"{str(file)!r} has genes of {', '.join(genomes)}; choose "
    parts = [part for name in genomes for part in (" or ", Argument("genome", name))][1:]
    raise ArgumentError("genome", has, *parts, ".")
