from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run

from gene_gcn.cli import app
from gene_gcn.cli.spelling import _NONE, _OPTION_NAMES, Spelling, find_options
from gene_gcn.errors import Argument

TRAIN, PREDICT, FETCH, NETWORKS = ("train", "predict", "fetch", "networks")


@pytest.mark.parametrize(
    ("command", "argument", "spelled"),
    [
        (TRAIN, Argument("layer", "counts"), "--layer 'counts'"),
        (TRAIN, Argument("layer"), "--layer"),
        (TRAIN, Argument("max_epochs", 0), "--max-epochs 0"),
        (TRAIN, Argument("n_jobs", -1), "--n-jobs -1"),
        (TRAIN, Argument("hidden_channels", (128, 64)), "--hidden-channels 128,64"),
        (TRAIN, Argument("hidden_channels", ()), "--hidden-channels ''"),
        (TRAIN, Argument("network_info", Path("a b")), "--network-info 'a b'"),
        (TRAIN, Argument("info", "x"), "--network-info 'x'"),
        (TRAIN, Argument("y", "cell_type"), "--label 'cell_type'"),
        (TRAIN, Argument("random_state", 3), "--seed 3"),
        (TRAIN, Argument("attention", None), "--attention none"),
        (TRAIN, Argument("network", None), "--network none"),
        (TRAIN, Argument("learn_mixing", True), "--learn-mixing"),
        (TRAIN, Argument("use_raw", False), "--no-use-raw"),
        (PREDICT, Argument("use_raw", True), "--use-raw"),
        (PREDICT, Argument("use_raw", False), "--no-use-raw"),
        (PREDICT, Argument("gene_column", None), "--gene-column ''"),
        (FETCH, Argument("version", "12.0"), "--version '12.0'"),
        (NETWORKS, Argument("pattern", "*x*"), "--remove '*x*'"),
    ],
)
def test_arguments_are_spelled_as_options_of_the_command(command, argument, spelled):
    assert Spelling(find_options(app, [command, "--force"]))(argument) == spelled


def test_arguments_without_an_option_stay_as_in_python():
    spell = Spelling(find_options(app, ["predict"]))
    assert spell(Argument("head_init", "random")) == "head_init='random'"
    assert spell(Argument("cells", 3)) == "cells=3"  # an argument, not an option


def test_long_values_are_cut():
    spell = Spelling(find_options(app, ["predict"]))
    assert spell(Argument("layer", "x" * 200)) == "--layer '" + 79 * "x"


def test_options_of_other_commands_are_for_remedies():
    for argv in (["predict"], ["trian"], []):
        spell = Spelling(find_options(app, argv))
        assert spell(Argument("normalization", "none")) == "--normalization 'none'"


def test_commands_of_groups_are_found():
    spell = Spelling(find_options(app, ["benchmark", "accuracy", "x"]))
    assert spell(Argument("label", "a")) == "--label 'a'"
    assert spell(Argument("baseline_python", "python")) == "--baseline-python 'python'"


def test_options_of_the_command_come_first():
    first = {argv: {} for argv in ["predict", "suspicious"]}
    for argv, options in first.items():
        for option in find_options(app, [argv]):
            options.setdefault(option.name, option.default)
    assert [str(options["out"]) for options in first.values()] == ["predictions.csv", "suspicious.csv"]


def test_json_is_no_part_of_the_command_that_made_a_report(folder, tmp_path):
    for option in ((), ("--json",)):
        page = tmp_path / "r.html"
        line = ("report", folder / "query.h5ad", "-m", folder / "model", "-o", page, "--force", *option)
        assert run(*line) == 0
        assert "gene-gcn report" in page.read_text("utf-8") and "--json" not in page.read_text("utf-8")


def test_special_spellings_are_those_of_options():
    assert {*_OPTION_NAMES.values(), *_NONE} <= {option.name for option in find_options(app, [])}
