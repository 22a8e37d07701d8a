"""The command `gene-gcn`."""
