from .explanation import CellGroup as CellGroup
from .explanation import Explanation as Explanation
from .linear_logits import LinearLogits as LinearLogits
from .markers import stable_markers as stable_markers
from .markers import type_markers as type_markers
from .term_enrichment import enrichment as enrichment
