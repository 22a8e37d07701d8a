"""Disk and web: files that are whole or not there, the one door to the network, the cache, model folders."""
