"""Do markers of types that are not among the cells go unused? A table of docs/guide/markers.md.

To the markers of each public set those of another tissue are added: of the pancreas to blood, of blood to the
pancreas. Types count where two of their markers are among the genes.

python scripts/absent_types.py CELLS, where CELLS holds the sets as *.h5ad. With --unlisted SET, each type of
a set is left out of the list instead, and should be called unknown.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import pandas as pd
from anndata import AnnData
from sklearn.metrics import f1_score

from gene_gcn import from_markers
from gene_gcn.benchmark.marker_methods import MARKERS
from gene_gcn.benchmark.splits import labeled_cells, without_rare_types
from gene_gcn.cells import read_cells

LABEL = "cell_type"
MOUSE = ("baron_mouse_pancreas", "tabula_muris_immune1000")
SHARED = ("macrophage", "B_cell", "T_cell", "immune_other")  # of the pancreas, and of blood as well


def main() -> None:
    """Print a row for each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cells", type=Path, help="folder with the public sets as .h5ad")
    parser.add_argument("--unlisted", metavar="SET", help="name of a set, such as pbmc3k")
    options = parser.parse_args()
    folder, table = options.cells, pd.read_csv(MARKERS)
    if options.unlisted:
        leave_out(folder / f"{options.unlisted}.h5ad", table[table["file"] == options.unlisted])
        return
    columns = ("set", "absent types", "kept", "F1", "F1, with absent types", "own types lost")
    print(f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", sep="\n")
    for name, own in table.groupby("file", sort=False):
        path = folder / f"{name}.h5ad"
        if path.exists():
            found = measure(path, own, absent_from(table, str(name)))
            print(f"| {' | '.join(map(str, found.values()))} |", flush=True)


def leave_out(path: Path, markers: pd.DataFrame) -> None:
    """Print, for each type that is left out of the list, how many of its cells are called unknown."""
    cells = without_rare_types(labeled_cells(read_cells(path), LABEL), LABEL)
    print("| type left out | called unknown | others called unknown |\n|---|---|---|")
    for name in cells.obs[LABEL].unique():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            clf = from_markers(markers[markers["type"] != name], random_state=0).fit(cells)
            clf.annotate(cells, unknown=True)
        is_unknown, is_new = cells.obs["gene_gcn"] == "unknown", cells.obs[LABEL] == name
        print(f"| {name} | {is_unknown[is_new].mean():.2f} | {is_unknown[~is_new].mean():.3f} |", flush=True)


def absent_from(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the markers of types that are not in the tissue of a set, each type once."""
    is_pancreas = table["file"].str.contains("pancreas|panc8|baron")
    same_species = table["file"].isin(MOUSE) == (name in MOUSE)
    other = table[same_species & (is_pancreas != is_pancreas[table["file"] == name].iloc[0])]
    other = other[~other["type"].isin(SHARED)].drop_duplicates("type", keep="first")["type"].index
    chosen = table.loc[other, ["file", "type"]].merge(table, on=["file", "type"])
    return chosen.assign(type="absent: " + chosen["type"])


def measure(path: Path, own: pd.DataFrame, absent: pd.DataFrame) -> dict[str, object]:
    """Annotate the cells with and without markers of absent types."""
    cells = without_rare_types(labeled_cells(read_cells(path), LABEL), LABEL)
    present = absent[absent["gene"].isin(cells.var_names)]
    testable = present.groupby("type").filter(lambda genes: len(genes) > 1)
    alone, _ = macro_f1(cells, own)
    together, used = macro_f1(cells, pd.concat([own, testable]))
    is_absent = used.index.str.startswith("absent: ")
    return {
        "set": path.stem,
        "absent types": testable["type"].nunique(),
        "kept": int(used[is_absent].sum()),
        "F1": f"{alone:.3f}",
        "F1, with absent types": f"{together:.3f}",
        "own types lost": ", ".join(used.index[~used & ~is_absent]) or "–",
    }


def macro_f1(cells: AnnData, markers: pd.DataFrame) -> tuple[float, pd.Series]:
    """Return macro-F1, and which types of the markers were used."""
    truth = cells.obs[LABEL].astype(str).to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clf = from_markers(markers, random_state=0).fit(cells)
        predicted = clf.predict(cells).astype(str)
    labels = sorted(set(truth))
    score = f1_score(truth, predicted, average="macro", labels=labels, zero_division=0)
    return float(score), clf.markers_.set_index("type")["used"]


if __name__ == "__main__":
    main()
