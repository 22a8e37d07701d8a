"""Checks made before anything takes long; those of inputs load no library."""

from __future__ import annotations

import os
from pathlib import Path

from gene_gcn.cells import check_cells_path
from gene_gcn.cells.zarr_folders import check_replaceable_zarr
from gene_gcn.cli.memory import check_memory_limit
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage.atomic import check_replaceable

__all__ = [
    "check_card",
    "check_inputs",
    "check_output_file",
    "check_output_folder",
    "check_output_model",
    "check_output_predictions",
    "check_output_report",
]

NETWORKS = ("none", "coexpression", "string", "biogrid")  # what --network may be besides a file


def check_inputs(*cells: Path, network: str = "none", network_info: Path | None = None) -> None:
    """Refuse input files that do not exist, or whose ending is unknown, and too little memory to read any."""
    check_memory_limit()
    for path in cells:
        check_cells_path(path)
    if network not in NETWORKS and not Path(network).expanduser().is_file():
        raise ArgumentError(
            "network", Argument("network", network), f" is neither a file nor one of {', '.join(NETWORKS)}."
        )
    if network_info is not None and not network_info.expanduser().is_file():
        raise ArgumentError("network_info", Argument("network_info", network_info), " is not a file.")


def check_output_model(out: Path, *, force: bool) -> None:
    """Refuse a model that exists, unless forced, and places that no model can be written to."""
    from gene_gcn.storage.model_folder import check_destination

    check_destination(out)
    if not force and (any(out.iterdir()) if out.is_dir() else out.exists()):
        raise ArgumentError(
            "out",
            Argument("out", out),
            " already holds a model; pass ",
            Argument("force", True),
            " to replace it.",
        )


def check_card(card: Path | None) -> None:
    """Refuse a file that is not a model card."""
    if card is not None:
        from gene_gcn import ModelCard

        ModelCard.of(card)


def check_output_file(out: Path, cells: Path, *, force: bool, argument: str = "out") -> None:
    """Refuse a file that exists, unless forced, the file of `cells` always, and folders without access.

    `argument` is the one that errors are about.
    """
    if out.is_dir():
        raise ArgumentError(argument, Argument(argument, out), " is a folder; choose a file.")
    check_replaceable(out, argument)
    if out.exists() and cells.exists() and out.samefile(cells):
        text = " is the cell file itself; choose another file."
        raise ArgumentError(argument, Argument(argument, out), text)
    _check_absent(out, argument, force=force)
    check_output_folder(out.absolute().parent)


def _check_absent(out: Path, argument: str, *, force: bool) -> None:
    if out.exists() and not force:
        raise ArgumentError(
            argument,
            f"{str(out)!r} already exists; pass ",
            Argument("force", True),
            " to replace it, or choose another ",
            Argument(argument),
            ".",
        )


def check_output_predictions(out: Path, cells: Path, *, force: bool) -> None:
    """Refuse what `check_output_file` refuses; for ``.zarr``, which is a folder, what is not an AnnData."""
    if out.suffix.lower() != ".zarr":
        check_output_file(out, cells, force=force)
        return
    check_replaceable_zarr(out, "out")
    if out.resolve() in (cells.resolve(), *cells.resolve().parents):
        text = " is or holds the cells themselves; choose another folder."
        raise ArgumentError("out", Argument("out", out), text)
    _check_absent(out, "out", force=force)
    check_output_folder(out.absolute().parent)


def check_output_report(page: Path, cells: Path, *, force: bool, argument: str = "report") -> None:
    """Refuse the path of a report with another ending, and files that `check_output_file` refuses."""
    from gene_gcn.report import check_report_path, report_files

    check_report_path(page)
    for file in report_files(page):
        check_output_file(file, cells, force=force, argument=argument)


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that can be neither written to nor created."""
    folder = folder.expanduser().absolute()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if not existing.is_dir():
        raise ArgumentError(
            "out", f"{str(folder)!r} cannot be a folder, because {str(existing)!r} is a file."
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"There is no permission to write to {str(existing)!r}.")
