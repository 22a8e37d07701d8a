"""The manifest of a model: which files it consists of, their sizes and their SHA-256."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gene_gcn.errors import ArgumentError

__all__ = ["ModelFile", "damaged", "manifest_of", "parse_json", "parse_manifest"]

CONFIG_FILE = "config.json"
TENSOR_FILE = "model.safetensors"
CARD_FILE = "README.md"
MANIFEST_FILE = "manifest.json"
FILES = (CARD_FILE, CONFIG_FILE, MANIFEST_FILE, TENSOR_FILE)
REMEDY = "save the model again, or copy the complete folder again."

LARGEST_MANIFEST = 2**16  # bytes
LARGEST_CARD = 2**24
LARGEST_CONFIG = 2**28
_LARGEST = {CARD_FILE: LARGEST_CARD, CONFIG_FILE: LARGEST_CONFIG}


@dataclass(frozen=True)
class ModelFile:
    """What the manifest says of a file.

    Attributes
    ----------
    name : str
    size : int
        Bytes.
    sha256 : str
        As hex.
    """

    name: str
    size: int
    sha256: str

    def check(self, data: bytes, file: Path | str) -> None:
        """Raise an ArgumentError if these are not the bytes of the file."""
        self.check_size(len(data), file)
        self.check_digest(hashlib.sha256(data).hexdigest(), file)

    def check_size(self, size: int, file: Path | str) -> None:
        """Raise an ArgumentError if a file has another size."""
        if size != self.size:
            raise damaged(file, f"it has {size:,} bytes instead of {self.size:,}")
        if size > _LARGEST.get(self.name, size):
            raise damaged(file, f"it has {size:,} bytes, more than any model's")

    def check_digest(self, sha256: str, file: Path | str) -> None:
        """Raise an ArgumentError if a file has another SHA-256."""
        if sha256 == self.sha256:
            return
        problem = f"its SHA-256 differs from the one in {MANIFEST_FILE}"
        if self.name == CARD_FILE:
            problem += ". A card is not edited by hand: load a copy that is whole, and save it with card="
        raise damaged(file, problem)


def manifest_of(contents: Mapping[str, bytes]) -> bytes:
    """Return the sizes and checksums of files, with a digest of them all, as JSON."""
    files = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in contents.items()
    }
    manifest = {"files": files}
    return json.dumps({**manifest, "sha256": _digest_of(manifest)}, indent=1).encode()


def parse_manifest(data: bytes, file: Path | str) -> dict[str, ModelFile]:
    """Return the files that a manifest lists, by name; older models have no card.

    Raises
    ------
    ArgumentError
        It is not a manifest, its digest does not match, or it lists other files than those of a model.
    """
    if len(data) > LARGEST_MANIFEST:
        raise damaged(file, f"it has more than {LARGEST_MANIFEST:,} bytes")
    manifest = parse_json(file, data)
    digest = manifest.pop("sha256", None)
    if digest != _digest_of(manifest):
        raise damaged(file, "its digest does not match")
    files = manifest.get("files")
    if not isinstance(files, dict) or set(files) - {CARD_FILE} != {CONFIG_FILE, TENSOR_FILE}:
        raise damaged(file, f"it does not list {CONFIG_FILE} and {TENSOR_FILE}")
    for entry in files.values():
        if not isinstance(entry, dict) or type(entry.get("bytes")) is not int or entry["bytes"] < 0:
            raise damaged(file, "it does not list the sizes of the files")
    return {name: ModelFile(name, entry["bytes"], str(entry.get("sha256"))) for name, entry in files.items()}


def damaged(file: Path | str, problem: str) -> ArgumentError:
    """Return the error of a file of a model that cannot be used."""
    return ArgumentError("path", f"{file} is damaged: {problem}; {REMEDY}")


def parse_json(file: Path | str, data: bytes, is_object: bool = True) -> Any:
    """Return what JSON holds; numbers that are not finite are refused (ArgumentError)."""
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise damaged(file, f"it is not JSON ({error})") from error
    if is_object and not isinstance(value, dict):
        raise damaged(file, "it is not a JSON object")
    return value


def _digest_of(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _refuse_constant(name: str) -> None:
    raise ArgumentError("path", f"{name} is not a number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ArgumentError("path", f"{text:.40} is too large")
    return value
