from __future__ import annotations

import pytest
from typer.main import get_command

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells.normalizer import METHODS
from gene_gcn.cli.model_options import Attention, Normalization, Optimizer
from gene_gcn.cli.program import app
from gene_gcn.nn.attention_functions import ATTENTIONS


def test_every_value_of_the_classifier_is_a_choice():
    assert set(Attention) == {"none", *ATTENTIONS}
    assert set(Normalization) == set(METHODS)
    for optimizer in Optimizer:
        GeneGCNClassifier(optimizer=str(optimizer)).check_parameters()


@pytest.mark.parametrize("choices", [Attention, Normalization, Optimizer])
def test_help_lists_the_choices(choices):
    options = {option.name: option.help for option in get_command(app).commands["train"].params}
    assert all(choice in options[choices.__name__.lower()] for choice in choices)
