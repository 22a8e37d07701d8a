"""p-values and false discovery rates are those of GSEApy and of sums by hand, over genes with terms."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import gseapy
import numpy as np
import pandas as pd
import pytest
from explained_cells import GENES, small_explanation

from gene_gcn.errors import ArgumentError
from gene_gcn.explain import enrichment
from gene_gcn.networks import GeneTerms

COLUMNS = ["category", "term", "description", "found", "term_size", "chosen", "background"]
COLUMNS += ["fold", "p_value", "fdr", "genes"]


def make_terms(sets: dict[str, list[str]], category: str = "Process") -> GeneTerms:
    rows = [(gene, category, term, f"about {term}") for term, genes in sets.items() for gene in genes]
    return GeneTerms.from_frame(pd.DataFrame(rows, columns=["gene", "category", "term", "description"]))


def random_sets(seed: int, count: int = 40, genes: int = 120) -> dict[str, list[str]]:
    rng = np.random.default_rng(seed)
    names = np.array([f"G{i}" for i in range(genes)])
    return {f"T{i}": rng.choice(names, rng.integers(30, 70), replace=False).tolist() for i in range(count)}


def test_a_small_case_by_hand():
    """Of 6 genes with terms 2 are chosen, both of the 3 genes with term A: 3 of the 15 pairs have as many."""
    terms = make_terms({"A": ["a", "b", "c"], "B": ["d", "e", "f"]})
    table = enrichment(["b", "a"], terms, [*"abcdef", "without terms"], min_size=1, max_fdr=1)
    row = table.iloc[0]
    assert list(table.columns) == COLUMNS and table["term"].tolist() == ["A"]
    assert (row["found"], row["term_size"], row["chosen"], row["background"]) == (2, 3, 2, 6)
    pairs = list(combinations("abcdef", 2))
    assert row["p_value"] == pytest.approx(sum(set(pair) <= set("abc") for pair in pairs) / len(pairs))
    assert row["fdr"] == pytest.approx(2 * row["p_value"])  # B counts as a test, though nothing is found
    assert row["fold"] == 2 and row["genes"] == "b, a" and row["description"] == "about A"


@pytest.mark.parametrize("seed", range(3))
def test_as_gseapy(seed):
    """Which counts only terms with a chosen gene as tests; here all have one."""
    sets = random_sets(seed)
    background = sorted({gene for genes in sets.values() for gene in genes})[20:]
    chosen = np.random.default_rng(seed).choice(background, 25, replace=False).tolist()
    theirs = gseapy.enrich(chosen, sets, background=background, outdir=None, no_plot=True).results
    theirs = theirs.set_index("Term").sort_index()
    ours = enrichment(chosen, make_terms(sets), background, max_fdr=1, min_size=1)
    ours = ours.set_index("term").sort_index()
    assert list(ours.index) == list(theirs.index) and len(ours) == len(sets)
    np.testing.assert_allclose(ours["p_value"], theirs["P-value"], rtol=1e-9)
    np.testing.assert_allclose(ours["fdr"], theirs["Adjusted P-value"], rtol=1e-9)
    counts = ours["found"].astype(str) + "/" + ours["term_size"].astype(str)
    assert counts.tolist() == theirs["Overlap"].tolist()
    assert [set(genes.split(", ")) for genes in ours["genes"]] == [
        set(genes.split(";")) for genes in theirs["Genes"]
    ]


def test_p_values_of_genes_drawn_at_random_are_not_too_small():
    """On average, at most a fraction α of the p-values is α or less."""
    sets, rng = random_sets(0, 20), np.random.default_rng(1)
    terms = make_terms(sets)
    tables = [
        enrichment(rng.choice(terms.genes, 30, replace=False), terms, terms.genes, max_fdr=1, min_size=1)
        for _ in range(200)
    ]
    p_values = np.concatenate([table["p_value"] for table in tables])
    for alpha in (0.01, 0.05, 0.2):
        assert (p_values <= alpha).sum() / (200 * len(sets)) < alpha * 1.15
    assert sum((table["fdr"] <= 0.05).any() for table in tables) / 200 < 0.08


def test_categories_are_corrected_on_their_own():
    one, two = random_sets(0), random_sets(1)
    both = pd.concat([make_terms(one, "one").to_frame(), make_terms(two, "two").to_frame()])
    terms = GeneTerms.from_frame(both)
    chosen = list(terms.genes[:20])
    every = enrichment(chosen, terms, terms.genes, max_fdr=1)
    alone = enrichment(chosen, terms, terms.genes, max_fdr=1, categories="two")
    of_two = every[every["category"] == "two"].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_two, alone)
    assert set(every["category"]) == {"one", "two"} and every["p_value"].is_monotonic_increasing


def test_sizes_are_those_in_the_background():
    terms = make_terms({"large": list("abcdefgh"), "small": list("abc")})
    table = enrichment(list("ab"), terms, list("abcd"), max_fdr=1, min_size=4)
    assert table["term"].tolist() == ["large"] and table["term_size"].tolist() == [4]
    assert enrichment(list("ab"), terms, list("abcd"), max_fdr=1e-9, min_size=1).empty
    with pytest.raises(ArgumentError, match="min_size=5 leaves no term with 5 to 500 genes among the 4"):
        enrichment(list("ab"), terms, list("abcd"))


def test_versions_of_ids_are_ignored():
    terms = make_terms({"A": ["ENSG01", "ENSG02"], "B": ["ENSG03"]})
    genes = ["ENSG01.3", "ENSG02.1", "ENSG03.2"]
    table = enrichment(genes[:2], terms, genes, min_size=1, max_fdr=1)
    assert table["genes"].tolist() == ["ENSG01.3, ENSG02.1"]


@pytest.mark.parametrize(
    ("arguments", "argument", "message"),
    [
        ({"genes": ["a", "z"]}, "genes", "not all in the background: 1 of 2 are not, such as z"),
        ({"genes": []}, "genes", r"genes=\[\] must be a list of genes"),
        ({"genes": "a"}, "genes", "genes='a' must be a list of genes"),
        ({"background": []}, "background", "must be a list of genes"),
        ({"genes": ["x"], "background": ["x", "y"]}, "background", r"none of the 2 \(x, y, …\) has a term"),
        (
            {"genes": ["x"], "background": ["a", "x"]},
            "genes",
            r"none of the 1 \(x, …\) has a term in GeneTerms",
        ),
        ({"categories": "Proces"}, "categories", r"categories='Proces' is not among .* \['Process'\]"),
        ({"categories": []}, "categories", "is empty"),
        ({"max_fdr": 0}, "max_fdr", "above 0"),
        ({"min_size": 0}, "min_size", "at least 1"),
        ({"max_size": 1}, "max_size", "must be at least min_size, 5"),
    ],
)
def test_wrong_arguments(arguments, argument, message):
    terms = make_terms({"A": list("abc"), "B": list("bcd")})
    with pytest.raises(ArgumentError, match=message) as error:
        enrichment(**{"genes": ["a"], "terms": terms, "background": list("abcd"), **arguments})
    assert error.value.argument == argument


def test_an_explanation_takes_genes_that_are_up_and_those_that_are_expressed():
    explanation = small_explanation()
    X = explanation.X.tolil()
    X[:, 5] = 0  # no cell expresses it, so it could not be chosen
    explanation = replace(explanation, X=X.tocsr())
    terms = make_terms({f"with {gene}": [gene] for gene in GENES})
    cells = [0, 2, 3]
    total = explanation.genes("B", None, cells=cells).set_index("gene").loc[GENES, "total"].to_numpy()
    excess = X.toarray()[cells].mean(axis=0) - explanation.groups[0].baseline
    up = (excess > 0) & (total > 0) & explanation.groups[0].measured
    expected = [GENES[i] for i in np.argsort(-total) if up[i]]
    for top in (2, 100):
        table = explanation.enrichment(terms, "B", top, cells=cells, min_size=1, max_fdr=1)
        assert set(table["genes"]) == set(expected[:top])
        assert (table["background"] == len(GENES) - 1).all() and len(expected) > 2
    table = explanation.enrichment(terms, "B", cells=cells, background=GENES, min_size=1, max_fdr=1)
    assert (table["background"] == len(GENES)).all()
    with pytest.raises(ArgumentError, match="top=0"):
        explanation.enrichment(terms, "B", 0)
