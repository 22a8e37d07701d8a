"""Cells on disk of which each of several processes reads a part."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from gene_gcn.cells import NormalizedBlocks
from gene_gcn.training.distributed import agreed

__all__ = ["JoinedBlocks"]


class JoinedBlocks(NormalizedBlocks):
    """Blocks that, if one process cannot read one of its own, end the work of all with the same error.

    All processes go through their blocks to the end, and take the same cells, at the same time.
    """

    def blocks(self) -> Iterator[sparse.csr_matrix]:
        with agreed():
            yield from super().blocks()

    def take(self, rows: np.ndarray) -> sparse.csr_matrix:
        with agreed():
            return super().take(rows)
