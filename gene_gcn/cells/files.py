"""Read files of cells into AnnData, whatever their format."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gene_gcn.cells.mex_files import find_mex_files
from gene_gcn.errors import ArgumentError, is_out_of_memory

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["ENDINGS", "check_cells_path", "read_cells"]

TABLE_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
MATRIX_ENDINGS = (".mtx", ".mtx.gz")
ENDINGS = (".h5ad", ".h5", ".loom", *TABLE_ENDINGS, *MATRIX_ENDINGS)
FOLDER, ZARR = "folder", ".zarr"

_KINDS = {
    ".h5ad": "an h5ad file",
    ".h5": "a 10x .h5 file, an AnnData or a pandas HDFStore",
    ".loom": "a loom file",
    ".mtx": "a matrix in the Matrix Exchange format",
    ".mtx.gz": "a matrix in the Matrix Exchange format",
    FOLDER: "a matrix in the Matrix Exchange format",
    ZARR: "an AnnData",
}
# Formats of other programs, and how to convert them.
_CONVERSIONS = {
    ".rds": "in R, save it with zellkonverter::writeH5AD or sceasy as .h5ad",
    ".rdata": "in R, save it with zellkonverter::writeH5AD or sceasy as .h5ad",
    ".h5seurat": "in R, convert it with SeuratDisk::Convert(FILE, dest='h5ad')",
    ".h5mu": "save its RNA by mudata.read(FILE).mod['rna'].write_h5ad(NEW_FILE)",
    ".xlsx": "save the sheet as .csv",
    ".xls": "save the sheet as .csv",
    ".parquet": "save it by pandas.read_parquet(FILE).to_csv(NEW_FILE)",
    **dict.fromkeys((".npy", ".npz"), "make an AnnData of it, with names of genes, and save it as .h5ad"),
    **dict.fromkeys(
        (".pkl", ".pickle", ".joblib", ".pt"), "load it, if you trust it, and save the cells as .h5ad"
    ),
    ".zarr.zip": "unpack it into a folder",
    **dict.fromkeys((".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"), "unpack it"),
}


def read_cells(
    path: str | os.PathLike[str], *, obs_columns: Sequence[str] = (), genome: str | None = None
) -> AnnData:
    """Read a file of cells × genes in the format of its ending.

    ========================  =============================================================================
    ``.h5ad``, ``.zarr``      AnnData
    ``.h5``                   10x Genomics, Cell Ranger 2 and later; AnnData; or a pandas HDFStore with one
                              frame of cells × genes and a Series for each column of ``.obs``, in pandas'
                              fixed format
    ``.loom``                 main matrix, layers, one-dimensional attributes
    a folder, ``.mtx``        ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv`` or ``genes.tsv``, plain or
                              gzip, as Cell Ranger and STARsolo write them; or what kallisto | bustools and
                              Parse Biosciences' pipeline write. Filtered cells are preferred to all barcodes
    ``.csv``, ``.tsv``,       one row per cell with its name in the first column; a header of gene names.
    ``.txt``, each also       Columns of text, measures of cells such as ``nCount_RNA``, and `obs_columns` go
    with ``.gz``              to ``.obs``; all other columns are taken as genes
    ========================  =============================================================================

    Gene names are kept as they are, even if they repeat. Tables are read in blocks of rows into a sparse
    float32 matrix. No code in a file is run: Python objects in it are refused, or read as what they hold.

    Parameters
    ----------
    path : str or PathLike
        The file or folder.
    obs_columns : sequence of str
        Columns of a table that hold numbers but are not genes, such as cluster labels. Names that the table
        does not have are ignored.
    genome : str, optional
        The genome whose genes to read, if a file of 10x Genomics has several.

    Returns
    -------
    AnnData

    Raises
    ------
    FileNotFoundError
        If the file does not exist, or a folder holds no cells.
    ArgumentError
        If the ending is unknown, or the file is damaged or in another format than its ending says.
    """
    ending = check_cells_path(path)
    file = Path(path).expanduser()
    if file.is_file():
        from gene_gcn.cells.file_contents import check_content  # with pandas, which takes long to load

        check_content(file, is_text=ending in (*TABLE_ENDINGS, *MATRIX_ENDINGS))
    with warnings.catch_warnings():
        # Of duplicate gene names and deprecated layouts: `read_expression` warns of the former and sums them.
        warnings.filterwarnings("ignore", category=UserWarning, module="anndata")
        warnings.filterwarnings("ignore", category=FutureWarning)
        if ending in TABLE_ENDINGS:
            from gene_gcn.cells.text_tables import read_text_table

            return read_text_table(file, "," if ending.startswith(".csv") else "\t", obs_columns)
        return _read(file, ending, genome)


def check_cells_path(path: str | os.PathLike[str]) -> str:
    """Return the ending by which `read_cells` would read a file, or "folder", without opening it.

    Raises
    ------
    FileNotFoundError
        If the file does not exist, or a folder holds no cells.
    ArgumentError
        If the ending is unknown.
    """
    file = Path(path).expanduser()
    if file.is_dir():
        if file.name.lower().endswith(ZARR) or any((file / n).is_file() for n in (".zgroup", "zarr.json")):
            return ZARR
        if find_mex_files(file) is not None:
            return FOLDER
        inside = sorted(f.name for f in file.iterdir() if f.name.lower().endswith(ENDINGS))
        found = (
            f"one of its files ({', '.join(inside[:3])}{', …' * (len(inside) > 3)})" if inside else "a file"
        )
        text = (
            f"is a folder that holds neither matrix.mtx[.gz] nor an AnnData (.zarr); pass the path of {found}"
        )
        raise FileNotFoundError(f"The cell file {str(path)!r} {text}.")
    if file.exists() and not file.is_file():
        text = "is a pipe or a device, not a file; save what it yields as a file"
        raise ArgumentError("path", f"The cell file {str(path)!r} {text}.")
    if not file.is_file():
        raise FileNotFoundError(f"The cell file {str(path)!r} does not exist.")
    name = file.name.lower()
    ending = next((ending for ending in ENDINGS if name.endswith(ending)), None)
    if ending is not None:
        if ending in MATRIX_ENDINGS:
            find_mex_files(file)
        return ending
    for foreign, remedy in _CONVERSIONS.items():
        if name.endswith(foreign):
            raise ArgumentError("path", f"The cell file {str(path)!r} is not read as {foreign}; {remedy}.")
    raise ArgumentError(
        "path", f"The cell file {str(path)!r} has an unknown ending; known endings are {', '.join(ENDINGS)}."
    )


def _read(file: Path, ending: str, genome: str | None) -> AnnData:
    try:
        cells = _read_by_ending(file, ending, genome)
        _check_matrices(file, cells)
        return cells
    except ArgumentError:
        raise
    except BlockingIOError as error:  # HDF5 locks what it writes
        text = f"{str(file)!r} is open for writing in another program; try again when that is done."
        raise ArgumentError("path", text) from error
    except Exception as error:  # libraries raise many types for damaged files, few of them meant for users
        if is_out_of_memory(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        text = f"{str(file)!r} is damaged or not {_KINDS[ending]}: {reason.rstrip('.')[:200]}."
        raise ArgumentError("path", text) from error


def _read_by_ending(file: Path, ending: str, genome: str | None) -> AnnData:
    if ending == ZARR:
        from gene_gcn.cells.zarr_folders import read_zarr

        return read_zarr(file)
    if ending in (FOLDER, *MATRIX_ENDINGS):
        from gene_gcn.cells.ten_x import read_10x_folder

        files = find_mex_files(file)
        assert files is not None  # as check_cells_path saw
        return read_10x_folder(files, genome)
    from gene_gcn.cells.hdf5 import read_hdf5

    return read_hdf5(file, genome)


def _check_matrices(file: Path, cells: AnnData) -> None:
    from gene_gcn.cells.matrix import structural_fault

    layers = {name: matrix for name, matrix in cells.layers.items() if name is not None}  # None is .X
    matrices = {".X": cells.X, **{f".layers[{name!r}]": matrix for name, matrix in layers.items()}}
    if cells.raw is not None:
        matrices[".raw"] = cells.raw.X
    for name, matrix in matrices.items():
        if fault := structural_fault(matrix):
            text = f"{str(file)!r} is damaged: in its {name}, {fault}; copy or download it again."
            raise ArgumentError("path", text)
