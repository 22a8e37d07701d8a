"""A small HCOP in the layout of its files, on a local server."""

from __future__ import annotations

import gzip

KINDS = ("entrez_gene", "ensembl_gene", "{}_id", "name", "symbol", "chr", "assert_ids")


def header(species: str, database: str) -> str:
    human = "human_entrez_gene human_ensembl_gene hgnc_id human_name human_symbol human_chr human_assert_ids"
    other = [kind.format(database) if "{" in kind else f"{species}_{kind}" for kind in KINDS]
    return "\t".join([*human.split(), *other, "support"])


def row(human: str, other: str, n_databases: int) -> str:
    """A pair of genes, whose Entrez numbers and Ensembl ids follow from their symbols."""
    number = sum(map(ord, human))
    sides = [
        (f"{number}", f"ENSG{number:08d}", f"HGNC:{number}", f'the "{human}" gene', human, "1p", "-"),
        (f"9{number}", "-", f"ID:{number}", f"{other}, of another species", other, "2", "-"),
    ]
    support = ",".join(f"database {i}" for i in range(n_databases))
    return "\t".join([*sides[0], *sides[1], support])


MOUSE = "\n".join(
    [
        header("mouse", "mgi"),
        row("INS", "Ins1", 4),
        row("INS", "Ins2", 9),
        row("SST", "Sst", 12),
        row("NA", "Na", 3),
        row("SPURIOUS", "Unlike", 2),
        "",
    ]
)
RAT = "\n".join([header("rat", "rgd"), row("INS", "Ins2", 5), row("SST", "SSTRAT", 11), ""])
FLY = "\n".join([header("fruit fly", "flybase"), row("SST", "AstC", 3), ""])


def serve(host) -> None:
    """Add the files to a server."""
    for species, text in {"mouse": MOUSE, "rat": RAT, "fruitfly": FLY}.items():
        host.files[path_of(species)] = gzip.compress(text.encode(), mtime=0)


def path_of(species: str) -> str:
    return f"/hcop/human_{species}_hcop_fifteen_column.txt.gz"
