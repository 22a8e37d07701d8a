"""STRING: its files and its service."""
