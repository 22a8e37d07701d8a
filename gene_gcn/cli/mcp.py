"""`gene-gcn mcp`: the tools of this package for language models."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from gene_gcn.cli.allowed_folders import AllowedFolders


def mcp(
    folder: Annotated[
        list[Path],
        typer.Option(
            "--folder",
            "-f",
            help="Folder that tools may read and write, with all below it; repeat for several. Relative "
            "paths of clients are of the first.",
        ),
    ] = [Path()],  # noqa: B006 (typer copies it)
    urls: Annotated[
        bool,
        typer.Option(
            "--urls",
            help="Let clients load models from URLs that they choose. Only for clients that you trust.",
        ),
    ] = False,
) -> dict[str, Any]:
    """Serve tools to a client of the Model Context Protocol, on stdin and stdout, until it leaves.

    Needs the extra mcp: pip install 'gene-gcn[mcp]'.
    """
    if find_spec("mcp") is None:
        raise typer.BadParameter("needs the package mcp; install it with pip install 'gene-gcn[mcp]'")
    if sys.stdout is sys.stderr:  # with --json
        raise typer.BadParameter("stdout belongs to the protocol, so that --json cannot be used")
    folders = AllowedFolders(folder)
    from gene_gcn.cli.mcp_server import make_server

    make_server(folders, urls=urls).run("stdio")
    return {"folders": list(folders.folders)}
