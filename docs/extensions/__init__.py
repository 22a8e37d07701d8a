"""What the documentation needs beyond Sphinx."""
