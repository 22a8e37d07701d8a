"""Model folders: JSON, tensors, a card and their checksums, written whole and read without running code."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
import torch
from safetensors import torch as safetensors_torch

from gene_gcn import __version__
from gene_gcn.errors import ArgumentError, is_out_of_memory
from gene_gcn.storage.atomic import check_replaceable
from gene_gcn.storage.atomic_folder import replace_folder, restore_previous
from gene_gcn.storage.locks import locked
from gene_gcn.storage.model_manifest import (
    CARD_FILE,
    CONFIG_FILE,
    FILES,
    LARGEST_CONFIG,
    LARGEST_MANIFEST,
    MANIFEST_FILE,
    REMEDY,
    TENSOR_FILE,
    ModelFile,
    damaged,
    manifest_of,
    parse_json,
    parse_manifest,
)
from gene_gcn.storage.model_zip import ENDING, is_model_zip, write_zip

__all__ = [
    "TensorSpec",
    "check_destination",
    "copy_model",
    "is_zip_path",
    "read_card",
    "read_config",
    "read_model",
    "write_model",
]

FORMAT = "gene_gcn"
FORMAT_VERSION = 5
ATTEMPTS_WITHOUT_LOCK = 20  # of reading a folder that another process replaces
LARGEST_HEADER = 10**8  # the limit of safetensors


class TensorSpec(NamedTuple):
    """The form of a tensor, known before it is read.

    Attributes
    ----------
    dtype : str
        As safetensors calls it, such as "F32".
    shape : tuple of int
    """

    dtype: str
    shape: tuple[int, ...]


# Of a config and the forms of the tensors; raises an ArgumentError where they do not fit.
Check: TypeAlias = Callable[[dict[str, Any], dict[str, TensorSpec]], None]


def write_model(
    path: str | os.PathLike[str],
    config: Mapping[str, Any],
    tensors: Mapping[str, Any],
    check: Check | None = None,
    card: Callable[[], str] | None = None,
) -> None:
    """Write a model folder, or a zip archive of one, completely or not at all.

    If that fails, for instance because the disk is full or Ctrl-C is pressed, nothing is left behind and a
    previous model stays.

    Parameters
    ----------
    path : str or path
        The folder, or a file that ends in .zip. Parent folders are created; an existing model or an empty
        folder is replaced.
    config : mapping
        Anything that JSON can represent; NumPy numbers become plain numbers, tuples become lists.
    tensors : mapping of str to array or tensor
        Numbers or booleans, of any shape and memory layout.
    check : callable, optional
        Called before anything is written with what `read_model` would call it with; raises an ArgumentError
        where the contents do not fit.
    card : callable, optional
        Called after `check`; returns what becomes README.md, in Markdown.

    Raises
    ------
    ArgumentError
        If `path` is a file or a folder that contains something else than a model; if JSON cannot represent
        `config`, or a tensor is not numeric.
    OSError
        If the disk is full or `path` is not writable.
    """
    check_destination(path)
    target = Path(path).expanduser().resolve()  # a link stays, what it points to is replaced
    data = safetensors_torch.save({name: _to_tensor(name, value) for name, value in tensors.items()})
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "tensors": {"file": TENSOR_FILE, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()},
        "config": dict(config),
    }
    try:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False, default=_plain_number)
        contents = {CONFIG_FILE: text.encode(), TENSOR_FILE: data}
    except (TypeError, ValueError) as error:  # the latter also for text that is not Unicode
        raise ArgumentError("config", f"config cannot be written as JSON: {error}.") from error
    if check is not None:
        check(json.loads(text)["config"], _read_specs(io.BytesIO(data), target / TENSOR_FILE, len(data)))
    if card is not None:
        contents[CARD_FILE] = card().encode()
    contents[MANIFEST_FILE] = manifest_of(contents)
    _write_files(path, contents)


def read_model(
    path: str | os.PathLike[str], check: Check | None = None
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read a model folder, without running code from it; `local_model` finds what is elsewhere.

    All files are compared with the manifest before anything is built. If another process replaces the model
    meanwhile, the old or the new one is read, never a mixture. If a save was killed after it had moved the
    previous model aside, that model is put back.

    Parameters
    ----------
    path : str or path
        A folder that `write_model` wrote.
    check : callable, optional
        Called with the config and the form of each tensor before tensors are read; raises an ArgumentError
        where they do not fit.

    Returns
    -------
    config : dict
    tensors : dict of torch.Tensor
        On the CPU, equal to the bit to what was written.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ArgumentError
        If it is not a model of this package, has another format version, or is damaged.
    """
    folder = Path(path).expanduser()
    for _ in range(ATTEMPTS_WITHOUT_LOCK):
        before = _stamp(folder)
        try:
            return _read_folder(path, folder, check)
        except (OSError, ArgumentError):
            with locked(folder.resolve().parent) as is_locked:  # waits for a save that is about to rename
                if is_locked:
                    restore_previous(folder.resolve(), FILES)
                    return _read_folder(path, folder, check)
            if before is not None and before == _stamp(folder):
                raise
            time.sleep(0.05)
    return _read_folder(path, folder, check)


def read_config(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the config of a model folder, compared with the manifest, without its tensors."""
    place = Path(folder).expanduser()
    if not (place / MANIFEST_FILE).exists():
        _read_folder(folder, place, None)  # raises, saying what the folder is
    files = _read_manifest(place / MANIFEST_FILE)
    document = _parse_document(place, _read_checked(place / CONFIG_FILE, files[CONFIG_FILE]))
    _check_version(folder, document)
    return document["config"] if isinstance(document.get("config"), dict) else {}


def copy_model(folder: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Copy a model folder to another one, or to a .zip, whole or not at all; see `write_model`."""
    check_destination(path)
    place = Path(folder)
    files = _read_manifest(place / MANIFEST_FILE)
    contents = {name: _read_checked(place / name, entry) for name, entry in files.items()}
    contents[MANIFEST_FILE] = (place / MANIFEST_FILE).read_bytes()
    _write_files(path, contents)


def _write_files(path: str | os.PathLike[str], contents: Mapping[str, bytes]) -> None:
    target = Path(path).expanduser().resolve()
    if is_zip_path(target):
        write_zip(target, contents)
    else:
        replace_folder(target, contents, lambda: check_destination(path))  # it may have changed meanwhile


def read_card(folder: str | os.PathLike[str]) -> str | None:
    """Return the card of a model folder, compared with the manifest; None if the model has none."""
    place = Path(folder)
    files = _read_manifest(place / MANIFEST_FILE)
    if CARD_FILE not in files:
        return None
    return _read_checked(place / CARD_FILE, files[CARD_FILE]).decode("utf-8", errors="replace")


def _stamp(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _read_folder(
    path: str | os.PathLike[str], folder: Path, check: Check | None
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    if not folder.exists():
        raise FileNotFoundError(f"There is no model folder {str(path)!r}.")
    if not folder.is_dir():
        text = (
            f"{str(path)!r} is a file; a model is a folder with {CONFIG_FILE} and {TENSOR_FILE}, or a .zip."
        )
        raise ArgumentError("path", text)
    if not (folder / MANIFEST_FILE).exists():
        _check_version(path, _read_document(folder))  # older models have no manifest
        raise FileNotFoundError(f"{folder / MANIFEST_FILE} is missing; {REMEDY}")
    files = _read_manifest(folder / MANIFEST_FILE)
    document = _parse_document(folder, _read_checked(folder / CONFIG_FILE, files[CONFIG_FILE]))
    _check_version(path, document)
    config = document.get("config")
    if not isinstance(config, dict):
        raise damaged(folder / CONFIG_FILE, "it has no config")
    if CARD_FILE in files:
        _read_checked(folder / CARD_FILE, files[CARD_FILE])
    file = folder / TENSOR_FILE
    with _open_regular(file) as stream:
        files[TENSOR_FILE].check_size(os.fstat(stream.fileno()).st_size, file)
        specs = _read_specs(stream, file, files[TENSOR_FILE].size)
        if check is not None:
            check(config, specs)
        data = _read_stream(stream, file, files[TENSOR_FILE])
    try:
        return config, safetensors_torch.load(data)
    except Exception as error:  # of several kinds, depending on the version of safetensors
        if is_out_of_memory(error):
            raise
        raise damaged(file, f"it is not a safetensors file ({error})") from error


def check_destination(path: str | os.PathLike[str]) -> None:
    """Refuse a path where `write_model` would delete other files or cannot write.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    ArgumentError
        If `path` is a file, or a folder that is neither empty nor just a model.
    PermissionError
        If `path` is not writable.
    """
    target = Path(path).expanduser().resolve()
    if is_zip_path(target) and not target.is_dir():
        check_replaceable(path)
        if target.exists() and not is_model_zip(target):
            text = f"{str(path)!r} is a file but not a gene_gcn model, so it is not replaced"
            raise ArgumentError("path", f"{text}. Choose another path.")
    elif target.is_dir():
        names = sorted(entry.name for entry in target.iterdir())
        if names and not _is_model(target):
            raise ArgumentError(
                "path",
                f"{str(path)!r} is a folder that contains {_listed(names)} but no gene_gcn model, so it is "
                "not replaced. Choose another path.",
            )
        own = FILES if _has_card(target) else set(FILES) - {CARD_FILE}
        if others := [name for name in names if name not in own]:
            raise ArgumentError(
                "path",
                f"The model folder {str(path)!r} also contains {_listed(others)}, which replacing it would "
                "delete. Move these files, or choose another path.",
            )
    elif target.exists():
        text = f"{str(path)!r} is a file, but a model is a folder or ends in .zip. Choose another path."
        raise ArgumentError("path", text)
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir():
        text = f"{str(path)!r} cannot be created because {str(parent)!r} is a file."
        raise ArgumentError("path", text)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{str(path)!r} cannot be written: no permission to write to {str(parent)!r}.")


# ---- reading ----


def _check_version(path: str | os.PathLike[str], document: dict[str, Any]) -> None:
    version = document.get("format_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        problem = f"format_version={version!r:.40} is not a valid number"
        raise damaged(Path(path) / CONFIG_FILE, problem)
    if version != FORMAT_VERSION:
        newer = version > FORMAT_VERSION
        remedy = "Upgrade: pip install --upgrade gene-gcn." if newer else "Train the model again."
        raise ArgumentError(
            "path",
            f"{str(path)!r} has model format {version}, written by gene_gcn "
            f"{document.get('package_version', '?')!s:.20}; gene_gcn {__version__} reads format "
            f"{FORMAT_VERSION}. {remedy}",
        )


def _read_manifest(file: Path) -> dict[str, ModelFile]:
    with _open_regular(file) as stream:
        return parse_manifest(stream.read(LARGEST_MANIFEST + 1), file)


def _read_checked(file: Path, expected: ModelFile) -> bytes:
    with _open_regular(file) as stream:
        return _read_stream(stream, file, expected)


def _read_stream(stream: BinaryIO, file: Path, expected: ModelFile) -> bytes:
    """Read a file once, so that the bytes checked are the bytes used."""
    expected.check_size(os.fstat(stream.fileno()).st_size, file)
    stream.seek(0)
    data = stream.read(expected.size)
    expected.check(data, file)
    return data


def _read_specs(stream: BinaryIO, file: Path, size: int) -> dict[str, TensorSpec]:
    """Return the form of each tensor from the header of a safetensors file of `size` bytes."""
    length = int.from_bytes(stream.read(8), "little")
    if length > min(size, LARGEST_HEADER):
        raise damaged(file, "it is not a safetensors file (its header has no valid length)")
    header = parse_json(file, stream.read(length))
    header.pop("__metadata__", None)
    specs = {}
    for name, entry in header.items():
        dtype, shape = (entry.get("dtype"), entry.get("shape")) if isinstance(entry, dict) else (None, None)
        if not isinstance(dtype, str) or not isinstance(shape, list):
            raise damaged(file, f"it is not a safetensors file (tensor {name!r:.40} has no shape)")
        if not all(type(length) is int and 0 <= length <= size for length in shape):
            raise damaged(file, f"tensor {name!r:.40} has shape {shape!r:.80}, which the file cannot hold")
        specs[name] = TensorSpec(dtype, tuple(shape))
    return specs


@contextmanager
def _open_regular(file: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; a pipe is refused instead of waited for."""
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{file} is missing; {REMEDY}") from error
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        raise damaged(file, f"it cannot be opened ({error.strerror})") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise damaged(file, "it is not a regular file")
    except ArgumentError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def _read_document(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG_FILE
    if not file.is_file():
        raise FileNotFoundError(f"{str(folder)!r} is not a gene_gcn model: it has no {CONFIG_FILE}.")
    with _open_regular(file) as stream:
        return _parse_document(folder, stream.read(LARGEST_CONFIG))


def _parse_document(folder: Path, data: bytes) -> dict[str, Any]:
    document = parse_json(folder / CONFIG_FILE, data, is_object=False)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        text = f'{str(folder)!r} is not a gene_gcn model: its {CONFIG_FILE} lacks "format": "{FORMAT}".'
        raise ArgumentError("path", text)
    return document


# ---- helpers ----


def _is_model(folder: Path) -> bool:
    try:
        return bool(_read_document(folder))
    except (ValueError, OSError):
        return False


def is_zip_path(path: Path) -> bool:
    """Return whether a model at this path is one file, a zip archive."""
    return path.suffix.lower() == ENDING


def _has_card(folder: Path) -> bool:
    """Return whether the README of a model is its card, not a file of the user's."""
    try:
        return CARD_FILE in _read_manifest(folder / MANIFEST_FILE)
    except (ValueError, OSError):
        return False


def _to_tensor(name: str, value: Any) -> torch.Tensor:
    """Return a contiguous copy on the CPU: safetensors refuses tensors that share memory."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided:
            text = f"tensors[{name!r}] is sparse ({value.layout}); save its indices and values."
            raise ArgumentError("tensors", text)
        return value.detach().to("cpu", copy=True).contiguous()
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(
            "tensors",
            f"tensors[{name!r}] has dtype {array.dtype}, but must contain numbers or booleans. Text belongs "
            "in config.",
        )
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r:.80} is a {type(value).__name__}")


def _listed(names: list[str], n: int = 3) -> str:
    return ", ".join(map(repr, names[:n])) + (", …" if len(names) > n else "")
