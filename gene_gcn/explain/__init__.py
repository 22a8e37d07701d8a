"""Why a cell gets its type: contributions of genes and edges, markers and subnetworks, enriched terms."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
