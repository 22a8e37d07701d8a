"""Find the files of a sparse matrix in the Matrix Exchange format, without reading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gene_gcn.errors import ArgumentError

__all__ = ["MEXFiles", "find_mex_files"]


@dataclass(frozen=True)
class MEXFiles:
    """The files of a matrix: its values, its genes and its cells."""

    matrix: Path
    genes: Path
    barcodes: Path


@dataclass(frozen=True)
class _Layout:
    """What a program calls the three files; the first that exists of several names is read."""

    matrix: str
    genes: tuple[str, ...]
    barcodes: tuple[str, ...]


_CELL_RANGER = _Layout("matrix.mtx", ("features.tsv", "genes.tsv"), ("barcodes.tsv",))  # and STARsolo
_LAYOUTS = (
    _CELL_RANGER,
    _Layout(  # kallisto | bustools, whose newer versions also write symbols
        "cells_x_genes.mtx",
        ("cells_x_genes.genes.names.txt", "cells_x_genes.genes.txt"),
        ("cells_x_genes.barcodes.txt",),
    ),
    *(  # Parse Biosciences, older and newer
        _Layout(matrix, ("all_genes.csv",), ("cell_metadata.csv",))
        for matrix in ("DGE.mtx", "count_matrix.mtx")
    ),
)
# Where programs put the cells that they tell from empty droplets, as patterns of names.
_FILTERED = (
    *("*filtered_feature_bc_matrix", "filtered_gene_bc_matrices/*"),  # Cell Ranger
    *("filtered", "counts_filtered", "DGE_filtered"),  # STARsolo, kallisto | bustools, Parse Biosciences
)
_ALEVIN_FRY = "quants_mat.mtx"


def find_mex_files(path: Path) -> MEXFiles | None:
    """Return the files of a folder as Cell Ranger writes it, or of a matrix file; None if there is no matrix.

    The matrix may also be in a folder of filtered cells inside, or in the only folder inside that has one.

    Raises
    ------
    ArgumentError
        If genes or cells are missing beside the matrix, or there are several matrices.
    """
    if path.is_file():
        return _beside(path)
    filtered = (f"{parent}{name}" for parent in ("", "*/") for name in _FILTERED)
    for pattern in ("", *filtered, "*"):
        folders = sorted(path.glob(pattern)) if pattern else [path]
        if found := [matrix for folder in folders for matrix in _matrices_in(folder)]:
            return _only(path, found)
    return None


def _matrices_in(folder: Path) -> list[Path]:
    """Return the matrices whose names are known, or a single one of another name."""
    if not folder.is_dir():
        return []
    files = sorted(file for file in folder.iterdir() if _plain(file).endswith(".mtx") and file.is_file())
    known = [file for file in files if _layouts_of(file) or _plain(file) == _ALEVIN_FRY]
    return known or (files if len(files) == 1 else [])


def _only(path: Path, matrices: list[Path]) -> MEXFiles:
    if len({matrix.parent / _plain(matrix) for matrix in matrices}) > 1:
        found = ", ".join(str(matrix.relative_to(path)) for matrix in matrices[:4])
        raise ArgumentError("path", f"{str(path)!r} holds several matrices ({found}); pass the path of one.")
    return _beside(matrices[0])


def _beside(matrix: Path) -> MEXFiles:
    if _plain(matrix) == _ALEVIN_FRY:
        raise ArgumentError(
            "path",
            f"{str(matrix)!r} is written by alevin-fry, which may count spliced and unspliced RNA apart; "
            "convert it by pyroe.load_fry(FOLDER).write_h5ad(NEW_FILE).",
        )
    layouts = _layouts_of(matrix) or [_CELL_RANGER]
    for layout in layouts:
        genes, barcodes = (_find(matrix, layout, names) for names in (layout.genes, layout.barcodes))
        if genes is not None and barcodes is not None:
            return MEXFiles(matrix, genes, barcodes)
    layout = layouts[0]
    missing = next(n for n in (layout.genes, layout.barcodes) if _find(matrix, layout, n) is None)
    wanted = " or ".join(f"{_starts(matrix, layout)[0]}{name}[.gz]" for name in missing)
    raise ArgumentError("path", f"{str(matrix)!r} needs {wanted} in the same folder.")


def _find(matrix: Path, layout: _Layout, names: tuple[str, ...]) -> Path | None:
    places = (
        matrix.parent / f"{start}{name}{ending}"
        for start in _starts(matrix, layout)
        for name in names
        for ending in (".gz", "")
    )
    return next((place for place in places if place.is_file()), None)


def _starts(matrix: Path, layout: _Layout) -> list[str]:
    """Return what the names of the other two files may begin with: the name of a sample, or nothing."""
    name = _plain(matrix)
    if name.endswith(layout.matrix):
        return [name.removesuffix(layout.matrix)]
    stem = name.removesuffix(".mtx")
    return ["", f"{stem}_", f"{stem}."]


def _layouts_of(matrix: Path) -> list[_Layout]:
    return [layout for layout in _LAYOUTS if _plain(matrix).endswith(layout.matrix)]


def _plain(file: Path) -> str:
    return file.name.removesuffix(".gz")
