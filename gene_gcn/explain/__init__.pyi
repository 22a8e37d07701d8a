from .base import BaseExplanation as BaseExplanation
from .explanation import CellGroup as CellGroup
from .explanation import Explanation as Explanation
from .gradient_explanation import GradientExplanation as GradientExplanation
from .integrated_gradients import IntegratedGradients as IntegratedGradients
from .linear_logits import LinearLogits as LinearLogits
from .markers import type_markers as type_markers
