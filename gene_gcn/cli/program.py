"""The command `gene-gcn`. Heavy imports are inside functions: `--help` should not wait for torch."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from gene_gcn import __version__
from gene_gcn.cli.benchmark import app as benchmark
from gene_gcn.cli.console import discard_output, flush_output, is_silent, tolerate_any_encoding
from gene_gcn.cli.demo import demo
from gene_gcn.cli.errors import message_for_user, warnings_in_one_line
from gene_gcn.cli.evaluate import evaluate
from gene_gcn.cli.explain import explain
from gene_gcn.cli.markers import markers
from gene_gcn.cli.memory import prepare_for_memory_limit
from gene_gcn.cli.models import models
from gene_gcn.cli.networks import fetch, list_networks
from gene_gcn.cli.ontology import ontology
from gene_gcn.cli.panel import panel
from gene_gcn.cli.predict import predict
from gene_gcn.cli.processes import is_told_by_first, let_first_leave
from gene_gcn.cli.report import report
from gene_gcn.cli.reproduce import reproduce
from gene_gcn.cli.spelling import Spelling, find_options
from gene_gcn.cli.suspicious import suspicious
from gene_gcn.cli.train import train

__all__ = ["app", "main"]

USER_ERROR, INTERRUPTED = 2, 130  # exit statuses, as shells have them

app = typer.Typer(
    name="gene-gcn",
    help="Annotate cell types in single-cell RNA-seq data with a graph network whose nodes are genes.\n\n"
    "Cells are read from .h5ad, .zarr, .loom, .h5 or a folder of 10x Genomics, or from a table (.csv, .tsv, "
    ".txt, also .gz) with a row per cell: cell names in the first column, gene names in the header; columns "
    "of text describe the cells.\n\n"
    "Start with: gene-gcn demo",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(train)
app.command()(markers)
app.command()(predict)
app.command()(evaluate)
app.command()(report)
app.command()(explain)
app.command()(suspicious)
app.command()(ontology)
app.command()(panel)
app.add_typer(models, name="models")
app.command()(fetch)
app.command("networks")(list_networks)
app.command()(reproduce)
app.add_typer(benchmark, name="benchmark")


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"gene-gcn {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        Exit status: 0, also if nobody reads the output to its end; 2 after an error of the user's, which is
        printed in one line on stderr; 130 after Ctrl-C. A bug raises its exception, with the traceback.
    """
    # By default, threads of torch that wait for each other spin for milliseconds, which makes training ten
    # times slower on a busy machine. A shorter spin costs next to nothing. Read when torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    prepare_for_memory_limit()
    atexit.register(gc.freeze)  # the last collection, of all that torch has made, takes a sixth of the time
    tolerate_any_encoding()
    argv = list(sys.argv[1:] if argv is None else argv)
    spell = Spelling(find_options(app, argv))
    try:
        with _rare_garbage_collection(), warnings_in_one_line(spell):
            returned = app(args=argv or ["--help"], prog_name="gene-gcn", standalone_mode=False)
            status = returned if isinstance(returned, int) else 0
            flush_output()
    except (KeyboardInterrupt, typer.Abort):  # newer versions of typer return 130 instead
        status = INTERRUPTED
    except SystemExit as error:  # typer and rich exit so when they cannot print, for instance the help
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        discard_output()
        status = 0
    except Exception as error:
        if is_told_by_first(error):
            let_first_leave()
            return USER_ERROR
        message = message_for_user(error, spell)
        if message is None:
            raise
        print(f"gene-gcn: error: {message}", file=sys.stderr)
        return USER_ERROR
    if status == INTERRUPTED and not is_silent():
        print("gene-gcn: interrupted", file=sys.stderr)
    return status


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    """Collect garbage every 100,000 objects: importing libraries makes many objects, which all stay."""
    thresholds = gc.get_threshold()
    gc.set_threshold(100_000)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


if __name__ == "__main__":
    sys.exit(main())
