"""Two annotations are the same run if model, files, options and blocks are the same."""

from __future__ import annotations

import os

import anndata as ad
import pytest
from stored_cells import Rows, typed_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import open_cells
from gene_gcn.errors import ArgumentError
from gene_gcn.estimators.query_run import describe_run


@pytest.mark.parametrize("parameters", [{}, {"optimizer": "sgd", "max_epochs": 1}])
def test_models_are_told_apart_and_known_again(tmp_path, parameters):
    clf = GeneGCNClassifier(random_state=0, **parameters).fit(typed_cells(), "cell_type")
    clf.save(tmp_path / "model")
    assert GeneGCNClassifier.load(tmp_path / "model")._digest() == clf._digest()
    other = GeneGCNClassifier(random_state=0, **parameters).fit(typed_cells(seed=1), "cell_type")
    assert other._digest() != clf._digest()


def test_files_are_told_apart(tmp_path):
    path = tmp_path / "a.h5ad"
    typed_cells().write_h5ad(path)

    def run(X=path, **options):
        return describe_run(open_cells(X), "digest", options)

    first = run(alpha=0.1)
    assert run(alpha=0.1) == first != run(alpha=0.2)
    stored = ad.read_h5ad(path, backed="r")
    assert run(stored, alpha=0.1) == first
    assert run(stored[:300])["files"] != run(stored[300:])["files"]
    os.utime(path, (1, 1))
    assert run(alpha=0.1)["files"] != first["files"]
    for X in (Rows(typed_cells().X), Rows(typed_cells().X, typed_cells().var_names)):
        with pytest.raises(
            ArgumentError, match="checkpoint= needs cells in files, but these are in the Rows"
        ):
            run(X)
