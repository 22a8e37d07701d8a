"""The model as plain torch and PyG modules, usable without the rest of the package."""

import lazy_loader

# Imported at first use: sparse products do not need torch_geometric, which takes seconds to load.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
