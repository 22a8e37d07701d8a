"""Networks that were read from files of the cache, kept there for the next call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gene_gcn.errors import StorageWarning, warn
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.storage import cache

# To be raised whenever a parser reads a network differently, so that no network of the old one is used.
PARSERS = 1


def get_network(
    name: str, parameters: Mapping[str, Any], files: Sequence[Path], build: Callable[[], GeneNetwork]
) -> GeneNetwork:
    """Return the network read from files of the cache, from what was kept of the last time if possible.

    It is kept under a key of the SHA-256 of the files, the parameters and :data:`PARSERS`, and compared with
    its own ``content_hash`` when it is used; one that is damaged is read from the files again.

    Parameters
    ----------
    name
        Path in the cache folder, with ``/``, to which the key and the ending are added.
    parameters
        What the network depends on besides `files`; fit for JSON.
    files
        Paths that :func:`gene_gcn.storage.cache.get_file` returned.
    build
        Reads the network.
    """
    hashes = [cache.get_record(file)["sha256"] for file in files]
    key = cache.sha256_of_json([PARSERS, dict(parameters), hashes])[:12]
    path = cache.cache_folder() / f"{name}.{key}{cache.NETWORK}"
    if (network := _load(path)) is not None:
        return network
    network = build()
    try:
        _save(network, path)
    except OSError as error:  # the network is there all the same
        warn(StorageWarning(f"The network is not kept for the next call: {error}"))
    return network


def _save(network: GeneNetwork, path: Path) -> None:
    from safetensors.numpy import save

    values = {**network.to_dict(), "content_hash": network.content_hash, "date": cache.now()}
    metadata = {"gene_gcn": json.dumps(values), "genes": json.dumps(network.genes)}
    with cache.writing(path) as temporary:
        temporary.write_bytes(save(network.arrays(), metadata))


def _load(path: Path) -> GeneNetwork | None:
    """Return the network of a file; None where there is none, or not as it was written."""
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
