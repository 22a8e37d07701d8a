"""`CellEstimator`: what the classifier and the embedding share of scikit-learn's contract."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from gene_gcn.cells.expression import Expression, is_anndata, read_expression
from gene_gcn.training.gradient import choose_device


class CellEstimator(BaseEstimator):
    """An estimator whose X is cells: an AnnData, read as `layer`, `use_raw` and `gene_column` say, or a matrix."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _read(self, X) -> Expression:
        if is_anndata(X):
            return read_expression(X, self.layer, self.use_raw, self.gene_column)
        return read_expression(X)

    def _read_training(self, X) -> Expression:
        """Sets `n_features_in_` and `feature_names_in_`."""
        expression = self._read(X)
        if is_anndata(X):
            self.n_features_in_ = expression.X.shape[1]
            vars(self).pop("feature_names_in_", None)
        else:
            validate_data(self, X, skip_check_array=True)
        return expression

    def _read_query(self, X) -> Expression:
        check_is_fitted(self)
        expression = self._read(X)
        if not is_anndata(X) and (expression.genes is None or self.genes_ is None):
            validate_data(self, X, reset=False, skip_check_array=True)
        return expression

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _refuse(self, name: str, remedy: str) -> None:
        raise ValueError(f"{name}={getattr(self, name)!r} {remedy}.")

    def _check_whole_numbers(self, *names: str, least: int = 1) -> None:
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < least:
                self._refuse(name, f"must be a whole number, {least} or more")

    def check_parameters(self) -> None:
        """Refuse parameters out of their range (ValueError), as `fit` does before it reads any cells."""
        self._check_whole_numbers("batch_size", "max_epochs", "patience")
        if not 0 <= self.validation_fraction < 1:
            self._refuse("validation_fraction", "must be at least 0 and below 1")
        choose_device(self.device)
