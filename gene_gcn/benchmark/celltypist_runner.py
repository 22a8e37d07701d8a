"""CellTypist on one split: `python celltypist_runner.py TRAIN.h5ad TEST.h5ad RESULT.npz FEATURE_SELECTION`.

The interpreter must have CellTypist but need not have this package, so nothing is imported from it.
"""

from __future__ import annotations

import sys
import time

LABEL = "label"


def main(train_path: str, test_path: str, result_path: str, feature_selection: str) -> None:
    import resource

    import anndata
    import celltypist
    import numpy as np
    import scanpy

    def normalize(cells: anndata.AnnData) -> None:
        scanpy.pp.normalize_total(cells, target_sum=1e4)
        scanpy.pp.log1p(cells)

    train, test = anndata.read_h5ad(train_path), anndata.read_h5ad(test_path)
    np.random.seed(0)  # noqa: NPY002 - CellTypist selects genes with the global generator
    start = time.perf_counter()
    normalize(train)
    model = celltypist.train(
        train, labels=LABEL, check_expression=False, feature_selection=bool(int(feature_selection))
    )
    fitted = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if sys.platform == "linux" else float("nan")
    start_of_test = time.perf_counter()
    normalize(test)
    result = celltypist.annotate(test, model=model, majority_voting=False)
    done = time.perf_counter()
    np.savez(
        result_path,
        predicted=result.predicted_labels["predicted_labels"].to_numpy().astype(str),
        probabilities=result.probability_matrix.to_numpy(),
        fit_seconds=fitted - start,
        predict_seconds=done - start_of_test,
        peak_memory_gb=peak / 2**20,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
