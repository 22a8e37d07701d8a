"""Model folders: equal to the bit after loading, written completely or not at all, and damage is reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from gene_gcn.errors import ArgumentError
from gene_gcn.storage import model_folder
from gene_gcn.storage.model_folder import FORMAT_VERSION, TensorSpec, read_model, write_model

CONFIG = {"classes": ["B", "T é"], "depth": 1234.5, "n": 3, "layer": None, "nested": {"on": True}}
TENSORS = {"weight": np.array([[0.1, -2.0], [np.inf, np.nan]], np.float32), "mask": torch.tensor([True])}


@pytest.fixture
def model(tmp_path) -> Path:
    write_model(tmp_path / "model", CONFIG, TENSORS)
    return tmp_path / "model"


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def same_bits(a, b) -> bool:
    a, b = (v.numpy() if isinstance(v, torch.Tensor) else v for v in (a, b))
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


# ---- round trip ----


def test_round_trip_leaves_no_other_files(model, tmp_path):
    config, tensors = read_model(model)
    assert config == CONFIG
    assert tensors.keys() == TENSORS.keys() and all(same_bits(tensors[k], TENSORS[k]) for k in TENSORS)
    assert files_in(model) == ["config.json", "manifest.json", "model.safetensors"] and files_in(
        tmp_path
    ) == ["model"]


@pytest.mark.parametrize(
    "value",
    [
        np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32).T,
        np.arange(24).reshape(2, 3, 4)[:, ::-1, ::2],
        np.arange(4, dtype=">i4"),
        torch.arange(12, dtype=torch.float64).reshape(3, 4).t(),
        torch.tensor(3),
        torch.zeros(0, 4),
        torch.randn(3, requires_grad=True),
        torch.tensor([1.5, 2.5], dtype=torch.bfloat16),
        np.array([True, False]),
    ],
    ids=["transposed", "strided", "big endian", "tensor", "scalar", "empty", "parameter", "bfloat16", "bool"],
)
def test_round_trip_of_any_layout_and_dtype(tmp_path, value):
    write_model(tmp_path / "m", {}, {"a": value})
    back = read_model(tmp_path / "m")[1]["a"]
    if isinstance(value, torch.Tensor):
        assert back.dtype == value.dtype and torch.equal(back, value.detach())
    else:
        assert same_bits(back, value.astype(value.dtype.newbyteorder("=")))


def test_shared_memory_and_read_only_arrays(tmp_path):
    shared = torch.arange(6.0)
    fixed = np.arange(3.0)
    fixed.setflags(write=False)
    write_model(tmp_path / "m", {}, {"a": shared, "b": shared, "c": shared[2:], "d": fixed})
    _, tensors = read_model(tmp_path / "m")
    assert torch.equal(tensors["a"], tensors["b"]) and tensors["c"].tolist() == [2, 3, 4, 5]
    assert same_bits(tensors["d"], fixed)


def test_numpy_numbers_become_plain_numbers(tmp_path):
    write_model(tmp_path / "m", {"a": np.int64(3), "b": [np.float32(0.5)], "c": (1, np.bool_(True))}, {})
    assert read_model(tmp_path / "m")[0] == {"a": 3, "b": [0.5], "c": [1, True]}


def test_no_code_is_stored():
    # Neither pickle nor torch.load, which uses it, may be used.
    source = Path(model_folder.__file__).read_text()
    assert "pickle" not in source and "torch.load(" not in source.replace("safetensors_torch.load(", "")


# ---- writing ----


def test_model_is_replaced(model, tmp_path):
    write_model(model, {"new": 1}, {})
    assert read_model(model) == ({"new": 1}, {})
    assert files_in(tmp_path) == ["model"]


def test_parents_are_created_and_empty_folders_are_used(tmp_path, monkeypatch):
    write_model(tmp_path / "a" / "b" / "m", CONFIG, {})
    (tmp_path / "empty").mkdir()
    write_model(tmp_path / "empty", CONFIG, {})
    monkeypatch.chdir(tmp_path)
    write_model("relative/", CONFIG, {})
    for folder in ("a/b/m", "empty", "relative"):
        assert read_model(tmp_path / folder)[0] == CONFIG


def test_link_to_a_model_stays_a_link(model, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(model, target_is_directory=True)
    write_model(link, {"new": 1}, {})
    assert link.is_symlink() and read_model(model)[0] == {"new": 1}


def test_only_models_are_replaced(model, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "results.csv").write_text("precious")
    (tmp_path / "file").write_text("precious")
    (model / "notes.txt").write_text("precious")
    for path, message in [
        ("data", "results.csv"),
        ("file", "is a file"),
        ("model", "notes.txt"),
        ("file/model", "is a file"),
    ]:
        with pytest.raises(ValueError, match=message):
            write_model(tmp_path / path, CONFIG, TENSORS)
    assert (tmp_path / "data" / "results.csv").read_text() == (model / "notes.txt").read_text() == "precious"
    assert read_model(model)[0] == CONFIG and files_in(tmp_path) == ["data", "file", "model"]


@pytest.mark.parametrize(
    ("config", "tensors", "message"),
    [
        ({"a": {1, 2}}, {}, "JSON.*set"),
        ({}, {"a": np.array(["x"])}, "dtype"),
        ({}, {"a": np.array([None])}, "dtype"),
        ({}, {"a": torch.eye(3).to_sparse()}, "sparse"),
    ],
)
def test_unsupported_values_are_refused(model, tmp_path, config, tensors, message):
    with pytest.raises(ValueError, match=message):
        write_model(model, config, tensors)
    assert read_model(model)[0] == CONFIG and files_in(tmp_path) == ["model"]


def test_full_disk(small_disk):
    write_model(small_disk / "model", CONFIG, TENSORS)
    with pytest.raises(OSError, match=r"(No space left on device|File too large), so nothing was written"):
        write_model(small_disk / "model", {"new": 1}, {"big": torch.zeros(2**20)})
    assert read_model(small_disk / "model")[0] == CONFIG and files_in(small_disk) == ["model"]


def test_previous_model_is_put_back_after_a_kill_between_the_renames(model):
    model.rename(model.with_name(".model.old-1234abcd"))
    assert read_model(model)[0] == CONFIG and files_in(model.parent) == ["model"]


@pytest.mark.parametrize("damage", [ArgumentError("contents", "3 is not 4"), KeyError("x")])
def test_contents_that_fail_the_check_are_not_written(model, damage):
    def check(config, specs):
        assert config == {"sizes": [1, 2]} and specs == {"a": TensorSpec("F64", (2, 1))}
        raise damage

    with pytest.raises(type(damage)):
        write_model(model, {"sizes": (1, np.int64(2))}, {"a": np.zeros((2, 1))}, check)
    assert read_model(model)[0] == CONFIG


SAVER = """
import sys, time
import numpy as np
from gene_gcn.storage.model_folder import read_model, write_model
end = time.time() + 2
while time.time() < end:
    if sys.argv[2] == "save":
        write_model(sys.argv[1], {"n": int(sys.argv[3])}, {"x": np.zeros(int(sys.argv[3]))})
    else:
        config, tensors = read_model(sys.argv[1])
        assert config["n"] == len(tensors["x"])
"""


def test_processes_that_save_and_load_one_folder_see_whole_models(tmp_path):
    write_model(tmp_path / "m", {"n": 5}, {"x": np.zeros(5)})
    commands = [("save", "3"), ("save", "4"), ("load", "0"), ("load", "0")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAVER, str(tmp_path / "m"), *c], stderr=subprocess.PIPE, text=True
        )
        for c in commands
    ]
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert files_in(tmp_path) == ["m"]


def test_pipes_in_place_of_files_are_not_waited_for(model):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs pipes")
    (model / "model.safetensors").unlink()
    os.mkfifo(model / "model.safetensors")
    with pytest.raises(ValueError, match="not a regular file"):
        read_model(model)


def test_folder_without_permission(tmp_path):
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("permissions do not bind this user")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="permission"):
            write_model(tmp_path / "m", {}, {})
    finally:
        tmp_path.chmod(0o700)


# ---- reading what is damaged ----


def edit(model: Path, **changes) -> None:
    file = model / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    seal(model)


def seal(model: Path) -> None:
    """Make the manifest fit what the files hold."""
    contents = {name: (model / name).read_bytes() for name in ("config.json", "model.safetensors")}
    (model / "manifest.json").write_bytes(model_folder.manifest_of(contents))


def cut(file: Path, keep: float) -> None:
    file.write_bytes(file.read_bytes()[: int(keep * file.stat().st_size)])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda m: cut(m / "model.safetensors", 0.5), "damaged.*bytes"),
        (lambda m: cut(m / "model.safetensors", 0), "damaged.*0 bytes"),
        (lambda m: flip(m / "model.safetensors"), "SHA-256"),
        (lambda m: cut(m / "config.json", 0.5), "damaged.*bytes"),
        (lambda m: cut(m / "manifest.json", 0.5), "not JSON"),
        (lambda m: (m / "config.json").write_bytes(b"\xff\xfe\x00") and seal(m), "not JSON"),
        (lambda m: (m / "config.json").write_text("[" * 100_000) and seal(m), "not JSON"),
        (lambda m: (m / "config.json").write_text("[1]") and seal(m), "not a gene_gcn model"),
        (lambda m: (m / "config.json").write_text('{"model_type": "bert"}') and seal(m), "not a gene_gcn"),
        (
            lambda m: edit(m, format_version=FORMAT_VERSION + 1, package_version="9.9"),
            "written by gene_gcn 9.9.*pip install",
        ),
        (lambda m: edit(m, format_version=2), "Train the model again"),
        (lambda m: edit(m, format_version="2"), "format_version"),
        (lambda m: edit(m, config=None), "no config"),
        (lambda m: edit(m, config={"a": float("nan")}), "NaN is not a number"),
        (lambda m: flip(m / "manifest.json"), "not JSON"),
    ],
    ids=range(15),
)
def test_damage_is_reported_with_the_path(model, damage, message):
    damage(model)
    with pytest.raises(ValueError, match=message) as caught:
        read_model(model)
    assert str(model) in str(caught.value)


def test_invalid_tensor_file_with_the_right_hash(model):
    data = b"not safetensors"
    (model / "model.safetensors").write_bytes(data)
    seal(model)
    with pytest.raises(ValueError, match="not a safetensors file"):
        read_model(model)


def test_missing_files(model, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(FileNotFoundError, match="no model folder"):
        read_model(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="config.json"):
        read_model(tmp_path / "other")
    (model / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="model.safetensors"):
        read_model(model)
    with pytest.raises(ValueError, match="is a file"):
        read_model(model / "config.json")


def test_writing_is_not_slow(tmp_path):
    start = time.perf_counter()
    write_model(tmp_path / "m", {}, {"a": torch.randn(1_000_000)})
    read_model(tmp_path / "m")
    assert time.perf_counter() - start < 10
