"""Figures are saved in every format, and importing the package of plots is cheap."""

from __future__ import annotations

import subprocess
import sys

import pytest
from matplotlib.figure import Figure

from gene_gcn.plots import save_figure
from gene_gcn.plots.figure import root_figure


@pytest.mark.parametrize("extension", ["png", "pdf", "svg"])
def test_figures_and_axes_are_saved(tmp_path, extension):
    figure = Figure()
    ax = figure.add_subplot()
    ax.plot([0, 1], [1, 0])
    for i, part in enumerate((ax, figure)):
        save_figure(part, tmp_path / f"{i}.{extension}")
        assert (tmp_path / f"{i}.{extension}").stat().st_size > 2000


def test_axes_of_a_subfigure_belong_to_the_whole_figure():
    figure = Figure()
    ax = figure.subfigures(1, 2)[1].add_subplot()
    assert root_figure(ax) is root_figure(figure) is figure


def test_removed_axes_are_rejected(tmp_path):
    ax = Figure().add_subplot()
    ax.remove()
    with pytest.raises(ValueError, match="removed from its figure"):
        save_figure(ax, tmp_path / "a.png")


def test_importing_plots_loads_nothing_heavy():
    code = (
        "import sys, gene_gcn.plots as plots; dir(plots); "
        "assert not {'numpy', 'pandas', 'scipy', 'matplotlib', 'networkx', 'torch'} & set(sys.modules); "
        "from gene_gcn.plots import confusion_matrix, network, save_figure; "
        "assert not {'matplotlib', 'networkx', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
