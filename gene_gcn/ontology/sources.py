"""Where the Cell Ontology is read from: a file of CELLxGENE's package, JSON, or OBO, fetched once."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.networks.source import NetworkSource
from gene_gcn.ontology.terms import ROOT, CellOntology, Term
from gene_gcn.storage import download
from gene_gcn.storage.cache import get_record
from gene_gcn.storage.download import ProgressBar
from gene_gcn.storage.text_files import (
    damage_as_argument_error,
    existing_file,
    first_line,
    open_file,
    sha256_of,
)

__all__ = ["VERSION", "cell_ontology", "fetch_obo", "read_json", "read_obo"]

LICENSE = "CC BY 4.0"
CITATION = "Diehl et al. 2016, doi:10.1186/s13326-016-0088-7"
VERSION = "v2026-03-26"
OBO = "cl-basic.obo"
PACKAGE = "cellxgene_ontology_guide"  # its files have all versions that CELLxGENE has used
_VERSION = re.compile(r"v\d{4}-\d\d-\d\d")
_PREFIX = "CL:"
_EXACT = re.compile(r'"((?:[^"\\]|\\.)*)" EXACT\b')
_ZSTANDARD = b"\x28\xb5\x2f\xfd"


def cell_ontology(
    path: str | os.PathLike[str] | None = None, *, progress: bool | ProgressBar = False
) -> CellOntology:
    """Return the Cell Ontology.

    Parameters
    ----------
    path : path, optional
        A file: the ``CL-ontology-….json.zst`` of the package cellxgene-ontology-guide, also unpacked, or OBO
        (``cl.obo``, ``cl-basic.obo``). By default the newest such file of that package if it is installed,
        otherwise the OBO file that `fetch_obo` downloads once.
    progress : bool or ProgressBar
        Whether to show a progress bar for a download.

    Returns
    -------
    CellOntology

    Raises
    ------
    ArgumentError
        The file is damaged or something else, or needs the extra ``gene-gcn[ontology]``.
    FileNotFoundError
        The file does not exist.
    DownloadError
        The file cannot be downloaded.
    """
    file = _installed() if path is None else existing_file(path)
    if file is None:
        try:
            file = fetch_obo(progress=progress)
        except download.DownloadError as error:
            remedy = "Or install the package cellxgene-ontology-guide."
            raise download.DownloadError(f"{error} {remedy}", missing=error.missing) from error
    return read_obo(file) if _is_obo(file) else read_json(file)


def fetch_obo(
    version: str = VERSION, *, base_url: str | None = None, progress: bool | ProgressBar = False
) -> Path:
    """Return ``cl-basic.obo`` of a release of the Cell Ontology, downloading it first if needed.

    Parameters
    ----------
    version : str
        Such as ``"v2026-03-26"``.
    base_url : str, optional
        A mirror of the releases; by default the one that ``GENE_GCN_CL_URL`` names, or else GitHub.
    progress : bool or ProgressBar
        Whether to show a progress bar, which needs tqdm.

    Raises
    ------
    DownloadError
        The file cannot be downloaded, or there is no such release.
    ArgumentError
        `version` does not look like one.
    """
    if not _VERSION.fullmatch(version):
        text = " is not a release of the Cell Ontology; these are named like "
        raise ArgumentError("version", Argument("version", version), text, Argument("version", VERSION), ".")
    with _needing_extra("obonet"):  # before anything is downloaded
        import obonet  # noqa: F401
    url = f"{download.base_url('GENE_GCN_CL_URL', base_url)}/{version}/{OBO}"
    return download.fetch(
        url, f"cell_ontology/{version}/{OBO}", check=read_obo, progress=progress, version=version
    )


def read_json(path: str | os.PathLike[str]) -> CellOntology:
    """Read a file of terms as the package cellxgene-ontology-guide has them: JSON, plain or Zstandard.

    Each term has a ``label``, ``synonyms``, whether it is ``deprecated``, and its ``ancestors`` with their
    distances, of which those at distance 1 are parents.
    """
    file = existing_file(path)
    content = file.read_bytes()
    if content.startswith(_ZSTANDARD):
        content = _unpack(content, file)
    try:
        found = json.loads(content)
        terms = [_term_of(name, record) for name, record in found.items() if not record["deprecated"]]
        replaced = {name: record["replaced_by"] for name, record in found.items() if "replaced_by" in record}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        text = f"{file} does not hold the terms of an ontology as cellxgene-ontology-guide has them"
        raise ArgumentError("path", f"{text} ({type(error).__name__}: {error!s:.80}).") from error
    return _made_of(file, terms, replaced, _version_in(file.name))


def read_obo(path: str | os.PathLike[str]) -> CellOntology:
    """Read an OBO file, plain or gzip; it must have the terms of the Cell Ontology."""
    file = existing_file(path)
    if not _is_obo(file):
        raise ArgumentError("path", f"{file} is not an OBO file, which starts with 'format-version:'.")
    with _needing_extra("obonet"):
        import obonet
    with damage_as_argument_error(file), open_file(file) as handle:
        text = io.TextIOWrapper(handle, "utf-8")
        try:
            parsed = obonet.read_obo(text, ignore_obsolete=False)
            own = {name: term for name, term in parsed.nodes(data=True) if name.startswith(_PREFIX) and term}
            terms = [_term_from_obo(name, term) for name, term in own.items() if not _is_obsolete(term)]
        except (ValueError, LookupError, TypeError) as error:
            problem = f"{type(error).__name__}: {error!s:.80}"
            raise ArgumentError("path", f"{file} is a damaged OBO file ({problem}).") from error
    replaced = {name: term["replaced_by"][0] for name, term in own.items() if "replaced_by" in term}
    version = _version_in(parsed.graph.get("data-version", "")) or (get_record(file) or {}).get("version")
    return _made_of(file, terms, replaced, version)


@contextmanager
def _needing_extra(package: str) -> Iterator[None]:
    """Say which extra to install if a package is missing."""
    try:
        yield
    except ImportError as error:
        remedy = "install it with pip install 'gene-gcn[ontology]'"
        raise ArgumentError("path", f"The Cell Ontology needs the package {package}; {remedy}.") from error


def _term_of(name: str, record: dict[str, Any]) -> Term:
    parents = tuple(sorted(parent for parent, hops in record["ancestors"].items() if hops == 1))
    return Term(name, str(record["label"]), tuple(map(str, record.get("synonyms", ()))), parents)


def _term_from_obo(name: str, term: Mapping[str, Any]) -> Term:
    exact = (_EXACT.match(synonym) for synonym in term.get("synonym", ()))
    synonyms = sorted(re.sub(r"\\(.)", r"\1", found[1]) for found in exact if found)
    parents = sorted(parent for parent in term.get("is_a", ()) if parent.startswith(_PREFIX))
    return Term(name, term["name"], tuple(synonyms), tuple(parents))


def _is_obsolete(term: Mapping[str, Any]) -> bool:
    return term.get("is_obsolete") == "true"


def _made_of(file: Path, terms: list[Term], replaced: dict[str, str], version: str | None) -> CellOntology:
    by_id = {term.id: term for term in terms}
    if ROOT not in by_id:
        raise ArgumentError("path", f"{file} does not hold the Cell Ontology: it lacks {ROOT} (cell).")
    source = NetworkSource("Cell Ontology", version, None, LICENSE, CITATION, sha256_of(file))
    return CellOntology(by_id, replaced, source)


def _installed() -> Path | None:
    """Return the newest file of the Cell Ontology in CELLxGENE's package, without importing that."""
    found = find_spec(PACKAGE)
    folders = [] if found is None else list(found.submodule_search_locations or ())
    files = [file for folder in folders for file in Path(folder).glob("data/CL-ontology-v*.json.zst")]
    return max(files, key=lambda file: file.name, default=None)


def _is_obo(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(4) == _ZSTANDARD:
            return False
    with open_file(path) as unpacked:
        return first_line(unpacked, path).startswith("format-version:")


def _unpack(content: bytes, file: Path) -> bytes:
    with _needing_extra("zstandard"):
        import zstandard
    try:
        return zstandard.ZstdDecompressor().stream_reader(content).read()
    except zstandard.ZstdError as error:
        raise ArgumentError("path", f"{file} is damaged ({error}); install or download it again.") from error


def _version_in(text: str) -> str | None:
    found = re.search(r"v?(\d{4}-\d\d-\d\d)", text)
    return f"v{found[1]}" if found else None
