"""Finished blocks in a folder: whole ones count, others' are refused."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.partial_results import PartialResults, num_finished, partial_folder, remove_partial

RUN = {"model": "a", "options": {"alpha": 0.1, "over": None}, "block sizes": (3,)}
ARRAYS = {"probability": np.eye(3, dtype=np.float32)[:, ::-1], "is_empty": np.array([True, False, True])}


def test_blocks_come_back(tmp_path):
    folder = partial_folder(tmp_path / "p.csv")
    assert folder == tmp_path / "p.csv.partial" and num_finished(folder) == 0
    with PartialResults.open(folder, RUN) as results:
        assert 0 not in results
        results[12] = ARRAYS
    with PartialResults.open(folder, RUN) as results:
        assert 12 in results and 0 not in results
        back = results[12]
    assert back.keys() == ARRAYS.keys() and num_finished(folder) == 1
    for name, values in ARRAYS.items():
        assert back[name].dtype == values.dtype
        np.testing.assert_array_equal(back[name], values)
    with pytest.raises(KeyError), PartialResults.open(folder, RUN) as results:
        results[0]


@pytest.mark.parametrize("damage", [b"", b"text", "half"])
def test_damaged_blocks_are_missing(tmp_path, damage):
    with PartialResults.open(tmp_path / "a", RUN) as results:
        results[0] = ARRAYS
        file = tmp_path / "a" / "block-000000.safetensors"
        whole = file.read_bytes()
        file.write_bytes(whole[:-5] if damage == "half" else damage)
        assert 0 not in results
        results[0] = ARRAYS
        assert 0 in results and file.read_bytes() == whole


def test_other_runs_are_refused_by_what_differs(tmp_path):
    with PartialResults.open(tmp_path / "a", RUN) as results:
        results[0] = ARRAYS
    for other, words in [
        (RUN | {"model": "b"}, "with other model; delete that folder to start anew"),
        (RUN | {"model": "b", "options": {}}, "with other model and options;"),
        ({"model": "a"}, "with other settings;"),
    ]:
        with pytest.raises(ArgumentError, match=words), PartialResults.open(tmp_path / "a", other):
            pass
    for content in ("[1]", "{", "3"):
        (tmp_path / "a" / "run.json").write_text(content)
        with (
            pytest.raises(ArgumentError, match="is not a folder of partial results"),
            PartialResults.open(tmp_path / "a", RUN),
        ):
            pass


def test_runs_without_a_finished_block_leave_nothing(tmp_path):
    folder = tmp_path / "a"
    with pytest.raises(KeyboardInterrupt), PartialResults.open(folder, RUN):
        raise KeyboardInterrupt
    assert not folder.exists()
    folder.mkdir()
    (folder / "run.json").write_text("of a run that was killed")
    with PartialResults.open(folder, RUN) as results:
        results[0] = ARRAYS
    with PartialResults.open(folder, RUN) as results:
        assert 0 in results
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").write_text("precious")
    with (
        pytest.raises(ArgumentError, match="is not a folder of partial results"),
        PartialResults.open(tmp_path / "b", RUN),
    ):
        pass
    assert (tmp_path / "b" / "notes.txt").exists()


def test_two_processes_do_not_share_a_folder(tmp_path, python):
    with PartialResults.open(tmp_path / "a", RUN):
        other = python(
            "from gene_gcn.storage.partial_results import PartialResults\n"
            f"with PartialResults.open({str(tmp_path / 'a')!r}, {RUN!r}): pass"
        )
        _, error = other.communicate(timeout=60)
    assert other.returncode == 1 and "Another process is writing to" in error


def test_what_is_of_others_stays(tmp_path):
    folder = tmp_path / "a"
    with PartialResults.open(folder, RUN) as results:
        results[0] = ARRAYS
    (folder / ".0a1b2c3d-block-000001.safetensors").write_bytes(b"of a process that was killed")
    (folder / "notes.txt").write_text("precious")
    remove_partial(folder)
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    remove_partial(folder)
    assert not folder.exists()
    remove_partial(folder)
