"""Figures, drawn on the user's axes or on new ones."""

import lazy_loader

# Imported at first use: drawing needs pandas, which takes a second to load.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
