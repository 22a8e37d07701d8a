"""Files are replaced completely or not at all."""

from __future__ import annotations

import pytest

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
