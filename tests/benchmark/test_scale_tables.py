"""Tables show every run once per axis, what was skipped, and exponents with their errors."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from gene_gcn.benchmark import scale, scale_tables
from gene_gcn.benchmark.scale import METRICS


@pytest.fixture
def results():
    rows = []
    for size in scale.sizes([1000, 2000, 4000], [10, 50], [500]):
        row = {"cells": size.cells, "types": size.types, "genes": size.genes, "method": "m", "error": ""}
        rows.append({**row, **dict.fromkeys(METRICS, size.cells * size.types / 1e4)})
    rows[-1] |= dict.fromkeys(METRICS, np.nan) | {"error": "skipped: needs about 99 GB of memory"}
    return pd.DataFrame(rows)


def test_markdown(results):
    lines = list(scale_tables.markdown(results))
    assert "By cells; 10 types, 500 genes:" in lines and "By types; 1,000 cells, 500 genes:" in lines
    assert "| 2,000 | m | 2.0 | 2.0 | 2.00 | 2.00 | 2.000 |" in lines
    assert "| 50 | m | skipped: needs about 99 GB of memory |  |  |  |  |" in lines
    assert "| cells | m | 3 | 1.00 ± 0.00 | 1.00 ± 0.00 | – | 1.00 ± 0.00 |" in lines
    assert "| types | m | 1 | – | – | – | – |" in lines
    assert not any(line.startswith(("| genes", "By genes")) for line in lines)
    one = list(scale_tables.markdown(results[:1]))
    assert len(one) == 6 and not any("xponent" in line for line in one)


def test_files(results, tmp_path):
    paths = scale_tables.write(results, tmp_path, {"label": "type"})
    assert [path.name for path in paths] == ["scale.csv", "scale.json", "scale.png"]
    assert len(pd.read_csv(paths[0])) == 4 and paths[2].read_bytes().startswith(b"\x89PNG")
    tables = json.loads(paths[1].read_text())
    assert tables["settings"] == {"label": "type"} and len(tables["exponents"]) == 2 * len(scale.COSTS)
    assert tables["exponents"][0]["exponent"] == pytest.approx(1)
    scale_tables.write(results[:1], tmp_path, {})
    assert json.loads(paths[1].read_text())["exponents"] == []
