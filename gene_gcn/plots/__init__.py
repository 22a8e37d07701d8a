"""Pictures, on axes of the user's or of their own."""

from gene_gcn.plots.confusion import confusion_matrix
from gene_gcn.plots.figure import save_figure
from gene_gcn.plots.gene_network import network

__all__ = ["confusion_matrix", "network", "save_figure"]
