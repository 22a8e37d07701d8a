"""Files for the command line, and its errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import GENES, make_cells, run, train


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Files that no test changes: cells, a network, and a model trained on them."""
    folder = tmp_path_factory.mktemp("cli")
    make_cells(0).write_h5ad(folder / "train.h5ad")
    make_cells(1).write_h5ad(folder / "query.h5ad")
    make_cells(1).to_df().to_csv(folder / "query.csv")
    edges = [f"{GENES[i]}\t{GENES[i + 1]}\t{i + 1}" for i in range(20)]
    (folder / "edges.tsv").write_text("\n".join(edges))
    (folder / "foreign").mkdir()
    (folder / "foreign" / "config.json").write_text('{"model_type": "bert"}')
    (folder / "notes.txt").write_text("precious")
    assert train(folder, "model", "--network", folder / "edges.tsv") == 0
    return folder


@pytest.fixture
def error_of(capsys) -> Callable[..., str]:
    """Run the command line with a mistake and return the one line on stderr."""

    def run_with_mistake(*arguments: str | Path) -> str:
        capsys.readouterr()
        assert run(*arguments) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
        assert len(lines) == 1 and lines[0].startswith("gene-gcn: error: "), lines
        return lines[0]

    return run_with_mistake
