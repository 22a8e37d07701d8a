"""Organisms are found by any of their names and by id; for misspelled names, similar ones are suggested."""

from __future__ import annotations

import pytest

from gene_gcn.genes.organisms import (
    ORGANISMS,
    Organism,
    describe_taxid,
    find_organism,
    find_taxid,
    plain_name,
)


@pytest.mark.parametrize(
    ("name", "taxid", "scientific_name"),
    [
        ("human", "9606", "Homo sapiens"),
        ("Mouse", "10090", "Mus musculus"),
        ("rat", "10116", "Rattus norvegicus"),
        ("zebrafish", "7955", "Danio rerio"),
        ("fly", "7227", "Drosophila melanogaster"),
        ("worm", "6239", "Caenorhabditis elegans"),
        ("yeast", "4932", "Saccharomyces cerevisiae"),
        ("Arabidopsis", "3702", "Arabidopsis thaliana"),
        ("pig", "9823", "Sus scrofa"),
        ("chicken", "9031", "Gallus gallus"),
        ("macaque", "9544", "Macaca mulatta"),
        ("E. coli", "511145", "Escherichia coli K12 MG1655"),
        ("M. musculus", "10090", "Mus musculus"),
        ("mus_MUSCULUS", "10090", "Mus musculus"),
        (" Homo  sapiens ", "9606", "Homo sapiens"),
        (9606, "9606", "Homo sapiens"),
        ("010090", "10090", "Mus musculus"),
    ],
)
def test_by_name_and_by_id(name, taxid, scientific_name):
    organism = find_organism(name)
    assert (organism.taxid, str(organism)) == (taxid, scientific_name)
    assert find_taxid(name) == taxid and describe_taxid(taxid) == scientific_name


def test_names_are_unique():
    names = [
        plain_name(name)
        for known in ORGANISMS
        for name in {plain_name(n) for n in (known.scientific_name, *known.common_names, known.biogrid_name)}
    ]
    assert len(names) == len(set(names))
    ids = [taxid for known in ORGANISMS for taxid in {known.taxid, known.biogrid_taxid}]
    assert len(ids) == len(set(ids)) and all(taxid.isdigit() for taxid in ids)
    for known in ORGANISMS:
        for name in (known.scientific_name, *known.common_names, known.biogrid_name, known.biogrid_taxid):
            assert find_organism(name) is known
            assert find_taxid(name) in (known.taxid, known.biogrid_taxid)


def test_strains_of_biogrid():
    yeast = find_organism("yeast")
    assert (yeast.biogrid_taxid, yeast.biogrid_name) == ("559292", "Saccharomyces_cerevisiae_S288c")
    assert find_organism(559292) is yeast is find_organism("Saccharomyces_cerevisiae_S288c")
    assert find_taxid("Saccharomyces_cerevisiae_S288c") == find_taxid(559292) == "559292"
    human = find_organism("human")
    assert (human.biogrid_taxid, human.biogrid_name) == ("9606", "Homo_sapiens")


def test_other_organisms_by_id():
    assert find_organism("123456") == find_organism(123456) == Organism("123456")
    assert str(find_organism(123456)) == describe_taxid("123456") == "taxid 123456"
    assert find_organism(123456).biogrid_taxid == "123456"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("humam", "organism='humam' is not a known name: did you mean 'human'"),
        ("Mus muscullus", "did you mean 'mus musculus'"),
        ("unicorn", "is not a known name: .*NCBI taxonomy id.*human, mouse, rat"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ValueError, match=message):
        find_organism(name)
    assert find_taxid(name) is None


@pytest.mark.parametrize("wrong", ["", "  ", None, True, 9606.0, 0, -1, "-9606"])
def test_wrong_types_and_ids(wrong):
    for find in (find_organism, find_taxid):
        with pytest.raises(ValueError, match="organism="):
            find(wrong)
