"""Networks read from files of the cache, stored there for the next call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gene_gcn.errors import StorageWarning, warn
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.storage import cache

# Increase this whenever a parser or the format changes, so that networks stored before are not used.
PARSERS = 3


def get_network(
    name: str, parameters: Mapping[str, Any], files: Sequence[Path], build: Callable[[], GeneNetwork]
) -> GeneNetwork:
    """Return the network read from files of the cache, from its stored copy if there is one.

    The copy is stored under a key made of the SHA-256 of the files, the parameters and :data:`PARSERS`. Its
    ``content_hash`` is verified when it is loaded; if it is damaged, the network is built again.

    Parameters
    ----------
    name : str
        Path in the cache folder, with ``/``, to which the key and the file ending are added.
    parameters : mapping
        What the network depends on besides `files`, in a form that JSON can represent.
    files : sequence of Path
        Paths that :func:`gene_gcn.storage.cache.get_file` returned.
    build : callable
        Reads the network. If it raises an ArgumentError about a file, `files` are removed from the cache.

    Returns
    -------
    GeneNetwork

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    hashes = [cache.require_record(file)["sha256"] for file in files]
    key = cache.sha256_of_json([PARSERS, dict(parameters), hashes])[:12]
    path = cache.cache_folder() / f"{name}.{key}{cache.NETWORK_SUFFIX}"
    if (network := _load(path)) is not None:
        return network
    with cache.discarding(*files):
        network = build()
    try:
        _save(network, path)
    except OSError as error:  # the network itself is fine
        warn(StorageWarning(f"The network is not stored for the next call: {error}"))
    return network


def _save(network: GeneNetwork, path: Path) -> None:
    from safetensors.numpy import save

    values = {**network.to_dict(), "content_hash": network.content_hash, "date": cache.now()}
    metadata = {"gene_gcn": json.dumps(values), "genes": json.dumps(network.genes)}
    with cache.writing(path) as temporary:
        temporary.write_bytes(save(network.arrays(), metadata))


def _load(path: Path) -> GeneNetwork | None:
    """Return a stored network, or None if it is absent or damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        values = json.loads(metadata["gene_gcn"])
        network = GeneNetwork.from_dict(json.loads(metadata["genes"]), values, arrays)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return network if network.content_hash == values["content_hash"] else None
