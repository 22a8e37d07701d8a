"""The command `gene-gcn`."""

from gene_gcn.cli.program import app, main

__all__ = ["app", "main"]
