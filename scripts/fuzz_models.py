"""Damage saved models at random and report how many of them load: none may, unless it predicts as it should.

Half of the mutants have files that no longer fit the manifest: all of these must be refused. The other half
have nonsense under a manifest that fits: these must be refused too, or predict finite probabilities.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import torch as safetensors_torch

from gene_gcn import GeneGCNClassifier
from gene_gcn.storage.model_folder import CONFIG_FILE, FILES, MANIFEST_FILE, TENSOR_FILE, manifest_of

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 5, 2.5, 40_000_000, 10**12, 10**30, -(10**18), 1e300, float("nan")),
    *(float("inf"), "", "x", "<U5", "O", "V8", "sqrt", "none", "ß/\ud800", [], {}, [1], ["a", "a"], {"a": 1}),
    *([[]], [None], "0" * 1000, [10**9], [1] * 1000),
)
DTYPES = (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.bool, torch.complex64)


def example_cells() -> tuple[pd.DataFrame, list[str]]:
    """Return 60 cells of 40 genes and their types."""
    rng = np.random.default_rng(0)
    types = np.arange(60) % 3
    counts = rng.poisson(rng.gamma(0.6, 2, (3, 40))[types])
    return pd.DataFrame(counts, columns=[f"GENE{i}" for i in range(40)]), [f"type{i}" for i in types]


def save_examples(folder: Path) -> list[Path]:
    """Save an exactly fitted model with a hierarchy, one with a network, and one with all layers."""
    cells, types = example_cells()
    deep = {"attention": "embedded_dot", "heads": 2, "learn_mixing": True, "channels": 2}
    small = {"hidden_channels": (8,), "max_epochs": 1, "batch_size": 32}
    paths = []
    for name, parameters in {
        "exact": {},
        "network": {"network": "coexpression"},
        "deep": {"network": "coexpression", **deep, **small},
    }.items():
        parents = {"type0": "group", "type1": "group", "type2": []} if name == "exact" else None
        clf = GeneGCNClassifier(random_state=0, **parameters).fit(cells, types, parents=parents)
        clf.save(folder / name)
        paths.append(folder / name)
    return paths


def mutate(model: Path, others: list[Path], target: Path, rng: np.random.Generator, sealed: bool) -> str:
    """Write a damaged copy of a model to `target` and return what was done."""
    shutil.copytree(model, target)
    what = _change_contents(target, rng) if sealed else _change_bytes(target, others, rng)
    return f"{model.name}, {'sealed' if sealed else 'raw'}: {what}"


def outcome(target: Path, cells: pd.DataFrame, sealed: bool) -> str:
    """Load a mutant and return "refused", "predicts finitely", "WRONG LOAD…" or "FOREIGN…"."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            loaded = GeneGCNClassifier.load(target)
            if not sealed:
                return "WRONG LOAD"
            for query in (cells, cells.iloc[:, ::-2]):
                probability = loaded.predict_proba(query)
                if not np.isfinite(probability).all():
                    return "WRONG LOAD: predicts NaN"
        return "predicts finitely"
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        known = isinstance(error, (ValueError, FileNotFoundError)) and "gene_gcn" in frame.filename
        return "refused" if known else f"FOREIGN {type(error).__name__}: {error!s:.200}"


def fuzz(folder: Path, count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield what was done to each mutant, and its outcome."""
    rng = np.random.default_rng(seed)
    cells, _ = example_cells()
    models = save_examples(folder)
    for number in range(count):
        model, sealed = models[number % len(models)], number % 2 == 1
        target = folder / "mutant"
        what = mutate(model, [other for other in models if other != model], target, rng, sealed)
        unchanged = all(
            (target / name).is_file() and (target / name).read_bytes() == (model / name).read_bytes()
            for name in FILES
        )
        if not unchanged:
            yield what, outcome(target, cells, sealed)
        shutil.rmtree(target)


def _change_bytes(target: Path, others: list[Path], rng: np.random.Generator) -> str:
    name = str(rng.choice(FILES))
    file, kind = target / name, int(rng.integers(7))
    data = bytearray(file.read_bytes())
    at = int(rng.integers(len(data)))
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data = data[:at]
    elif kind == 2:
        data[at:at] = rng.bytes(int(rng.integers(1, 20)))
    elif kind == 3:
        del data[at : at + int(rng.integers(1, 50))]
    elif kind == 4:
        data = bytearray((others[int(rng.integers(len(others)))] / name).read_bytes())
    elif kind == 5:
        file.unlink()
        return f"{name} removed"
    else:
        data = bytearray((target / str(rng.choice([f for f in FILES if f != name]))).read_bytes())
    file.write_bytes(data)
    return f"{name}, change {kind} at {at}"


def _change_contents(target: Path, rng: np.random.Generator) -> str:
    document = json.loads((target / CONFIG_FILE).read_text())
    tensors = safetensors_torch.load((target / TENSOR_FILE).read_bytes())
    what = _change_json(document, rng) if rng.random() < 0.6 else _change_tensors(tensors, rng)
    contents = {
        CONFIG_FILE: json.dumps(document).encode(),
        TENSOR_FILE: safetensors_torch.save({name: value.contiguous() for name, value in tensors.items()}),
    }
    for name, data in contents.items():
        (target / name).write_bytes(data)
    (target / MANIFEST_FILE).write_bytes(manifest_of(contents))
    return what


def _change_json(document: Any, rng: np.random.Generator) -> str:
    place, path = document, []
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[int(rng.integers(len(keys)))]
        path.append(str(key))
        if isinstance(place[key], (dict, list)) and len(place[key]) and rng.random() < 0.85:
            place = place[key]
            continue
        break
    kind = int(rng.integers(4))
    if kind == 0:
        del place[key]
    elif kind == 1 and isinstance(place, dict):
        place[f"{key}2"] = place[key]
    elif kind == 1:
        place.append(place[key])
    elif kind == 2 and isinstance(place, list):
        place.reverse()
    else:
        place[key] = VALUES[int(rng.integers(len(VALUES)))]
        return f"{'.'.join(path)} = {place[key]!r:.40}"
    return f"{'.'.join(path)}, change {kind}"


def _change_tensors(tensors: dict[str, torch.Tensor], rng: np.random.Generator) -> str:
    name = sorted(tensors)[int(rng.integers(len(tensors)))]
    value, kind = tensors[name], int(rng.integers(8))
    if kind == 0:
        del tensors[name]
    elif kind == 1:
        tensors[name + "x" * int(rng.integers(2)) if rng.random() < 0.5 else "z.y"] = torch.ones(1)
    elif kind == 2:
        tensors[name] = value.to(DTYPES[int(rng.integers(len(DTYPES)))])
    elif kind == 3:
        tensors[name] = value[..., None] if value.dim() == 0 else value[int(value.shape[0] > 1) :]
    elif kind == 4:
        tensors[name] = value.t().clone() if value.dim() == 2 else value[None]
    elif kind == 5:
        other = sorted(tensors)[int(rng.integers(len(tensors)))]
        tensors[name], tensors[other] = tensors[other], value
    else:
        flat = value.clone().reshape(-1)
        if flat.is_floating_point():
            extremes = (float("nan"), float("inf"), -1.0, 0.0, 1e38, -1e20, 1e14, 1e-38)
            number: float = extremes[int(rng.integers(8))]
        else:
            number = (-1, 10**9, 0)[int(rng.integers(3))]
        flat[int(rng.integers(len(flat))) if kind == 6 else slice(None)] = number
        tensors[name] = flat.reshape(value.shape)
        return f"{name} = {number}"
    return f"{name}, change {kind}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=2400, help="number of mutants")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for what, result in fuzz(Path(folder), arguments.count, arguments.seed):
            counts[result.partition(" ")[0]] += 1
            if result[0] in "WF":
                print(f"{what}: {result}")
    print(
        f"{counts.total():,} mutants: {counts['refused']:,} refused, {counts['predicts']:,} predict "
        f"finitely, {counts['WRONG']} wrong loads, {counts['FOREIGN']} foreign exceptions"
    )
    sys.exit(bool(counts["WRONG"] + counts["FOREIGN"]))


if __name__ == "__main__":
    main()
