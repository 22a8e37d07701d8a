"""Model folders: a JSON and a safetensors file, written whole or not at all, read without running code."""

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

__all__ = ["check_destination", "read_model", "write_model"]

FORMAT = "gene_gcn"
FORMAT_VERSION = 1
CONFIG_FILE = "config.json"
TENSOR_FILE = "model.safetensors"


def write_model(path: str | os.PathLike[str], config: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Write a model folder, whole or not at all.

    Everything is written into a temporary folder next to `path`, forced to disk and renamed. Where that
    fails, a full disk and Ctrl-C included, nothing is left behind and a model that was there stays as it was.

    Parameters
    ----------
    path
        The folder. Parents are created; a model that is there is replaced; so is an empty folder.
    config
        What JSON can hold; NumPy numbers become plain ones, tuples become lists.
    tensors
        Arrays or tensors of numbers or booleans, of any shape and memory layout, by name.

    Raises
    ------
    ValueError
        If `path` is a file, or a folder that holds anything but a model; if `config` is not fit for JSON or
        one of `tensors` is not numeric.
    OSError
        If the disk is full or the place may not be written to.
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
        raise ValueError(f"config cannot be written as JSON: {error}.") from error

    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _sibling(target, "new")
    try:
        temporary.mkdir()
        _write_to_disk(temporary / TENSOR_FILE, data)
        _write_to_disk(temporary / CONFIG_FILE, text.encode())
        _sync_folder(temporary)
        _move_into_place(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # gone already where all went well


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read a model folder. No code of the folder is run, and nothing is taken from a damaged one.

    Parameters
    ----------
    path
        A folder that `write_model` wrote.

    Returns
    -------
    config : dict
    tensors : dict of torch.Tensor
        On the CPU, the same bits as were written.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is absent.
    ValueError
        If it is no model of this package, was written by a newer version, or is damaged.
    """
    folder = Path(path).expanduser()
    if not folder.exists():
        raise FileNotFoundError(f"There is no model folder {str(path)!r}{_left_over(folder)}.")
    if not folder.is_dir():
        raise ValueError(f"{str(path)!r} is a file; a model is a folder of {CONFIG_FILE} and {TENSOR_FILE}.")
    document = _read_document(folder)
    version = document.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"{folder / CONFIG_FILE} has format_version={version!r}, not a number; {_AGAIN}")
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{str(path)!r} has model format {version}, written by gene_gcn "
            f"{document.get('package_version', '?')}; version {__version__} reads up to {FORMAT_VERSION}. "
            "Install a newer one: pip install --upgrade gene-gcn."
        )
    try:
        return dict(document["config"]), _read_tensors(folder / TENSOR_FILE, document["tensors"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / CONFIG_FILE} is incomplete ({error!r}); {_AGAIN}") from error


def check_destination(path: str | os.PathLike[str]) -> None:
    """Refuse a place where `write_model` would delete something else, or cannot write.

    Raises
    ------
    ValueError
        If `path` is a file, or a folder that is neither empty nor a model alone.
    OSError
        If `path` may not be written to.
    """
    target = Path(path).expanduser().resolve()
    if target.is_dir():
        names = sorted(entry.name for entry in target.iterdir())
        if names and not _is_model(target):
            raise ValueError(
                f"{str(path)!r} is a folder that holds {_some(names)} and no model of gene_gcn; "
                "it is not replaced. Choose another path."
            )
        if others := [name for name in names if name not in (CONFIG_FILE, TENSOR_FILE)]:
            raise ValueError(
                f"The model folder {str(path)!r} also holds {_some(others)}; replacing it would "
                "delete that. Move it, or choose another path."
            )
    elif target.exists():
        raise ValueError(f"{str(path)!r} is a file; a model is a folder. Choose another path.")
    parent = next(folder for folder in target.parents if folder.exists())
    if not parent.is_dir():
        raise ValueError(f"{str(path)!r} cannot be a folder, because {str(parent)!r} is a file.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(f"{str(path)!r} cannot be written: no permission to write in {str(parent)!r}.")


_AGAIN = "save the model again, or copy the whole folder again."


def _read_document(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG_FILE
    if not file.is_file():
        raise FileNotFoundError(f"{str(folder)!r} is no model of gene_gcn: it holds no {CONFIG_FILE}.")
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged, it is not JSON ({error}); {_AGAIN}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(
            f'{str(folder)!r} is no model of gene_gcn: its {CONFIG_FILE} does not have "format": "{FORMAT}".'
        )
    return document


def _read_tensors(file: Path, expected: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; {_AGAIN}")
    if (size := file.stat().st_size) != expected["bytes"]:
        raise ValueError(
            f"{file} is damaged: it has {size:,} bytes and should have {expected['bytes']:,}; {_AGAIN}"
        )
    data = file.read_bytes()  # checked and loaded from the same bytes
    if hashlib.sha256(data).hexdigest() != expected["sha256"]:
        raise ValueError(f"{file} is damaged: its SHA-256 is not that in {CONFIG_FILE}; {_AGAIN}")
    try:
        return safetensors_torch.load(data)
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{file} is no safetensors file ({error}); {_AGAIN}") from error


def _is_model(folder: Path) -> bool:
    try:
        return bool(_read_document(folder))
    except (ValueError, OSError):
        return False


def _to_tensor(name: str, value: Any) -> torch.Tensor:
    """A contiguous copy on the CPU: safetensors refuses tensors that share memory."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided:
            raise ValueError(f"tensors[{name!r}] is sparse ({value.layout}); save its indices and values.")
        return value.detach().to("cpu", copy=True).contiguous()
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"tensors[{name!r}] has dtype {array.dtype}; it must hold numbers or booleans. Text "
            "belongs into config."
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
    """Force the names in a folder to disk; Windows and some network disks cannot, and need not."""
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
    """Rename `new` to `target`; what was there is moved aside first and comes back if that fails."""
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
        if target.exists():  # otherwise `old` is all there is: keep it
            shutil.rmtree(old, ignore_errors=True)
    _sync_folder(target.parent)


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{kind}-{uuid.uuid4().hex[:8]}")


def _left_over(folder: Path) -> str:
    """Name what a save that was killed between its two renames moved aside."""
    target = folder.resolve()
    found = sorted(target.parent.glob(f".{target.name}.old-*")) if target.parent.is_dir() else []
    return f"; a killed save left the one before it in {str(found[-1])!r}: rename that" if found else ""


def _some(names: list[str], n: int = 3) -> str:
    return ", ".join(map(repr, names[:n])) + (", …" if len(names) > n else "")
