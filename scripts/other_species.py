"""How well a model of one species annotates another: the tables of docs/guide/species.md.

python scripts/other_species.py CELLS ORTHOLOGS reads the sets below from a folder of .h5ad files, and a table
of human and mouse symbols. Types are renamed by other_species_types.csv. Macro-F1 is over the types that a
reference and a query share; types with fewer than five cells on a side are left out.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import permutations
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.metrics import f1_score

from gene_gcn import GeneGCNClassifier
from gene_gcn.benchmark.splits import folds, labeled_cells, without_rare_types
from gene_gcn.benchmark.type_map import read_type_map, rename_types
from gene_gcn.estimators import other_species
from gene_gcn.orthologs import OrthologMatch, match_orthologs, read_orthologs

LABEL = "cell_type"
FAMILIES = {
    "pancreas": {
        "baron_mouse_pancreas": "mouse",
        "baron_mini_human_mouse": "human",  # of which the human cells are taken
        "panc8_small": "human",
        "xin_pancreas_scclassify": "human",
        "wang_pancreas_scclassify": "human",
    },
    "blood": {"tabula_muris_immune1000": "mouse", "zheng_sorted_pbmc": "human", "pbmc3k": "human"},
}
WAYS = ("all", "divided", "one-to-one", "capitals")


class Sets:
    """The sets of a folder, and a model of each.

    Parameters
    ----------
    folder : Path
    orthologs : DataFrame
        Human and mouse symbols.
    """

    def __init__(self, folder: Path, orthologs: pd.DataFrame):
        self.cells = {name: read(folder / f"{name}.h5ad") for family in FAMILIES.values() for name in family}
        self.species = {name: species for family in FAMILIES.values() for name, species in family.items()}
        self.orthologs = orthologs
        self._models: dict[str, GeneGCNClassifier] = {}

    def model(self, name: str) -> GeneGCNClassifier:
        """Return the model that was fitted to a set."""
        if name not in self._models:
            self._models[name] = GeneGCNClassifier(random_state=0).fit(self.cells[name], LABEL)
        return self._models[name]

    def types(self, *names: str) -> list[str]:
        """Return the types that all of these sets have."""
        return sorted(set.intersection(*(set(self.cells[name].obs[LABEL]) for name in names)))

    def f1(self, reference: str, query: str, types: list[str], way: str = "all", adapt: bool = True) -> float:
        """Return the macro-F1 in percent of a model on the cells of some types of a query."""
        clf, cells = self.model(reference), self.cells[query]
        cells = cells[cells.obs[LABEL].isin(types)].copy()
        species = {}
        if self.species[reference] != self.species[query]:
            table = self.table(way, cells.var_names, clf.genes_)
            species = {"organism": self.species[query], "orthologs": table}
        with divided() if way == "divided" else nullcontext():
            clf.annotate(cells, adapt="auto" if adapt else None, **species)
        return macro_f1(cells.obs[LABEL], cells.obs["gene_gcn"], types)

    def shared(self, other: str, query: str) -> np.ndarray:
        """Return which genes of a query have an ortholog in a set of another species, a mask."""
        pairs = match_orthologs(
            self.orthologs, self.cells[query].var_names, self.cells[other].var_names
        ).pairs
        return np.isin(np.arange(self.cells[query].n_vars), pairs.query)

    def f1_within(
        self, reference: str | None, query: str, types: list[str], genes: np.ndarray | None
    ) -> float:
        """Return the macro-F1 in percent of another set of the species, or of five folds of the query."""
        cells = self.cells[query]
        cells = cells[cells.obs[LABEL].isin(types)].copy()
        cells = cells if genes is None else cells[:, genes].copy()
        if reference is not None:
            self.model(reference).annotate(cells)
            return macro_f1(cells.obs[LABEL], cells.obs["gene_gcn"], types)
        predicted = pd.Series("", index=cells.obs_names)
        for train, test in folds(cells.obs[LABEL].to_numpy()):
            clf = GeneGCNClassifier(random_state=0).fit(cells[train].copy(), LABEL)
            predicted.iloc[test] = clf.predict(cells[test].copy())
        return macro_f1(cells.obs[LABEL], predicted, types)

    def table(self, way: str, query: pd.Index, model: tuple[str, ...]) -> pd.DataFrame:
        """Return the table of orthologs of a way to map genes."""
        if way == "capitals":  # no orthologs: the same symbol but for its case
            return pd.merge(
                pd.DataFrame({"query": query, "symbol": query.str.upper()}),
                pd.DataFrame({"model": model, "symbol": [gene.upper() for gene in model]}),
            )[["query", "model"]]
        table = self.orthologs
        if way == "one-to-one":
            several = [table[species].duplicated(keep=False) for species in ("human", "mouse")]
            table = table[~several[0] & ~several[1]]
        return table


class Divided(OrthologMatch):
    """Orthologs among which a gene is divided."""

    @property
    def matrix(self) -> sparse.csr_matrix:
        copied = super().matrix
        return sparse.csr_matrix(copied.multiply(1 / np.maximum(copied.sum(axis=1), 1)))


def read(path: Path) -> anndata.AnnData:
    """Read a set with the types of the script."""
    cells = anndata.read_h5ad(path)
    if path.stem == "baron_mini_human_mouse":
        cells = cells[cells.obs["batch"] == "human"].copy()
    type_map = read_type_map(Path(__file__).with_name("other_species_types.csv"))
    cells.obs[LABEL] = cells.obs[LABEL].astype(object)
    rename_types(cells, path.stem, LABEL, type_map)
    cells = without_rare_types(labeled_cells(cells, LABEL), LABEL)
    cells.obs[LABEL] = cells.obs[LABEL].astype(str)
    return cells


@contextmanager
def divided() -> Iterator[None]:
    """Divide a gene among its orthologs instead of copying it to each, until the context is left."""
    original = other_species.match_orthologs
    other_species.match_orthologs = lambda *given: Divided(**vars(original(*given)))
    try:
        yield
    finally:
        other_species.match_orthologs = original


def macro_f1(true: pd.Series, predicted: pd.Series, types: list[str]) -> float:
    """Return the macro-F1 in percent over some types."""
    true, predicted = true.astype(str), predicted.astype(str)
    return 100 * float(f1_score(true, predicted, labels=types, average="macro", zero_division=0))


def ways(sets: Sets) -> Iterator[dict[str, object]]:
    """Yield, for each reference and query of different species, the score of each way to map genes."""
    for family in FAMILIES.values():
        for reference, query in permutations(family, 2):
            if family[reference] == family[query]:
                continue
            types = sets.types(reference, query)
            model = sets.model(reference)
            found = match_orthologs(sets.orthologs, sets.cells[query].var_names, model.genes_).counts
            yield {
                "reference → query": f"{reference} → {query}",
                "types": len(types),
                "genes": len(model.genes_),
                "with orthologs": len(model.genes_) - found["none"],
                "sums": found["several"],
                "all, each cell alone": sets.f1(reference, query, types, adapt=False),
                **{way: sets.f1(reference, query, types, way) for way in WAYS},
            }


def against_own_species(sets: Sets) -> Iterator[dict[str, object]]:
    """Yield the score of each model of the other species, and of its own species, on the same cells.

    The last is measured with all genes of the query, and with those that have orthologs only.
    """
    for family in FAMILIES.values():
        for other, query in permutations(family, 2):
            if family[other] == family[query]:
                continue
            own = [name for name in family if family[name] == family[query] and name != query]
            for reference in [None, *own]:
                types = sets.types(other, query, reference or query)
                if len(types) < 2:
                    continue
                across = sets.f1(other, query, types)
                genes = sets.shared(other, query)
                scores = [sets.f1_within(reference, query, types, part) for part in (None, genes)]
                yield {
                    "query": query,
                    "types": len(types),
                    "other species": other,
                    "F1": across,
                    "own species": reference or "five folds of the query",
                    "F1 of own": scores[0],
                    "ratio": f"{across / scores[0]:.3f}",
                    "F1 of own on orthologs": scores[1],
                }


def say(rows: list[dict[str, object]]) -> None:
    """Print a table of Markdown."""
    print(f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|", sep="\n")
    for row in rows:
        values = (f"{value:.1f}" if isinstance(value, float) else f"{value}" for value in row.values())
        print(f"| {' | '.join(values)} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("cells", type=Path, help="folder of the .h5ad files")
    parser.add_argument("orthologs", type=Path, help="table with the columns human and mouse")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    sets = Sets(arguments.cells, read_orthologs(arguments.orthologs))
    rows = list(ways(sets))
    means = {name: float(np.mean([row[name] for row in rows])) for name in ("all, each cell alone", *WAYS)}
    say([*rows, dict.fromkeys(rows[0], "") | {"reference → query": "mean"} | means])
    say(list(against_own_species(sets)))


if __name__ == "__main__":
    main()
