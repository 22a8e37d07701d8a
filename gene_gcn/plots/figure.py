"""What all figures share; they do without pyplot, so no window opens and no other figure is changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gene_gcn.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#1f2933", "#7b8794"  # colors of text, and of less important text and lines
WHITE_TO_BLUE = ["#ffffff", "#d9ebf2", "#9ccadb", "#4a9bb8", "#1d6a8c", "#0b3c5d"]  # also dark in gray print


def save_figure(figure: Figure | Axes, path: str | os.PathLike[str], *, dpi: int = 150) -> None:
    """Write a figure to a file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or any of its axes.
    path : str or path-like
        The file; its extension (png, pdf, svg) sets the format.
    dpi : int
        Resolution in pixels per inch.
    """
    root_figure(figure).savefig(path, dpi=dpi, facecolor="white", bbox_inches="tight")


def root_figure(figure: Figure | Axes) -> Figure:
    """Return the figure itself, or the one that an Axes belongs to."""
    root = figure.get_figure(root=True)
    if root is None:
        raise ArgumentError(
            "figure", "figure is an Axes that was removed from its figure; pass the figure itself."
        )
    return root
