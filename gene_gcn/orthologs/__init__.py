"""Orthologs: which gene of one species is which of another, from tables, HCOP and STRING's vectors."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
