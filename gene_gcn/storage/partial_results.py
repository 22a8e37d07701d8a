"""Finished parts of results that take long, in a folder from which a run that was killed goes on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.atomic import replacing
from gene_gcn.storage.locks import locked_unless_in_use

if TYPE_CHECKING:
    import numpy as np

__all__ = ["PartialResults", "num_finished", "partial_folder", "remove_partial"]

RUN = "run.json"
BLOCK = re.compile(r"block-\d{6,}\.safetensors")


class PartialResults:
    """The arrays of each block that is finished, by its number.

    Each block is a file that is written whole or not at all; one that is damaged counts as missing.
    `run.json` says what they are results of.

    `PartialResults.open` makes them.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    @contextmanager
    def open(cls, folder: str | os.PathLike[str], run: Mapping[str, Any]) -> Iterator[Self]:
        """Open a folder for this process alone; make it if it does not exist.

        Parameters
        ----------
        folder : path
        run : mapping
            What is computed, from what and how, as JSON can hold it.

        Raises
        ------
        ArgumentError
            The folder holds something else, or results of another run, or a running process writes to it.
        """
        place = Path(folder).expanduser()
        place.mkdir(parents=True, exist_ok=True)
        with locked_unless_in_use(place) as is_free:
            if not is_free:
                text = f"Another process is writing to {str(place)!r}; wait for it, or choose another output."
                raise ArgumentError("checkpoint", text)
            expected = json.loads(json.dumps(run))
            if num_finished(place):
                _check_belongs(place, expected)
            elif any(entry.name != RUN and not BLOCK.search(entry.name) for entry in place.iterdir()):
                raise _foreign(place)
            else:
                with replacing(place / RUN) as file:
                    file.write_text(json.dumps(expected, indent=1), encoding="utf-8")
            try:
                yield cls(place)
            finally:
                if not num_finished(place):
                    remove_partial(place)

    def __contains__(self, number: object) -> bool:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._file(number), "np"):  # which compares the sizes of its arrays and the file
                return True
        except (SafetensorError, OSError):
            return False

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        from safetensors.numpy import load_file

        if number not in self:
            raise KeyError(number)
        return dict(load_file(self._file(number)))

    def __setitem__(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        import numpy as np
        from safetensors.numpy import save

        data = save({name: np.ascontiguousarray(values) for name, values in arrays.items()})
        with replacing(self._file(number)) as file:
            file.write_bytes(data)

    def _file(self, number: object) -> Path:
        return self.folder / f"block-{number:06}.safetensors"


def partial_folder(path: str | os.PathLike[str]) -> Path:
    """Return the folder beside a file in which its unfinished results are kept."""
    target = Path(path).expanduser()
    return target.with_name(f"{target.name}.partial")


def num_finished(folder: Path) -> int:
    """Return how many blocks a folder holds; 0 if it does not exist."""
    return sum(1 for entry in os.scandir(folder) if BLOCK.fullmatch(entry.name)) if folder.is_dir() else 0


def remove_partial(folder: Path) -> None:
    """Delete partial results; what else somebody put into the folder stays."""
    for entry in list(folder.iterdir()) if folder.is_dir() else []:
        if entry.name == RUN or BLOCK.search(entry.name):  # also what a killed process was writing
            entry.unlink()
    with suppress(OSError):  # it is not empty, or does not exist
        folder.rmdir()


def _foreign(folder: Path) -> ArgumentError:
    text = f"{str(folder)!r} is not a folder of partial results; move it, or choose another output."
    return ArgumentError("checkpoint", text)


def _check_belongs(folder: Path, expected: Mapping[str, Any]) -> None:
    name = repr(str(folder))
    try:
        found = dict(json.loads((folder / RUN).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise _foreign(folder) from error
    differing = [key for key in expected if found.get(key) != expected[key]]
    if differing or len(found) != len(expected):
        what = f"{name} holds results of a run with other {' and '.join(differing) or 'settings'}"
        text = f"{what}; delete that folder to start anew, or choose another output."
        raise ArgumentError("checkpoint", text)
