"""Folders that a server reads and writes for its clients, and nothing outside of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gene_gcn.errors import Argument, ArgumentError

__all__ = ["AllowedFolders"]

HDF5 = (".h5ad", ".h5", ".loom")


class AllowedFolders:
    """Finds what clients name by paths, which may neither leave the folders nor lead over symbolic links.

    Parameters
    ----------
    folders : sequence of Path
        Those of the user, who may pass links.

    Raises
    ------
    ArgumentError
        If one does not exist.
    """

    def __init__(self, folders: Sequence[Path]):
        for folder in folders:
            if not folder.is_dir():
                raise ArgumentError("folder", Argument("folder", folder), " is not a folder.")
        self.folders = tuple(folder.resolve() for folder in folders)
        self._given = tuple(Path(os.path.abspath(folder)) for folder in folders)

    def __str__(self) -> str:
        return ", ".join(map(str, self.folders))

    def find(self, path: str, argument: str) -> Path:
        """Return the absolute path of what need not exist; relative ones are of the first folder.

        Raises
        ------
        ArgumentError
            If it is outside of the folders, or behind a symbolic link.
        """
        if not path.strip() or "\0" in path:
            raise ArgumentError(argument, Argument(argument, path), " is not a path.")
        place = Path(os.path.normpath(self.folders[0] / path))
        for given, folder in zip(self._given, self.folders, strict=True):
            for start in (folder, given):
                if place.is_relative_to(start):
                    found = folder / place.relative_to(start)
                    _refuse_links(found, folder, path, argument)
                    return found
        text = (
            f" is outside of the folders that this server may use ({self}); start it with another --folder."
        )
        raise ArgumentError(argument, Argument(argument, path), text)

    def find_existing(self, path: str, argument: str) -> Path:
        """Return the absolute path of a file, or of a folder in which there are no links either.

        Raises
        ------
        FileNotFoundError
            If it does not exist.
        ArgumentError
            As `find`.
        """
        found = self.find(path, argument)
        if not found.exists():
            raise FileNotFoundError(f"{str(found)!r} does not exist.")
        # Beside a matrix.mtx lie the names of its genes and cells.
        inside = found.rglob("*") if found.is_dir() else found.parent.glob("*.tsv*")
        for each in inside:
            if each.is_symlink():
                _raise_link(each, path, argument)
        if found.name.lower().endswith(HDF5) and found.is_file() and (name := _stored_elsewhere(found)):
            text = f" has {name!r} in another file, which is not read; save the cells in one file."
            raise ArgumentError(argument, Argument(argument, path), text)
        return found


def _refuse_links(place: Path, folder: Path, path: str, argument: str) -> None:
    while place != folder:
        if place.is_symlink():
            _raise_link(place, path, argument)
        place = place.parent


def _raise_link(link: Path, path: str, argument: str) -> None:
    text = f" leads over the symbolic link {str(link)!r}, which is not followed; copy the file instead."
    raise ArgumentError(argument, Argument(argument, path), text)


def _stored_elsewhere(file: Path) -> str | None:
    """Return the name of what HDF5 would read from another file: links, raw files, virtual data."""
    import h5py

    def look(name: str, item: Any) -> str | None:
        if isinstance(item, h5py.Dataset):
            return name if item.external or item.is_virtual else None
        links = (key for key in item if isinstance(item.get(key, getlink=True), h5py.ExternalLink))
        return next((f"{name}/{key}" for key in links), None)

    with suppress(OSError), h5py.File(file) as stored:  # the reader says what is wrong with a damaged file
        return look("", stored) or stored.visititems(look)
    return None
