"""Disk and web: atomic writes, downloads, the cache and model folders."""
