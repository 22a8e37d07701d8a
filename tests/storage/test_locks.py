"""Folders are locked by one process at a time, and free again when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from gene_gcn.storage import atomic, locks
from gene_gcn.storage.locks import is_in_use, locked

HOLDER = """
import sys, time
from pathlib import Path
from gene_gcn.storage.locks import locked
with locked(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(60)
"""

needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="needs locks on folders")


@needs_locks
def test_lock_ends_with_its_process_and_leaves_no_file(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"ready"
    assert is_in_use(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    assert not is_in_use(tmp_path) and not list(tmp_path.iterdir())


@needs_locks
def test_one_waits_for_the_other(tmp_path):
    events = []

    def wait():
        with locked(tmp_path) as is_locked:
            events.append(("second", is_locked))

    with locked(tmp_path) as is_locked:
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        events.append(("first", is_locked))
    thread.join(60)
    assert events == [("first", True), ("second", True)]


@needs_locks
def test_waiting_ends_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    message = "another process has been writing to it for 0 seconds; try again later"
    with locked(tmp_path), pytest.raises(OSError, match=message), locked(tmp_path):
        pytest.fail("must not be locked twice")


def test_without_locks_work_goes_on_and_age_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with locked(tmp_path) as is_locked:
        assert not is_locked
    assert is_in_use(tmp_path)
    long_ago = time.time() - atomic.ABANDONED_AFTER - 60
    os.utime(tmp_path, (long_ago, long_ago))
    assert not is_in_use(tmp_path)


def test_folder_that_does_not_exist_is_not_locked(tmp_path):
    with locked(tmp_path / "absent") as is_locked:
        assert not is_locked
