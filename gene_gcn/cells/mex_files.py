"""Find the three files of a sparse matrix in the Matrix Exchange format, without reading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gene_gcn.errors import ArgumentError

__all__ = ["MEXFiles", "find_mex_files"]

GENE_FILES = ("features.tsv", "genes.tsv")


@dataclass(frozen=True)
class MEXFiles:
    """The files of a matrix: its values, its genes and its cells."""

    matrix: Path
    genes: Path
    barcodes: Path


def find_mex_files(path: Path) -> MEXFiles | None:
    """Return the files of a folder as Cell Ranger writes it, or of a matrix file; None if there is no matrix.

    The matrix may also be in the only folder inside, or in that of the filtered cells.

    Raises
    ------
    ArgumentError
        If genes or cells are missing beside the matrix, or there are several matrices.
    """
    if path.is_file():
        return _beside(path)
    for folder in (
        path,
        path / "filtered_feature_bc_matrix",
        *sorted(path.glob("filtered_gene_bc_matrices/*")),
    ):
        if found := _matrices_in(folder):
            return _only(path, found)
    inside = [
        matrix for folder in sorted(path.iterdir()) if folder.is_dir() for matrix in _matrices_in(folder)
    ]
    return _only(path, inside) if inside else None


def _matrices_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.name.endswith(("matrix.mtx", "matrix.mtx.gz")))


def _only(path: Path, matrices: list[Path]) -> MEXFiles:
    if len({matrix.parent / matrix.name.removesuffix(".gz") for matrix in matrices}) > 1:
        found = ", ".join(str(matrix.relative_to(path)) for matrix in matrices[:4])
        raise ArgumentError("path", f"{str(path)!r} holds several matrices ({found}); pass the path of one.")
    return _beside(matrices[0])


def _beside(matrix: Path) -> MEXFiles:
    start = matrix.name.removesuffix(".gz").removesuffix(".mtx").removesuffix("matrix")
    genes, barcodes = _find(matrix, start, GENE_FILES), _find(matrix, start, ("barcodes.tsv",))
    for found, names in ((genes, GENE_FILES), (barcodes, ("barcodes.tsv",))):
        if found is None:
            wanted = " or ".join(f"{start}{name}[.gz]" for name in names)
            raise ArgumentError("path", f"{str(matrix)!r} needs {wanted} in the same folder.")
    assert genes is not None and barcodes is not None
    return MEXFiles(matrix, genes, barcodes)


def _find(matrix: Path, start: str, names: tuple[str, ...]) -> Path | None:
    places = (matrix.parent / f"{start}{name}{ending}" for name in names for ending in (".gz", ""))
    return next((place for place in places if place.is_file()), None)
