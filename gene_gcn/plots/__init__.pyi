from .confusion import confusion_matrix as confusion_matrix
from .embedding import embedding as embedding
from .figure import save_figure as save_figure
from .gene_network import network as network
from .subnetwork import subnetwork as subnetwork
