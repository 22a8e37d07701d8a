"""Annotations as a value: genes and terms without repetitions, under the user's names."""

from __future__ import annotations

import pandas as pd
import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.networks import GeneTerms, NetworkSource

TABLE = pd.DataFrame(
    {
        "gene": ["TP53", "MDM2", "TP53", "TP53", "ACTB"],
        "category": ["Process", "Process", "Pathway", "Process", "Process"],
        "term": ["P:1", "P:1", "P:1", "P:1", "P:0"],
        "description": ["cell cycle", "cell cycle", "a pathway", "repeated", "motility"],
    }
)


def test_rows_become_genes_terms_and_membership():
    terms = GeneTerms.from_frame(TABLE, NetworkSource("mine"))
    assert terms.genes == ("ACTB", "MDM2", "TP53")
    assert terms.terms.to_numpy().tolist() == [
        ["Pathway", "P:1", "a pathway"],
        ["Process", "P:0", "motility"],
        ["Process", "P:1", "cell cycle"],
    ]
    assert terms.membership.toarray().tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 1]]
    assert terms.membership.dtype == bool
    assert terms.categories.to_dict() == {"Process": 2, "Pathway": 1}
    assert repr(terms) == "GeneTerms(3 genes, 3 terms, mine)"


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_and_their_type_do_not_matter(seed):
    first = GeneTerms.from_frame(TABLE.iloc[:3])
    rows = TABLE.iloc[:3].sample(frac=1, random_state=seed)
    for table in (rows, rows.astype("category")):
        again = GeneTerms.from_frame(table)
        assert again.genes == first.genes and (again.membership != first.membership).nnz == 0
        pd.testing.assert_frame_equal(again.terms, first.terms)
    pd.testing.assert_frame_equal(GeneTerms.from_frame(first.to_frame()).to_frame(), first.to_frame())


def test_user_s_genes_keep_their_names():
    terms = GeneTerms.from_frame(TABLE)
    aliases = pd.DataFrame({"alias": ["ENSG01", "ENSG02"], "name": ["TP53", "ACTB"]})
    mine = terms.for_genes(["ENSG02.1", "other", "ENSG01"], aliases)
    assert mine.genes == ("ENSG02.1", "ENSG01")
    assert mine.terms["description"].tolist() == ["a pathway", "motility", "cell cycle"]
    assert mine.membership.toarray().tolist() == [[0, 1, 0], [1, 0, 1]]
    only = terms.for_genes(["ACTB"])
    assert only.terms["description"].tolist() == ["motility"] and only.membership.shape == (1, 1)
    with pytest.raises(ArgumentError, match=r"None of the 2 genes .*ENSG01, ENSG02.* has a term"):
        terms.for_genes(["ENSG01", "ENSG02"])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.drop(columns="term"), r"lacks the columns \['term'\]; it has \['gene', 'category', 'desc"),
        (TABLE.iloc[:0], "has no rows"),
        (TABLE.assign(term=[None, *TABLE["term"][1:]]), "has missing values"),
        (TABLE.assign(gene=["", *TABLE["gene"][1:]]), "non-empty string"),
    ],
)
def test_wrong_tables(table, message):
    with pytest.raises(ArgumentError, match=message):
        GeneTerms.from_frame(table)
