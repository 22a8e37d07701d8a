from . import cells as cells
from . import explain as explain
from . import networks as networks
from . import nn as nn
from . import ontology as ontology
from . import orthologs as orthologs
from . import plots as plots
from . import report as report
from .estimators.card import ModelCard as ModelCard
from .estimators.classifier import GeneGCNClassifier as GeneGCNClassifier
from .estimators.combining import merge_models as merge_models
from .estimators.embedding import CellEmbedding as CellEmbedding
from .estimators.markers import MarkerClassifier as MarkerClassifier
from .estimators.markers import from_markers as from_markers
from .estimators.suspicious import suspicious as suspicious
from .networks.network import GeneNetwork as GeneNetwork

__version__: str
