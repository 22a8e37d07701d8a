"""What the pictures share. They are made without pyplot: no window opens, no figure of the user's changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#1f2933", "#7b8794"


def save_figure(figure: Figure | Axes, path: str | os.PathLike[str], *, dpi: int = 150) -> None:
    """Write a figure, or that of an Axes, to a file; its ending (png, pdf, svg) says in which format."""
    figure = getattr(figure, "figure", None) or figure
    figure.savefig(path, dpi=dpi, facecolor="white", bbox_inches="tight")
