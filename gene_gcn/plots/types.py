"""How types are named and colored in all figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gene_gcn.cells import UNASSIGNED, is_missing
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.estimators.annotation import UNKNOWN

if TYPE_CHECKING:
    from anndata import AnnData

# The first seven are Petroff's sequence for color vision deficiencies (arXiv:2107.02270), without its grays
# and cyan. The others were chosen one by one, each as far as possible from all before and from the gray of
# cells without a type, with and without deuteranomaly of severity 80 (glasbey 0.4).
PALETTE = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#4d24e7"),
    *("#1c5d59", "#654d00", "#359e8e", "#65497d", "#d2a6ff", "#d2450c", "#207941", "#00f771"),
    *("#006dff", "#826996", "#f7c2ae", "#f38a3d", "#0cc6be", "#41593d", "#4dcaa6", "#aa86c6"),
    *("#047d69", "#2daa75", "#3debf3", "#825db6", "#31aa41", "#8e9eff", "#208e28", "#7d10df"),
)
NO_TYPE = (UNKNOWN, UNASSIGNED)  # drawn last, in gray
NO_TYPE_COLOR = "#cdd2d8"


def obs_column(adata: AnnData, name: str, argument: str) -> pd.Series:
    """Return a column of `obs`, or say which columns there are and how to get that of `annotate`."""
    if name in adata.obs:
        return adata.obs[name]
    text = f" is not a column of adata.obs, which has {', '.join(map(repr, adata.obs.columns)) or 'none'}. "
    remedy = "clf.annotate(adata) writes 'gene_gcn' and 'gene_gcn_confidence'."
    raise ArgumentError(argument, Argument(argument, name), text, remedy)


def as_types(labels: pd.Series | np.ndarray) -> np.ndarray:
    """Return labels as text (B,); missing ones are "unassigned"."""
    values = np.asarray(labels, dtype=object)
    types = np.array([str(label) for label in values], dtype=object)
    types[is_missing(values)] = UNASSIGNED
    return types


def ordered_types(labels: pd.Series | np.ndarray) -> list[str]:
    """Return the types that cells have, in the order of the categories or sorted; "unknown" comes last."""
    present = set(as_types(labels))
    if isinstance(getattr(labels, "dtype", None), pd.CategoricalDtype):
        order = [str(category) for category in labels.cat.categories]  # type: ignore[union-attr]
    else:
        order = sorted(present)
    return [
        *(name for name in order if name in present and name not in NO_TYPE),
        *(name for name in NO_TYPE if name in present),
    ]


def type_colors(names: Sequence[str]) -> dict[str, str]:
    """Return a color for each type; after as many as there are in `PALETTE`, they repeat."""
    with_type = [name for name in names if name not in NO_TYPE]
    colors = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(with_type)}
    return colors | {name: NO_TYPE_COLOR for name in names if name in NO_TYPE}


def legible(color: str) -> tuple[float, float, float]:
    """Return a color darkened until text of it on white has a contrast of 4.5, as WCAG 2.1 asks for."""
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(color))
    while _luminance(rgb) > 1.05 / 4.5 - 0.05:
        rgb = 0.95 * rgb
    return tuple(rgb)


def _luminance(rgb: np.ndarray) -> float:
    """Return the relative luminance of an sRGB color, 0 to 1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
