"""Count how many names of types match a term of the Cell Ontology, and how often suggestions are right.

    python scripts/suggested_terms.py docs/benchmarks/names_of_types.csv --ontology CL-ontology-*.json.zst

The table has the name, the id that a person chose, further ids that are right, and the words of the tissue
that `map_names` is given.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from gene_gcn.ontology import CellOntology, cell_ontology, map_names


def judge(table: pd.DataFrame, ontology: CellOntology) -> pd.DataFrame:
    """Return the map of the names: whether the match or first suggestion is "right", any "listed"."""
    parts = []
    for tissue, names in table.groupby("tissue", sort=False):
        parts.append(map_names(names["name"], ontology, tissue=str(tissue)))
    mapped = pd.concat(parts).set_index("name").loc[table["name"]].reset_index()
    accepted = [{row.id, *row.also_right.split()} for row in table.itertuples()]
    suggested = mapped.filter(like="suggestion_").map(lambda text: text.split(" ")[0])
    first = mapped["id"].where(mapped["id"] != "", suggested["suggestion_1"])
    mapped["right"] = [term in known for term, known in zip(first, accepted, strict=True)]
    listed = [bool(set(row) & known) for row, known in zip(suggested.to_numpy(), accepted, strict=True)]
    mapped["listed"] = mapped["right"] | pd.Series(listed)
    return mapped


def main() -> None:
    """Print how many match, how many first suggestions are right, and those that are not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", type=Path, help="table of names and ids")
    parser.add_argument("--ontology", type=Path, help="file of the Cell Ontology")
    arguments = parser.parse_args()
    table = pd.read_csv(arguments.names, keep_default_na=False, dtype=str)
    mapped = judge(table, cell_ontology(arguments.ontology))
    matched = mapped[mapped["id"] != ""]
    others = mapped[mapped["id"] == ""]
    print(
        f"{len(matched)} of {len(mapped)} names match a term, {matched['right'].sum()} of them the right one"
    )
    first = f"{others['right'].sum()} of {len(others)} first suggestions are right"
    print(f"{first}; for {others['listed'].sum()} one of the five is")
    print(others.loc[~others["right"], ["name", "suggestion_1"]].to_string(index=False))


if __name__ == "__main__":
    main()
