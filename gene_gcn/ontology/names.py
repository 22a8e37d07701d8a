"""Which terms of the Cell Ontology free names of types mean: exact matches, and suggestions for a person."""

from __future__ import annotations

import difflib
import math
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.ontology.hierarchy import Hierarchy
from gene_gcn.ontology.terms import UNKNOWN_ID, CellOntology
from gene_gcn.storage.text_files import damage_as_argument_error, existing_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OntologyMap", "ids_by_name", "map_names", "read_map", "read_table"]

SUGGESTIONS = 5
COLUMNS = ("name", "id", "label", "match")
# How the field shortens names of types, beyond the synonyms of the Cell Ontology.
SHORT = {
    "astro": "astrocyte",
    "at1": "pulmonary alveolar type 1 cell",
    "at2": "pulmonary alveolar type 2 cell",
    "cd4has": "cd4has alpha beta",  # T cells with either have this receptor
    "cd8has": "cd8has alpha beta",
    "dc": "dendritic cell",
    "ec": "endothelial cell",
    "endo": "endothelial",
    "epi": "epithelial",
    "fcgr3ahas": "cd16has",  # the gene of CD16
    "fib": "fibroblast",
    "gdt": "gamma delta t cell",
    "hsc": "hematopoietic stem cell",
    "hspc": "hematopoietic precursor cell",
    "ilc": "innate lymphoid cell",
    "mac": "macrophage",
    "mait": "mucosal invariant t cell",
    "microglia": "microglial cell",
    "mk": "megakaryocyte",
    "mono": "monocyte",
    "neut": "neutrophil",
    "nk": "natural killer cell",
    "nkt": "nk t cell",
    "oligo": "oligodendrocyte",
    "opc": "oligodendrocyte precursor cell",
    "plt": "platelet",
    "rbc": "erythrocyte",
    "reg": "regulatory",
    "smc": "smooth muscle cell",
    "tcm": "central memory t cell",
    "tem": "effector memory t cell",
    "treg": "regulatory t cell",
}
GREEK = {"α": " alpha ", "β": " beta ", "γ": " gamma ", "δ": " delta ", "ε": " epsilon "}
SINGULAR = ("has", "is", "lacks", "ss", "us")  # endings of words with "s" that are no plurals
CLOSE_SPELLING = 0.8  # difflib's ratio above which an unknown word is taken for one of the ontology
TISSUE_WEIGHT = 0.5  # of the words of the tissue, in comparison with those of the name


def map_names(names: Iterable[str], ontology: CellOntology, *, tissue: str | None = None) -> pd.DataFrame:
    """Find the terms that names of types mean; where that is not certain, suggest some.

    A name is matched if it is the label of a term or an exact synonym of a single one, but for case,
    underscores and spaces. All others stay empty, with suggestions ordered by how many of their words, rare
    ones counting more, they share with the name. A person then fills in ids, in a table on disk for instance,
    and passes the table on (`read_map`, ``fit(parents=...)``).

    Parameters
    ----------
    names : iterable of str
        Repeated names are listed once.
    ontology : CellOntology
    tissue : str, optional
        Words to prefer in suggestions, such as "pancreatic" for "alpha".

    Returns
    -------
    DataFrame
        A row per name: "name", "id" (empty if not matched), "label" (of the term), "match" ("label",
        "synonym" or "none"), and "suggestion_1" to "suggestion_5", such as
        ``"CL:0000236 B cell (1.00)"``, with the fraction of words shared.
    """
    import pandas as pd

    exact, words = _ExactNames.of(ontology), _Words.of(ontology)
    rows = []
    for name in dict.fromkeys(map(str, names)):
        found, match = exact.find(name)
        row = {"name": name, "id": found, "label": ontology[found].label if found else "", "match": match}
        suggested = [] if found else words.suggest(name, tissue or "")
        for number in range(SUGGESTIONS):
            text = ""
            if number < len(suggested):
                term, score = suggested[number]
                text = f"{term} {ontology[term].label} ({score:.2f})"
            row[f"suggestion_{number + 1}"] = text
        rows.append(row)
    columns = [*COLUMNS, *(f"suggestion_{number + 1}" for number in range(SUGGESTIONS))]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True, eq=False)
class OntologyMap:
    """The terms of the Cell Ontology that names of types mean; `read_map` makes it.

    Attributes
    ----------
    ids : dict of str to str
        By name; "unknown" for names without a term.
    ontology : CellOntology
    """

    ids: Mapping[str, str]
    ontology: CellOntology

    def hierarchy(self, types: Sequence[str]) -> Hierarchy:
        """Return the part of the Cell Ontology above some types; see `Hierarchy.from_ontology`.

        Parameters
        ----------
        types : sequence of str
            Names of the K types.
        """
        return Hierarchy.from_ontology(types, self.ids, self.ontology)


def read_map(source: str | os.PathLike[str] | pd.DataFrame, ontology: CellOntology) -> OntologyMap:
    """Read a map that `map_names` made and a person edited.

    Parameters
    ----------
    source : DataFrame or path of a .csv or .tsv file
        With the columns "name" and "id"; an id may be empty or "unknown".
    ontology : CellOntology
        Obsolete ids become those of the terms that replace them.

    Returns
    -------
    OntologyMap

    Raises
    ------
    ArgumentError
        A column is missing, a name has two ids, or an id is not a term.
    """
    table = read_table(source)
    if "id" not in table:
        text = f" lacks the column 'id'; it has {list(table.columns)}."
        raise ArgumentError("parents", Argument("parents"), text)
    ids = ids_by_name(table)
    for name, given in ids.items():
        if given != UNKNOWN_ID:
            try:
                ids[name] = ontology[given].id
            except ArgumentError as error:
                raise ArgumentError("parents", f"The map gives {name!r} the id {error}") from error
    return OntologyMap(ids, ontology)


def ids_by_name(table: pd.DataFrame) -> dict[str, str]:
    """Return the id of each name of a table that `read_table` read; "unknown" where there is none.

    Raises
    ------
    ArgumentError
        A name has two ids.
    """
    ids: dict[str, str] = {}
    for name, given in zip(table["name"], table["id"], strict=True):
        known = ids.setdefault(name, given or UNKNOWN_ID)
        if known == UNKNOWN_ID:
            ids[name] = given or UNKNOWN_ID
        elif given not in (known, "", UNKNOWN_ID):
            raise ArgumentError("parents", f"The map gives {name!r} two ids, {known} and {given}; keep one.")
    return ids


def read_table(source: str | os.PathLike[str] | pd.DataFrame) -> pd.DataFrame:
    """Return a table about names: "name" and "parent", "id" or both, as text, empty where values are missing.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ArgumentError
        These columns are missing, or a name is.
    """
    import pandas as pd

    if not isinstance(source, pd.DataFrame):
        path = existing_file(source, "parents")
        separator = "\t" if ".tsv" in path.suffixes[-2:] else ","
        with damage_as_argument_error(path, "parents"):
            source = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    table = source[[column for column in ("name", "parent", "id") if column in source]]
    if "name" not in table or table.shape[1] < 2:
        needed = " needs the column 'name', and 'parent' or 'id'"
        raise ArgumentError("parents", Argument("parents"), f"{needed}; it has {list(source.columns)}.")
    table = table.fillna("").astype(str).map(str.strip)
    if (table["name"] == "").any():
        raise ArgumentError("parents", Argument("parents"), " has rows without a name; delete them.")
    return table


@dataclass(frozen=True, eq=False)
class _ExactNames:
    """Terms by label and by exact synonym, ambiguous ones left out."""

    labels: Mapping[str, str]
    synonyms: Mapping[str, str]

    @classmethod
    def of(cls, ontology: CellOntology) -> _ExactNames:
        terms = ontology.terms.values()
        labels = _unambiguous((_spelling(term.label), term.id) for term in terms)
        synonyms = _unambiguous((_spelling(name), term.id) for term in terms for name in term.synonyms)
        return cls(labels, synonyms)

    def find(self, name: str) -> tuple[str, str]:
        spelled = _spelling(name)
        if spelled in self.labels:
            return self.labels[spelled], "label"
        if spelled in self.synonyms:
            return self.synonyms[spelled], "synonym"
        return "", "none"


@dataclass(frozen=True, eq=False)
class _Words:
    """The words of all labels and synonyms, and how rare they are.

    Attributes
    ----------
    entries : list of (str, int, frozenset of str)
        Term, number of its ancestors, and words of one of its names.
    rarity : dict of str to float
        Logarithm of the number of names over those that have the word.
    """

    entries: Sequence[tuple[str, int, frozenset[str]]]
    rarity: Mapping[str, float]

    @classmethod
    def of(cls, ontology: CellOntology) -> _Words:
        entries = [
            (term.id, len(ontology.ancestors(term.id)), _words(name))
            for term in ontology.terms.values()
            for name in (term.label, *term.synonyms)
        ]
        counts = Counter(word for _, _, words in entries for word in words)
        rarity = {word: math.log(1 + len(entries) / count) for word, count in counts.items()}
        return cls(entries, rarity)

    def suggest(self, name: str, tissue: str) -> list[tuple[str, float]]:
        """Return terms and the fraction of words that they share with a name, the best first."""
        wanted = {word: self.rarity[word] for word in map(self._known, _words(name)) if word}
        extra = {word: TISSUE_WEIGHT * self.rarity[word] for word in map(self._known, _words(tissue)) if word}
        weight = extra | wanted
        total = sum(wanted.values())
        best: dict[str, tuple[float, int]] = {}
        for term, depth, words in self.entries:
            if words.isdisjoint(wanted):
                continue
            own = sum(self.rarity[word] for word in words)
            shared = sum(weight[word] for word in words & weight.keys())
            score = min(2 * shared / (total + own), 1.0)
            best[term] = max(best.get(term, (0.0, -depth)), (score, -depth))
        ranked = sorted(best, key=lambda term: (best[term], term), reverse=True)
        return [(term, best[term][0]) for term in ranked[:SUGGESTIONS]]

    def _known(self, word: str) -> str | None:
        """Return the word of the ontology that a word is, or is a misspelling of."""
        if word in self.rarity:
            return word
        alike = [each for each in self.rarity if each[0] == word[0]] if len(word) > 4 else []
        close = difflib.get_close_matches(word, alike, 1, CLOSE_SPELLING)
        return close[0] if close else None


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    terms: dict[str, set[str]] = {}
    for name, term in pairs:
        terms.setdefault(name, set()).add(term)
    return {name: next(iter(found)) for name, found in terms.items() if len(found) == 1}


def _spelling(name: str) -> str:
    """Return a name without differences of case, spaces and underscores."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())


def _words(name: str) -> frozenset[str]:
    """Return the words of a name: singular, written out; "cd4has" and "cd25lacks" for markers."""
    text = _spelling(name).replace("thymus-derived ", "")  # as all T cells are
    for letter, word in GREEK.items():
        text = text.replace(letter, word)
    text = re.sub(r"\b(\w+)(?:\+|-?positive\b)", r"\1 has", text)
    text = re.sub(r"\b(cd\d+\w*)(?:-(?=$|[\s/,])|-?negative\b)", r"\1 lacks", text)
    text = re.sub(r"\b(\w+) (has|lacks)", r" \1\2 ", text)
    text = re.sub(r"\b(cd\d+)\b", r"\1has", text)  # CD4 T cells have it
    text = re.sub(r"\b([a-z]{4,})(\d+)\b", r"\1 \2", text)
    words: list[str] = []
    for word in re.split(r"[^a-z0-9]+", text):
        is_plural = len(word) > 3 and word.endswith("s") and not word.endswith(SINGULAR)
        single = word[:-1] if is_plural else word
        words += SHORT.get(single, single).split()
    return frozenset(words)
