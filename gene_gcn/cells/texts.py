"""Texts of HDF5 files."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["decode"]


def decode(data: np.ndarray) -> np.ndarray:
    """Turn an array of bytes or objects into one of str and NaN; return others as they are."""
    if data.dtype.kind not in "SO":
        return data
    texts = (v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in data)
    return np.array([np.nan if pd.isna(v) else str(v) for v in texts], object)
