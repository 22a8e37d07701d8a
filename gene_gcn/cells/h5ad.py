"""Write an AnnData as ``.h5ad`` such that a full disk is an error like any other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h5py
    from anndata import AnnData
    from typing_extensions import Buffer

__all__ = ["writable_h5ad", "write_h5ad"]


def write_h5ad(path: Path, cells: AnnData) -> None:
    """Write what ``cells.write_h5ad(path, compression="gzip")`` would.

    Raises
    ------
    OSError
        If the disk is full.
    """
    try:
        from anndata.io import write_elem
    except ImportError:  # anndata < 0.11
        from anndata.experimental import write_elem

    cells.strings_to_categoricals()
    if cells.raw is not None:
        cells.strings_to_categoricals(cells.raw.var)
    with writable_h5ad(path, "w") as store:
        write_elem(store, "/", cells, dataset_kwargs={"compression": "gzip"})


@contextmanager
def writable_h5ad(path: Path, mode: str) -> Iterator[h5py.File]:
    """Open a file to write, "w", or to write more into, "r+", such that a full disk is an error.

    HDF5 cannot close a file that it cannot write: h5py prints a traceback for each open object and may
    crash. So it writes to an object that accepts everything and remembers the first error.

    Raises
    ------
    OSError
        At the end, if the disk is full.
    """
    import h5py  # here, as it loads NumPy

    with open(path, "w+b" if mode == "w" else "r+b", buffering=0) as file:
        kept = _ErrorKeepingFile(file)
        with h5py.File(kept, mode) as store:
            yield store
        if kept.error is not None:
            raise kept.error


class _ErrorKeepingFile(io.RawIOBase):
    """A file that keeps the first error of writing and ignores what comes after it."""

    def __init__(self, file: io.FileIO):
        self._file = file
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view) or 0
        if self.error is not None:  # what could not be written reads as zeros
            view[count:] = bytes(len(view) - count)
            return len(view)
        return count

    def write(self, data: Buffer) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.error is None:
            try:
                done += self._file.write(view[done:]) or 0
            except OSError as error:
                self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def flush(self) -> None:
        """Do nothing: the file has no buffer."""
