"""A baseline on one split: `python external_runner.py METHOD TRAIN.h5ad TEST.h5ad RESULT.npz`.

The cells are log1p CP10k. The interpreter must have the package of the method but need not have this one, so
nothing is imported from it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData

    Predictions = tuple[Any, np.ndarray | None]  # types and probabilities

LABEL = "label"
TOP_GENES = 300  # of each type, CellTypist's default
N_COMPONENTS, N_NEIGHBORS = 50, 15


class Baseline(Protocol):
    """A method that may use the test cells when it is fitted."""

    def fit(self, train: AnnData, test: AnnData) -> None: ...

    def predict(self, test: AnnData) -> Predictions: ...


class CellTypist:
    feature_selection = False

    def fit(self, train: AnnData, test: AnnData) -> None:
        import celltypist
        import numpy as np

        np.random.seed(0)  # noqa: NPY002 - CellTypist selects genes with the global generator
        self.model = celltypist.train(
            train,
            labels=LABEL,
            check_expression=False,
            feature_selection=self.feature_selection,
            top_genes=min(TOP_GENES, int((train.X.getnnz(axis=0) > 0).sum()) - 1),  # fewer than there are
        )

    def predict(self, test: AnnData) -> Predictions:
        import celltypist

        result = celltypist.annotate(test, model=self.model, majority_voting=False)
        return result.predicted_labels["predicted_labels"].to_numpy(), result.probability_matrix.to_numpy()


class SelectiveCellTypist(CellTypist):
    feature_selection = True


class SingleR:
    def fit(self, train: AnnData, test: AnnData) -> None:
        import singler

        self.model = singler.train_single(
            train.X.T,
            train.obs[LABEL].astype(str).tolist(),
            list(train.var_names),
            list(test.var_names),
            marker_method="auc",
            hint_sce=False,
        )

    def predict(self, test: AnnData) -> Predictions:
        import singler

        return singler.classify_single(test.X.T, self.model)["best"], None


class Harmony:
    """k-nearest neighbors on the principal components of both sides, corrected by Harmony."""

    def fit(self, train: AnnData, test: AnnData) -> None:
        import harmonypy
        import numpy as np
        import pandas as pd
        from scipy import sparse
        from sklearn.decomposition import PCA
        from sklearn.neighbors import KNeighborsClassifier

        genes = train.var_names.intersection(test.var_names)
        both = sparse.vstack([train[:, genes].X, test[:, genes].X], "csr")
        components = PCA(min(N_COMPONENTS, min(both.shape) - 1), svd_solver="arpack", random_state=0)
        side = pd.DataFrame({"side": np.repeat(["train", "test"], [train.n_obs, test.n_obs])})
        corrected = harmonypy.run_harmony(components.fit_transform(both), side, ["side"]).Z_corr
        if len(corrected) != both.shape[0]:  # older versions of harmonypy: components × cells
            corrected = corrected.T
        self.query = corrected[train.n_obs :]
        self.model = KNeighborsClassifier(min(N_NEIGHBORS, train.n_obs))
        self.model.fit(corrected[: train.n_obs], train.obs[LABEL].astype(str))

    def predict(self, test: AnnData) -> Predictions:
        probabilities = self.model.predict_proba(self.query)
        return self.model.classes_[probabilities.argmax(axis=1)], probabilities


METHODS: dict[str, type[Baseline]] = {
    "CellTypist": CellTypist,
    "CellTypist, its genes selected": SelectiveCellTypist,
    "SingleR": SingleR,
    "Harmony + k-nearest neighbors": Harmony,
}


def main(method: str, train_path: str, test_path: str, result_path: str) -> None:
    import resource

    import anndata
    import numpy as np

    train, test = anndata.read_h5ad(train_path), anndata.read_h5ad(test_path)
    chosen = METHODS[method]()
    start, cpu_start = time.perf_counter(), time.process_time()
    chosen.fit(train, test)
    fitted = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if sys.platform == "linux" else float("nan")
    predicted, probabilities = chosen.predict(test)
    done, cpu_done = time.perf_counter(), time.process_time()
    nothing = np.empty((len(predicted), 0))
    np.savez(
        result_path,
        predicted=np.asarray(predicted).astype(str),
        probabilities=nothing if probabilities is None else probabilities,
        fit_seconds=fitted - start,
        predict_seconds=done - fitted,
        peak_memory_gb=peak / 2**20,
        cpu_seconds=cpu_done - cpu_start,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
