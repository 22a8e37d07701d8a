from .edge_differences import differing_edges as differing_edges
from .explanation import CellGroup as CellGroup
from .explanation import Explanation as Explanation
from .linear_logits import LinearLogits as LinearLogits
from .markers import stable_markers as stable_markers
from .markers import type_markers as type_markers
from .subnetwork import Subnetwork as Subnetwork
from .term_enrichment import enrichment as enrichment
