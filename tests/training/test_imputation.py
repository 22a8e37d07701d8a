from __future__ import annotations

import pytest
import torch

from gene_gcn.training.imputation import PPCAImputer


@pytest.fixture(scope="module")
def imputer(cells):
    return PPCAImputer.fit(cells[0])


def test_missing_genes_get_their_expectation(cells, imputer):
    """That of the Gaussian with the covariance of the components, by the formula for dense matrices."""
    X, _ = cells
    x = torch.from_numpy(X.toarray())[:5]
    present = torch.arange(X.shape[1]) % 3 != 0
    imputed = imputer.impute(x * present, present, imputer.encoder(present))
    covariance = imputer.axes @ torch.diag(imputer.variances) @ imputer.axes.T + imputer.noise * torch.eye(
        X.shape[1]
    )
    slopes = covariance[~present][:, present] @ torch.linalg.inv(covariance[present][:, present])
    expected = imputer.mean[~present] + (x - imputer.mean)[:, present] @ slopes.T
    torch.testing.assert_close(imputed[:, present], x[:, present])
    torch.testing.assert_close(imputed[:, ~present], expected, atol=1e-4, rtol=1e-3)


def test_folding_into_a_linear_map_gives_the_map_of_imputed_cells(cells, imputer):
    x = torch.from_numpy(cells[0].toarray())
    present = torch.arange(x.size(1)) % 3 != 0
    weight = torch.rand(x.size(1), 4, generator=torch.Generator().manual_seed(0))
    folded, bias = imputer.fold(weight, present)
    expected = imputer.impute(x * present, present, imputer.encoder(present)) @ weight
    torch.testing.assert_close(x * present @ folded + bias, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        x @ folded + bias, expected, atol=1e-4, rtol=1e-4
    )  # what is missing is not seen
