"""Folders are replaced completely or not at all, and what killed processes left behind is cleared."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gene_gcn.storage import atomic_folder
from gene_gcn.storage.atomic_folder import replace_folder, restore_previous

OLD, NEW = {"a": b"old", "b": b"same"}, {"a": b"new", "b": b"same"}


@pytest.fixture
def target(tmp_path) -> Path:
    replace_folder(tmp_path / "target", OLD, lambda: None)
    return tmp_path / "target"


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_folder_is_replaced(target, tmp_path):
    replace_folder(target, NEW, lambda: None)
    replace_folder(tmp_path / "deep" / "er", NEW, lambda: None)
    assert contents_of(target) == contents_of(tmp_path / "deep" / "er") == NEW
    assert files_in(tmp_path) == ["deep", "target"] and files_in(tmp_path / "deep") == ["er"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["_write_to_disk", "_sync_folder", "check", "rename 1", "rename 2"])
def test_previous_folder_survives_a_failure_at_any_step(target, tmp_path, monkeypatch, step, error):
    """`rename 1` moves the old folder aside, `rename 2` moves the new one into its place."""
    calls = {"rename": 0}
    rename = Path.rename

    def fail(*args):
        raise error

    def fail_at_rename(self, target):
        calls["rename"] += 1
        if calls["rename"] == int(step[-1]):
            raise error
        return rename(self, target)

    with monkeypatch.context() as patch:
        if step.startswith("rename"):
            patch.setattr(Path, "rename", fail_at_rename)
        elif step != "check":
            patch.setattr(atomic_folder, step, fail)
        with pytest.raises(type(error)):
            replace_folder(target, NEW, fail if step == "check" else lambda: None)
    assert contents_of(target) == OLD and files_in(tmp_path) == ["target"]


def test_full_disk(small_disk):
    replace_folder(small_disk / "target", OLD, lambda: None)
    with pytest.raises(OSError, match=r"(No space left on device|File too large), so nothing was written"):
        replace_folder(small_disk / "target", {"a": bytes(2**21)}, lambda: None)
    assert contents_of(small_disk / "target") == OLD and files_in(small_disk) == ["target"]


WRITER = """
import sys, time
from pathlib import Path
from gene_gcn.storage import atomic_folder
atomic_folder._sync_folder = lambda folder: (print("ready", flush=True), time.sleep(60))
atomic_folder.replace_folder(Path(sys.argv[1]), {"a": bytes(100_000)}, lambda: None)
"""


def start_writer(target: Path) -> subprocess.Popen:
    """Start a process that waits after its files are on disk, before anything is renamed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(target)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdout.readline().strip() == "ready"
    return process


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL] if os.name == "posix" else [])
def test_process_that_is_stopped_while_writing(target, tmp_path, sent):
    process = start_writer(target)
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode != 0 and contents_of(target) == OLD
    if sent == signal.SIGINT:
        assert files_in(tmp_path) == ["target"]
    replace_folder(target, NEW, lambda: None)  # leftovers of a killed process do no harm
    assert contents_of(target) == NEW and files_in(tmp_path) == ["target"]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere only old folders are deleted")
def test_leftovers_of_killed_processes_are_cleared_but_not_those_of_running_ones(target, tmp_path):
    running, killed = start_writer(target), start_writer(target)
    killed.kill()
    killed.communicate(timeout=60)
    assert len(files_in(tmp_path)) == 3
    other = tmp_path / ".target.old-notes"
    other.mkdir()
    (other / "notes.txt").write_text("precious")
    replace_folder(target, NEW, lambda: None)
    assert len(files_in(tmp_path)) == 3 and (other / "notes.txt").exists()
    running.kill()
    running.communicate(timeout=60)
    replace_folder(target, OLD, lambda: None)
    assert files_in(tmp_path) == [".target.old-notes", "target"] and contents_of(target) == OLD


def test_previous_folder_is_put_back_after_a_kill_between_the_renames(target, tmp_path):
    target.rename(target.with_name(".target.old-1234abcd"))
    restore_previous(target, ["a"])  # it has other files
    assert not target.exists()
    restore_previous(target, ["a", "b", "c"])
    assert contents_of(target) == OLD and files_in(tmp_path) == ["target"]
