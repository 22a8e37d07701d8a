"""`gene-gcn fetch` and `gene-gcn networks`: the cache of downloaded networks and orthologs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, cast

import typer

from gene_gcn.cli.console import DownloadProgress, say
from gene_gcn.genes.organisms import find_organism

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
) -> None:
    """Download a network, the Cell Ontology or orthologs (hcop) into the cache, to have them offline."""
    from gene_gcn import networks
    from gene_gcn.errors import Argument, ArgumentError
    from gene_gcn.networks.string_db.network import fetch_aliases

    for name, is_given in {"terms": terms, "vectors": vectors}.items():
        if is_given and database is not Database.string:
            raise ArgumentError(name, Argument(name), " is for STRING; other databases have none.")
    if database is Database.cell_ontology:
        _fetch_cell_ontology(version)
        return
    if database is Database.hcop:
        _fetch_orthologs(organism, version)
        return
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
    if terms:
        say(repr(networks.string_terms(organism, version=source.version, progress=DownloadProgress())))
    if vectors:
        found = networks.string_vectors(organism, version=source.version, progress=DownloadProgress())
        say(f"Vectors   {len(found.genes):,} genes, {found.vectors.shape[1]} dimensions")
    say(f"License   {source.license}; please cite {source.citation}")


def _fetch_cell_ontology(version: str | None) -> None:
    from gene_gcn.ontology import cell_ontology, fetch_obo
    from gene_gcn.ontology.sources import VERSION

    terms = cell_ontology(fetch_obo(version or VERSION, progress=DownloadProgress()))
    source = terms.source
    assert source is not None
    say(repr(terms))
    say(f"License   {source.license}; please cite {source.citation}")


def _fetch_orthologs(organism: str, version: str | None) -> None:
    from gene_gcn.errors import Argument, ArgumentError
    from gene_gcn.orthologs import hcop

    if version is not None:
        text = " is for STRING, BioGRID and the Cell Ontology; HCOP has no releases."
        raise ArgumentError("version", Argument("version", version), text)
    table = hcop(organism, progress=DownloadProgress())
    say(f"HCOP      {len(table):,} pairs of human genes and those of {find_organism(organism)}")
    say("Please cite Yates et al. 2021, doi:10.1093/bib/bbab155")


def list_networks(
    remove: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Remove the files of this name; * stands for any characters."),
    ] = None,
) -> None:
    """List the cached network files, or remove some."""
    from gene_gcn import networks
    from gene_gcn.storage.cache import cache_folder

    if remove is not None:
        for name in networks.remove(remove):
            say(f"Removed   {name}")
        return
    files = networks.cached()
    say(f"{len(files)} files in {cache_folder()}")
    if len(files):
        table = files.drop(columns="path").assign(
            size=(files["size"] / 1e6).map("{:.1f} MB".format), sha256=files["sha256"].str[:12]
        )
        say(table.to_string(index=False))
