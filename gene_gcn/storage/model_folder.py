"""Model folders: a JSON and a safetensors file, written atomically and read without running code."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors_torch

from gene_gcn import __version__
from gene_gcn.errors import ArgumentError

__all__ = ["check_destination", "read_model", "write_model"]

FORMAT = "gene_gcn"
FORMAT_VERSION = 2
CONFIG_FILE = "config.json"
TENSOR_FILE = "model.safetensors"


def write_model(path: str | os.PathLike[str], config: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Write a model folder, completely or not at all.

    Everything is written to a temporary folder next to `path`, flushed to disk and renamed. If that fails,
    for instance because the disk is full or Ctrl-C is pressed, nothing is left behind and a previous model
    stays.

    Parameters
    ----------
    path : str or path
        The folder. Parent folders are created; an existing model or an empty folder is replaced.
    config : mapping
        Anything that JSON can represent; NumPy numbers become plain numbers, tuples become lists.
    tensors : mapping of str to array or tensor
        Numbers or booleans, of any shape and memory layout.

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
        text = json.dumps(document, indent=1, ensure_ascii=False, default=_plain_number)
    except (TypeError, ValueError) as error:
        raise ArgumentError("config", f"config cannot be written as JSON: {error}.") from error

    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _sibling(target, "new")
    try:
        temporary.mkdir()
        _write_to_disk(temporary / TENSOR_FILE, data)
        _write_to_disk(temporary / CONFIG_FILE, text.encode())
        _sync_folder(temporary)
        _move_into_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # after success it no longer exists


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read a model folder, without running code from it.

    Parameters
    ----------
    path : str or path
        A folder that `write_model` wrote.

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
    if not folder.exists():
        raise FileNotFoundError(f"There is no model folder {str(path)!r}{_hint_at_backup(folder)}.")
    if not folder.is_dir():
        text = f"{str(path)!r} is a file; a model is a folder with {CONFIG_FILE} and {TENSOR_FILE}."
        raise ArgumentError("path", text)
    document = _read_document(folder)
    version = document.get("format_version")
    if not isinstance(version, int) or version < 1:
        text = (
            f"{folder / CONFIG_FILE} has format_version={version!r}, which is not a valid number; {_REMEDY}"
        )
        raise ArgumentError("path", text)
    if version != FORMAT_VERSION:
        newer = version > FORMAT_VERSION
        remedy = "Upgrade: pip install --upgrade gene-gcn." if newer else "Train the model again."
        raise ArgumentError(
            "path",
            f"{str(path)!r} has model format {version}, written by gene_gcn "
            f"{document.get('package_version', '?')}; gene_gcn {__version__} reads format {FORMAT_VERSION}. "
            f"{remedy}",
        )
    try:
        return dict(document["config"]), _read_tensors(folder / TENSOR_FILE, document["tensors"])
    except (KeyError, TypeError) as error:
        text = f"{folder / CONFIG_FILE} is incomplete ({error!r}); {_REMEDY}"
        raise ArgumentError("path", text) from error


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
    if target.is_dir():
        names = sorted(entry.name for entry in target.iterdir())
        if names and not _is_model(target):
            raise ArgumentError(
                "path",
                f"{str(path)!r} is a folder that contains {_listed(names)} but no gene_gcn model, so it is "
                "not replaced. Choose another path.",
            )
        if others := [name for name in names if name not in (CONFIG_FILE, TENSOR_FILE)]:
            raise ArgumentError(
                "path",
                f"The model folder {str(path)!r} also contains {_listed(others)}, which replacing it would "
                "delete. Move these files, or choose another path.",
            )
    elif target.exists():
        text = f"{str(path)!r} is a file, but a model is a folder. Choose another path."
        raise ArgumentError("path", text)
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir():
        text = f"{str(path)!r} cannot be created because {str(parent)!r} is a file."
        raise ArgumentError("path", text)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{str(path)!r} cannot be written: no permission to write to {str(parent)!r}.")


_REMEDY = "save the model again, or copy the complete folder again."


def _read_document(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG_FILE
    if not file.is_file():
        raise FileNotFoundError(f"{str(folder)!r} is not a gene_gcn model: it has no {CONFIG_FILE}.")
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArgumentError("path", f"{file} is damaged: it is not JSON ({error}); {_REMEDY}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        text = f'{str(folder)!r} is not a gene_gcn model: its {CONFIG_FILE} lacks "format": "{FORMAT}".'
        raise ArgumentError("path", text)
    return document


def _read_tensors(file: Path, expected: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; {_REMEDY}")
    if (size := file.stat().st_size) != expected["bytes"]:
        text = f"{file} is damaged: it has {size:,} bytes instead of {expected['bytes']:,}; {_REMEDY}"
        raise ArgumentError("path", text)
    data = file.read_bytes()  # read once, so that the bytes checked are the bytes loaded
    if hashlib.sha256(data).hexdigest() != expected["sha256"]:
        text = f"{file} is damaged: its SHA-256 differs from the one in {CONFIG_FILE}; {_REMEDY}"
        raise ArgumentError("path", text)
    try:
        return safetensors_torch.load(data)
    except (SafetensorError, KeyError) as error:
        raise ArgumentError("path", f"{file} is not a safetensors file ({error}); {_REMEDY}") from error


def _is_model(folder: Path) -> bool:
    try:
        return bool(_read_document(folder))
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


def _write_to_disk(file: Path, data: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk; Windows and some network file systems cannot, and need not."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _move_into_place(new: Path, target: Path) -> None:
    """Rename `new` to `target`; a previous model is moved aside first and restored if that fails."""
    old = _sibling(target, "old")
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        if target.exists():  # otherwise `old` is the only copy
            shutil.rmtree(old, ignore_errors=True)
    _sync_folder(target.parent)


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{kind}-{uuid.uuid4().hex[:8]}")


def _hint_at_backup(folder: Path) -> str:
    """Name the previous model, if a save was killed between its two renames."""
    target = folder.resolve()
    found = sorted(target.parent.glob(f".{target.name}.old-*")) if target.parent.is_dir() else []
    return f"; an interrupted save left the previous model in {str(found[-1])!r}: rename it" if found else ""


def _listed(names: list[str], n: int = 3) -> str:
    return ", ".join(map(repr, names[:n])) + (", …" if len(names) > n else "")
