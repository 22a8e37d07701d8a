"""`gene-gcn fetch` and `gene-gcn networks`: the cache of downloaded networks and orthologs."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from gene_gcn.cli.console import DownloadProgress, say
from gene_gcn.genes.organisms import find_organism

if TYPE_CHECKING:
    from gene_gcn.networks.source import NetworkSource

Evidence = Literal["physical", "genetic", "all"]


class Database(StrEnum):
    """What can be fetched."""

    string = "string"
    biogrid = "biogrid"
    cell_ontology = "cell-ontology"
    hcop = "hcop"


def fetch(
    database: Annotated[Database, typer.Argument(help="The database.")],
    organism: Annotated[
        str, typer.Option(help="human, mouse, a scientific name such as 'Danio rerio', or a taxonomy id.")
    ] = "human",
    version: Annotated[
        str | None,
        typer.Option(
            help="Release. Default: STRING 12.0, the latest of BioGRID, v2026-03-26 of the Cell Ontology."
        ),
    ] = None,
    min_score: Annotated[int, typer.Option(help="STRING: lowest score to keep, 0 to 1000.")] = 400,
    evidence: Annotated[str, typer.Option(help="BioGRID: physical, genetic or all.")] = "physical",
    terms: Annotated[
        bool, typer.Option("--terms", help="STRING: also the terms that genes are annotated with.")
    ] = False,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="STRING: also the vectors of genes, for --orthologs string.")
    ] = False,
) -> dict[str, Any]:
    """Download a network, the Cell Ontology or orthologs (hcop) into the cache, to have them offline."""
    from gene_gcn import networks
    from gene_gcn.errors import Argument, ArgumentError
    from gene_gcn.networks.string_db.network import fetch_aliases

    for name, is_given in {"terms": terms, "vectors": vectors}.items():
        if is_given and database is not Database.string:
            raise ArgumentError(name, Argument(name), " is for STRING; other databases have none.")
    if database is Database.cell_ontology:
        return _fetch_cell_ontology(version)
    if database is Database.hcop:
        return _fetch_orthologs(organism, version)
    if database is Database.string:
        network = networks.string(organism, version=version, min_score=min_score, progress=DownloadProgress())
        assert network.source is not None and network.source.version is not None
        try:
            fetch_aliases(organism, network.source.version, progress=DownloadProgress())
        except networks.DownloadError as error:
            if not error.missing:
                raise
            say(f"STRING has no aliases here, so genes are matched by its preferred names only ({error})")
    else:
        network = networks.biogrid(
            organism, version=version, evidence=cast("Evidence", evidence), progress=DownloadProgress()
        )
    source = network.source
    assert source is not None
    say(repr(network))
    say(network.summary().to_string())
    extra: dict[str, Any] = {"genes": network.num_genes, "edges": network.num_edges}
    if terms:
        annotations = networks.string_terms(organism, version=source.version, progress=DownloadProgress())
        say(repr(annotations))
        extra["terms"] = len(annotations.terms)
    if vectors:
        found = networks.string_vectors(organism, version=source.version, progress=DownloadProgress())
        say(f"Vectors   {len(found.genes):,} genes, {found.vectors.shape[1]} dimensions")
        extra["vectors"] = len(found.genes)
    return _say_source(source, extra)


def _fetch_cell_ontology(version: str | None) -> dict[str, Any]:
    from gene_gcn.ontology import cell_ontology, fetch_obo
    from gene_gcn.ontology.sources import VERSION

    terms = cell_ontology(fetch_obo(version or VERSION, progress=DownloadProgress()))
    source = terms.source
    assert source is not None
    say(repr(terms))
    return _say_source(source, {"terms": len(terms)})


def _say_source(source: NetworkSource, extra: dict[str, int]) -> dict[str, Any]:
    """Say how what was fetched may be used; return what `--json` prints."""
    say(f"License   {source.license}; please cite {source.citation}")
    return {**asdict(source), **extra}


def _fetch_orthologs(organism: str, version: str | None) -> dict[str, Any]:
    from gene_gcn.errors import Argument, ArgumentError
    from gene_gcn.networks.source import NetworkSource
    from gene_gcn.orthologs import hcop

    if version is not None:
        text = " is for STRING, BioGRID and the Cell Ontology; HCOP has no releases."
        raise ArgumentError("version", Argument("version", version), text)
    table = hcop(organism, progress=DownloadProgress())
    name = str(find_organism(organism))
    citation = "Yates et al. 2021, doi:10.1093/bib/bbab155"
    say(f"HCOP      {len(table):,} pairs of human genes and those of {name}")
    say(f"Please cite {citation}")
    source = NetworkSource("HCOP", organism=name, citation=citation)
    return asdict(source) | {"pairs": len(table)}


def list_networks(
    remove: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Remove the files of this name; * stands for any characters."),
    ] = None,
) -> dict[str, Any]:
    """List the cached network files, or remove some."""
    from gene_gcn import networks
    from gene_gcn.storage.cache import cache_folder

    folder = cache_folder()
    if remove is not None:
        removed = networks.remove(remove)
        for name in removed:
            say(f"Removed   {name}")
        return {"folder": folder, "removed": removed, "files": networks.cached()}
    files = networks.cached()
    say(f"{len(files)} files in {folder}")
    if len(files):
        table = files.drop(columns="path").assign(
            size=(files["size"] / 1e6).map("{:.1f} MB".format), sha256=files["sha256"].str[:12]
        )
        say(table.to_string(index=False))
    return {"folder": folder, "removed": [], "files": files}
