"""BioGRID: its files and its service."""
