"""Files of STRING, HCOP and the Cell Ontology for given genes, as a local server gives them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

import hcop_host
import pandas as pd
from host import Host
from small_ontology import as_obo

from gene_gcn.ontology.sources import VERSION


def serve(host: Host, monkeypatch, genes: Iterable[str]) -> None:
    """Serve a network of the genes, their mouse orthologs, and a small ontology."""
    host.files |= string_files(genes) | ortholog_file(genes)
    host.files[f"/{VERSION}/cl-basic.obo"] = as_obo().encode()
    for variable in ("STRING", "HCOP", "CL"):
        monkeypatch.setenv(f"GENE_GCN_{variable}_URL", host.url)


def ortholog_file(genes: Iterable[str]) -> dict[str, bytes]:
    """HCOP's file of mice, in which genes have the same symbol in another case."""
    symbols = pd.Series(list(genes))
    table = pd.DataFrame({"human_symbol": symbols, "mouse_symbol": symbols.str.capitalize()})
    columns = hcop_host.header("mouse", "mgi").split("\t")
    table = table.reindex(columns=columns, fill_value="-").assign(support="Ensembl,Inparanoid,OMA")
    return {
        "/human_mouse_hcop_fifteen_column.txt.gz": gzip.compress(table.to_csv(sep="\t", index=False).encode())
    }


def string_files(genes: Iterable[str]) -> dict[str, bytes]:
    """Small files of STRING 12.0 in which the genes are connected in a circle."""
    genes = list(genes)
    proteins = [f"9606.ENSP{i:011d}" for i in range(len(genes))]
    neighbors = [*proteins[1:], proteins[0]]
    files = {
        "links": [
            "protein1 protein2 combined_score",
            *(f"{a} {b} {500 + i}" for i, (a, b) in enumerate(zip(proteins, neighbors, strict=True))),
        ],
        "info": [
            "#string_protein_id\tpreferred_name\tprotein_size\tannotation",
            *(f"{protein}\t{gene}\t100\t-" for protein, gene in zip(proteins, genes, strict=True)),
        ],
        "aliases": [
            "#string_protein_id\talias\tsource",
            *(f"{protein}\tENSG{i:011d}\tEnsembl_gene" for i, protein in enumerate(proteins)),
        ],
        "enrichment.terms": [
            "#string_protein_id\tcategory\tterm\tdescription",
            *(
                f"{protein}\tReactome Pathways\tHSA-{i // 6}\tPathway {i // 6}"
                for i, protein in enumerate(proteins)
            ),
        ],
    }
    return {
        f"/protein.{kind}.v12.0/9606.protein.{kind}.v12.0.txt.gz": gzip.compress("\n".join(lines).encode())
        for kind, lines in files.items()
    }
