"""`gene-gcn models list`, `info` and `pull`: models of others, their cards, and the cache of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cli.checks import check_output_model
from gene_gcn.cli.console import DownloadProgress, new_table, say, say_wrapped
from gene_gcn.cli.options import Force
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from rich.table import Table

    from gene_gcn.storage.model_cache import CachedModel

__all__ = ["info", "list_models", "pull"]

_ADDRESS = re.compile(r"<(https?://[^<>\s]+)>")  # which rich would print twice

Source = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A folder or .zip; https://…/model.zip, https://…/folder/, or hf://owner/name@revision.",
    ),
]


def list_models(
    remove: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Remove models of this address; * stands for any characters."),
    ] = None,
) -> dict[str, Any]:
    """List the models that were downloaded, or remove some."""
    from gene_gcn.storage.cache import cache_folder
    from gene_gcn.storage.model_cache import FOLDER, cached_models, remove_models

    folder = cache_folder() / FOLDER
    removed = [] if remove is None else remove_models(remove)
    models = [_described(model) for model in cached_models()]
    if remove is not None:
        for model in removed:
            say(f"Removed   {model.source} {model.version[:12]}")
    else:
        say(f"{len(models)} models in {folder}")
        if models:
            say_wrapped(_table(models))
    return {"folder": folder, "removed": [model.folder for model in removed], "models": models}


def _described(model: CachedModel) -> dict[str, Any]:
    from gene_gcn.estimators.saving import count_types_and_genes

    types = genes = None
    with suppress(ArgumentError, OSError):  # what is damaged is listed, so that it can be removed
        types, genes = count_types_and_genes(model.folder)
    return {
        "source": model.source,
        "version": model.version,
        "revision": model.revision,
        "date": model.date,
        "types": types,
        "genes": genes,
        "size": model.size,
        "path": model.folder,
    }


def _table(models: Sequence[dict[str, Any]]) -> Table:
    table = new_table("", "model", "version", "types", "genes", "MB", "date")
    for model in models:
        counts = ("damaged" if n is None else f"{n:,}" for n in (model["types"], model["genes"]))
        sizes = (*counts, f"{model['size'] / 1e6:.1f}")
        table.add_row(model["source"], model["version"][:12], *sizes, model["date"][:10])
    return table


def info(model: Source) -> dict[str, Any]:
    """Show the card of a model: what it was fitted to, how well it does, what it cannot tell."""
    from rich.markdown import Markdown

    from gene_gcn.estimators.card_page import PLACEHOLDER, without_front_matter
    from gene_gcn.estimators.saving import count_types_and_genes
    from gene_gcn.storage.model_folder import read_card
    from gene_gcn.storage.model_source import local_model

    with local_model(model, DownloadProgress()) as folder:
        types, genes = count_types_and_genes(folder)
        card = read_card(folder)
    if card is None:
        say(f"{model} tells {types:,} types apart by {genes:,} genes.")
        say("It has no card, because it was saved before there were any; load and save it to write one.")
    else:
        page = _ADDRESS.sub(r"\1", without_front_matter(card).replace(PLACEHOLDER, model))
        printable = "".join(c if c.isprintable() or c == "\n" else " " for c in page)
        say_wrapped(Markdown(printable, hyperlinks=False))
    return {"model": model, "types": types, "genes": genes, "card": card}


def pull(
    model: Source,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder or .zip to write the model to. Default: the cache only."),
    ] = None,
    force: Force = False,
) -> dict[str, Any]:
    """Download a model, to have it offline."""
    from gene_gcn.estimators.saving import count_types_and_genes
    from gene_gcn.storage.model_address import parse_address
    from gene_gcn.storage.model_folder import copy_model
    from gene_gcn.storage.model_source import local_model

    is_cached = not isinstance(parse_address(model), Path)
    if out is not None:
        check_output_model(out, force=force)
    elif not is_cached:
        text = " is on this computer already; pass its address, or where to write a copy with "
        raise ArgumentError("model", Argument("model", model), text, Argument("out"), ".")
    with local_model(model, DownloadProgress()) as folder:
        types, genes = count_types_and_genes(folder)
        size = sum(file.stat().st_size for file in folder.iterdir())
        say(f"Model     {types:,} types, {genes:,} genes, {size / 1e6:.1f} MB")
        if out is not None:
            copy_model(folder, out)
            say(f"Written   {out}")
        else:
            say(f"Cached    {folder}")
    return {
        "model": model,
        "types": types,
        "genes": genes,
        "size": size,
        "folder": folder if is_cached else None,
        "written": [] if out is None else [out],
    }
