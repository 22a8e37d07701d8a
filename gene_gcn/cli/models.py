"""`gene-gcn models`: models made of models, without their cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gene_gcn.cli.checks import check_output_model
from gene_gcn.cli.console import count, say
from gene_gcn.cli.inputs import load_model
from gene_gcn.cli.options import Force, ModelFolder

models = typer.Typer(help="Merge models, or leave out types.", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", "-o", help="Model folder to write.")]


@models.command()
def merge(
    folders: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Two or more models.")],
    out: Out,
    force: Force = False,
) -> None:
    """Merge models of different cells, on the genes that all of them have."""
    check_output_model(out, force=force)
    if len(folders) < 2:
        raise typer.BadParameter("merging takes two models or more.")
    merged, *others = [load_model(folder) for folder in folders]
    for other in others:
        merged = merged.merge(other)
    say(f"Merged    {count(merged.classes_, 'type')}, {count(merged.genes_ or (), 'gene')}")
    merged.save(out)
    say(f"Written   {out}")


@models.command()
def subset(
    model: ModelFolder,
    types: Annotated[list[str], typer.Option("--type", "-t", help="Type to keep; repeat for each.")],
    out: Out,
    force: Force = False,
) -> None:
    """Keep some of the types of a model."""
    check_output_model(out, force=force)
    kept = load_model(model).subset(types)
    say(f"Kept      {', '.join(map(str, kept.classes_))}")
    kept.save(out)
    say(f"Written   {out}")
