"""Files are replaced completely or not at all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.atomic import replacing


def write_half(target):
    with replacing(target) as file:
        file.write_text("half")
        raise KeyboardInterrupt


def test_file_is_replaced_completely_or_not_at_all(tmp_path):
    target = tmp_path / "new" / "a.csv"
    with replacing(target) as file:
        assert file.suffix == ".csv" and file.parent == target.parent
        file.write_text("first")
    with pytest.raises(KeyboardInterrupt):
        write_half(target)
    assert target.read_text() == "first" and [p.name for p in target.parent.iterdir()] == ["a.csv"]


@pytest.mark.skipif(os.name != "posix", reason="needs special files")
@pytest.mark.parametrize("through_link", [False, True])
@pytest.mark.parametrize("kind", ["a pipe", "a socket", "a folder", "a device"])
def test_only_regular_files_are_replaced(tmp_path, kind, through_link):
    special = tmp_path / "special"
    if kind == "a pipe":
        os.mkfifo(special)
    elif kind == "a socket":
        socket.socket(socket.AF_UNIX).bind(os.path.relpath(special))
    elif kind == "a folder":
        special.mkdir()
    else:
        special.symlink_to(os.devnull)
    path = tmp_path / "link" if through_link else special
    if through_link:
        path.symlink_to(special)
    before = special.stat().st_mode
    with pytest.raises(ArgumentError, match=f"{kind}, which is not replaced"), replacing(path):
        pytest.fail("must be refused before anything is written")
    assert special.stat().st_mode == before


def test_link_that_leads_to_itself_is_refused(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(ArgumentError, match="leads back to itself"), replacing(tmp_path / "a"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="elsewhere only old files are deleted")
def test_leftovers_of_killed_processes_are_deleted(tmp_path):
    code = """
import os, sys
from gene_gcn.storage.atomic import replacing
with replacing(sys.argv[1]) as file:
    file.write_text("half")
    os._exit(1)
"""
    target = tmp_path / "a.csv"
    subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with replacing(target) as outer, replacing(target) as inner:  # neither deletes that of the other
        outer.write_text("whole")
        inner.write_text("whole")
        assert len(list(tmp_path.iterdir())) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
