"""From files to expression: reading cells, telling their scale, normalizing them, their labels."""
