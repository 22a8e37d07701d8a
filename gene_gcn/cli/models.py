"""`gene-gcn models`: models made of models, without their cells, and models of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gene_gcn.cli.checks import check_card, check_output_model
from gene_gcn.cli.console import count, say
from gene_gcn.cli.inputs import load_model
from gene_gcn.cli.model_facts import describe_model
from gene_gcn.cli.model_sources import info, list_models, pull
from gene_gcn.cli.options import CardFile, Force, ModelFolder

models = typer.Typer(help="Download models, show their cards, merge them, or leave out types.")

models.command("list")(list_models)
models.command()(info)
models.command()(pull)

Out = Annotated[Path, typer.Option("--out", "-o", help="Model folder or .zip to write.")]


@models.command()
def merge(
    model: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Two or more models.")],
    out: Out,
    card: CardFile = None,
    force: Force = False,
) -> dict[str, Any]:
    """Merge models of different cells, on the genes that all of them have."""
    check_output_model(out, force=force)
    check_card(card)
    if len(model) < 2:
        raise typer.BadParameter("merging takes two models or more.")
    merged, *others = [load_model(each) for each in model]
    for other in others:
        merged = merged.merge(other)
    say(f"Merged    {count(merged.classes_, 'type')}, {count(merged.genes_ or (), 'gene')}")
    merged.save(out, card)
    say(f"Written   {out}")
    return {"model": describe_model(merged), "written": [out]}


@models.command()
def subset(
    model: ModelFolder,
    types: Annotated[list[str], typer.Option("--type", "-t", help="Type to keep; repeat for each.")],
    out: Out,
    card: CardFile = None,
    force: Force = False,
) -> dict[str, Any]:
    """Keep some of the types of a model."""
    check_output_model(out, force=force)
    check_card(card)
    kept = load_model(model).subset(types)
    say(f"Kept      {', '.join(map(str, kept.classes_))}")
    kept.save(out, card)
    say(f"Written   {out}")
    return {"model": describe_model(kept), "written": [out]}
