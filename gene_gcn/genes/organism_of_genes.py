"""The organism that genes are of, inferred from their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from gene_gcn.genes.names import gene_kind, genome_of
from gene_gcn.genes.organisms import Organism, find_organism

__all__ = ["organism_of_genes"]

# Symbols in capitals are taken to be human, although those of most mammals and birds are in capitals too;
# capitalized ones are taken to be those of mice, although those of rats are like them.
_OF_KIND = {
    "human symbols": "human",
    "human Ensembl gene ids": "human",
    "mouse symbols": "mouse",
    "mouse Ensembl gene ids": "mouse",
    "FlyBase ids": "fly",
    "WormBase ids": "worm",
    "Arabidopsis loci": "Arabidopsis",
    "yeast systematic names": "yeast",
}
# The beginnings of names of genomes, as Cell Ranger puts them before the names of genes.
_OF_GENOME = {
    "GRCh": "human",
    "hg": "human",
    "T2T": "human",
    "GRCm": "mouse",
    "mm": "mouse",
    "GRCz": "zebrafish",
    "GRCg": "chicken",
    "rn": "rat",
}
# What follows ENS in the ids of Ensembl's genes, before the G.
_OF_ENSEMBL = {
    "RNO": "rat",
    "MMU": "macaque",
    "MFA": "cynomolgus",
    "PTR": "chimpanzee",
    "CJA": "marmoset",
    "SSC": "pig",
    "BTA": "cow",
    "OAR": "sheep",
    "ECA": "horse",
    "CAF": "dog",
    "FCA": "cat",
    "OCU": "rabbit",
    "CGR": "chinese hamster",
    "CPO": "guinea pig",
    "GAL": "chicken",
    "XET": "frog",
    "DAR": "zebrafish",
}
_ENSEMBL = re.compile(r"ENS([A-Z]{3})G\d+(?:\.\d+)?")


def organism_of_genes(genes: Sequence[str]) -> Organism | None:
    """Infer the organism from the genome before the names (``GRCh38_TP53``), or from most names.

    Examples
    --------
    >>> str(organism_of_genes(["ENSRNOG00000010756", "ENSRNOG00000001466"]))
    'Rattus norvegicus'
    """
    genomes = {genome for gene in genes if (genome := genome_of(gene))}
    if len(genomes) == 1:
        genome = genomes.pop()
        for beginning, organism in _OF_GENOME.items():
            if genome.startswith(beginning):
                return find_organism(organism)
    kind = gene_kind(genes)
    if kind in _OF_KIND:
        return find_organism(_OF_KIND[kind])
    if kind != "Ensembl ids":
        return None
    prefixes = Counter(match[1] for match in map(_ENSEMBL.fullmatch, genes) if match)
    prefix = prefixes.most_common(1)[0][0] if prefixes else ""
    return find_organism(_OF_ENSEMBL[prefix]) if prefix in _OF_ENSEMBL else None
