"""From files to expression: read cells, infer their scale, normalize them, read their labels."""

import lazy_loader

# Imported on first use: the command line checks paths before it loads numpy and pandas.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
