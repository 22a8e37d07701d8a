"""The Cell Ontology, hierarchies of types, mapping of free names to terms, and metrics that know them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
