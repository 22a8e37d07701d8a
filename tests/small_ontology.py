"""A small part of the Cell Ontology, as OBO and as CELLxGENE's JSON."""

from __future__ import annotations

import json

from gene_gcn.ontology import CellOntology
from gene_gcn.ontology.terms import Term

# id, label, exact synonyms, parents
ROWS = [
    ("CL:0000000", "cell", [], []),
    ("CL:0000988", "hematopoietic cell", [], ["CL:0000000"]),
    ("CL:0000542", "lymphocyte", [], ["CL:0000988"]),
    ("CL:0000084", "T cell", ["T-cell", "T lymphocyte"], ["CL:0000542"]),
    ("CL:0000624", "CD4-positive, alpha-beta T cell", [], ["CL:0000084"]),
    ("CL:0000625", "CD8-positive, alpha-beta T cell", [], ["CL:0000084"]),
    ("CL:0000898", "naive T cell", [], ["CL:0000084"]),
    ("CL:0000895", "naive CD4-positive, alpha-beta T cell", [], ["CL:0000624", "CL:0000898"]),
    ("CL:0000236", "B cell", ["B lymphocyte"], ["CL:0000542"]),
    ("CL:0000623", "natural killer cell", ["NK cell"], ["CL:0000542"]),
    ("CL:0000576", "monocyte", [], ["CL:0000988"]),
    ("CL:0001054", "CD14-positive monocyte", [], ["CL:0000576"]),
    ("CL:0000171", "pancreatic A cell", ["pancreatic alpha cell"], ["CL:0000000"]),
    ("CL:0004117", "retinal ganglion cell A", ["alpha ganglion cell", "twin"], ["CL:0000000"]),
    ("CL:0000740", "retinal ganglion cell", ["twin"], ["CL:0000000"]),
]
OBSOLETE = ("CL:0000003", "obsolete native cell", "CL:0000000")
ONTOLOGY = CellOntology(
    {name: Term(name, label, tuple(synonyms), tuple(parents)) for name, label, synonyms, parents in ROWS},
    {OBSOLETE[0]: OBSOLETE[2]},
)


def as_obo(version: str = "2026-03-26") -> str:
    """OBO with what the Cell Ontology's file has besides: other relations, foreign and obsolete terms."""
    blocks = [f"format-version: 1.2\ndata-version: cl/releases/{version}/cl-basic.owl\nontology: cl"]
    for name, label, synonyms, parents in ROWS:
        lines = ["[Term]", f"id: {name}", f"name: {label}", f'synonym: "{label} (related)" RELATED []']
        lines += [f'synonym: "{text}" EXACT []' for text in synonyms]
        lines += [f"is_a: {parent} ! comment" for parent in parents]
        lines += (
            ["is_a: UBERON:0000061", "relationship: develops_from CL:0000084"] if "monocyte" in label else []
        )
        blocks.append("\n".join(lines))
    blocks.append("[Term]\nid: UBERON:0000061\nname: anatomical structure")
    old, label, new = OBSOLETE
    blocks.append(f"[Term]\nid: {old}\nname: {label}\nis_obsolete: true\nreplaced_by: {new}")
    blocks.append("[Typedef]\nid: develops_from\nname: develops from")
    return "\n\n".join(blocks) + "\n"


def as_json() -> bytes:
    """JSON in which each term has all its ancestors, with their distances."""

    def distances(term: str) -> dict[str, int]:
        found, layer, hops = {}, set(ONTOLOGY.parents(term)), 1
        while layer:
            found |= {name: hops for name in layer if name not in found}
            layer, hops = {parent for name in layer for parent in ONTOLOGY.parents(name)}, hops + 1
        return found

    terms = {
        name: {"label": label, "ancestors": distances(name), "deprecated": False}
        | ({"synonyms": synonyms} if synonyms else {})
        for name, label, synonyms, _ in ROWS
    }
    old, label, new = OBSOLETE
    terms[old] = {"label": label, "ancestors": {}, "deprecated": True, "replaced_by": new}
    return json.dumps(terms).encode()
