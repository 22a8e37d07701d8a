from __future__ import annotations

import gzip
import hashlib

import pytest

from gene_gcn import networks
from gene_gcn.networks import GeneNetwork
from gene_gcn.networks.string import parse_info, parse_links

LINKS = """\
protein1 protein2 combined_score
9606.ENSP01 9606.ENSP02 900
9606.ENSP02 9606.ENSP01 900
9606.ENSP01 9606.ENSP03 450
9606.ENSP03 9606.ENSP01 450
9606.ENSP02 9606.ENSP03 150
9606.ENSP03 9606.ENSP02 150
"""
INFO = """\
#string_protein_id\tpreferred_name\tprotein_size\tannotation
9606.ENSP01\tTP53\t393\tCellular tumor antigen p53; Acts as "a tumor suppressor
9606.ENSP02\tMDM2\t491\tE3 ubiquitin-protein ligase
9606.ENSP03\tNA\t10\tannotation not available
"""
NAMED = GeneNetwork(["MDM2", "NA", "TP53"], [[0, 1], [2, 2]], [900, 450])
UNNAMED = GeneNetwork(["ENSP01", "ENSP02", "ENSP03"], [[0, 0], [1, 2]], [900, 450])


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture
def links(tmp_path):
    return write(tmp_path / "9606.protein.links.v12.0.txt.gz", LINKS)


def test_names_and_source(links):
    write(links.parent / "9606.protein.info.v12.0.txt.gz", INFO)
    network = networks.string(links)
    assert network == NAMED
    source = network.source
    assert (source.name, source.version, source.organism, source.licence) == (
        "STRING",
        "12.0",
        "Homo sapiens",
        "CC BY 4.0",
    )
    assert "doi:10.1093/nar/gkac1000" in source.citation
    assert source.sha256 == hashlib.sha256(links.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("links_name", "info_name"),
    [
        ("9606.protein.links.v12.0.txt", "9606.protein.info.v12.0.txt"),
        ("9606.protein.links.v12.0.txt", "9606.protein.info.v12.0.txt.gz"),
        ("9606.protein.links.detailed.v11.5.txt.gz", "9606.protein.info.v11.5.txt.gz"),
        ("9606.protein.links.full.v11.0.txt.gz", "9606.protein.info.v11.0.txt.gz"),
        ("9606.protein.physical.links.v12.0.txt.gz", "9606.protein.info.v12.0.txt.gz"),
        (
            "protein.links.v12.0/9606.protein.links.v12.0.txt.gz",
            "protein.info.v12.0/9606.protein.info.v12.0.txt.gz",
        ),
    ],
)
def test_info_is_found_next_to_the_links(tmp_path, links_name, info_name):
    path = write(tmp_path / links_name, LINKS)
    assert networks.string(path) == UNNAMED
    write(tmp_path / info_name, INFO)
    assert networks.string(path) == NAMED


def test_info_can_be_named_and_has_an_older_header(tmp_path):
    path = write(tmp_path / "links.txt", LINKS)
    info = write(tmp_path / "names.tsv", INFO.replace("#string_protein_id", "protein_external_id"))
    network = networks.string(path, info, version="11.0b", organism="human")
    assert network == NAMED
    assert (network.source.version, network.source.organism) == ("11.0b", "Homo sapiens")
    assert networks.string(path).source.version is None


def test_proteins_without_a_name_and_with_the_same_name(links):
    write(links.parent / "9606.protein.info.v12.0.txt.gz", INFO.replace("ENSP03\tNA", "ENSP03\tMDM2"))
    assert networks.string(links) == GeneNetwork(["MDM2", "TP53"], [[0], [1]])
    write(links.parent / "9606.protein.info.v12.0.txt.gz", INFO.replace("9606.ENSP03", "9606.ENSP99"))
    assert networks.string(links).genes == ("ENSP03", "MDM2", "TP53")


@pytest.mark.parametrize(
    "header",
    [
        "protein1 protein2 neighborhood fusion cooccurence coexpression experimental database textmining {}",
        "protein1 protein2 neighborhood neighborhood_transferred fusion cooccurence homology "
        "coexpression coexpression_transferred experiments experiments_transferred database "
        "database_transferred textmining textmining_transferred {}",
    ],
    ids=["detailed", "full"],
)
def test_other_layouts(tmp_path, header):
    header = header.format("combined_score")
    filler = " ".join(["7"] * (len(header.split()) - 3))
    rows = [line.rsplit(" ", 1) for line in LINKS.splitlines()[1:]]
    content = "\n".join([header, *(f"{pair} {filler} {score}" for pair, score in rows)]) + "\n"
    assert networks.string(write(tmp_path / "links.txt.gz", content)) == UNNAMED


@pytest.mark.parametrize(("min_score", "num_edges"), [(0, 3), (150, 3), (151, 2), (450, 2), (900, 1)])
def test_min_score(links, min_score, num_edges):
    network = networks.string(links, min_score=min_score)
    assert network.num_edges == num_edges
    assert network.degree.min() > 0  # genes without an edge are not in it


@pytest.mark.parametrize(
    ("min_score", "message"),
    [
        (0.4, "from 0 to 1000; pass min_score=400"),
        (1001, "min_score=1001 is out of range"),
        (-1, "min_score=-1 is out of range"),
        ("high", "min_score='high' must be a number"),
        (True, "min_score=True must be a number"),
        (950, "no pair reaches min_score=950; the highest combined score is 900"),
    ],
)
def test_wrong_min_score(links, min_score, message):
    with pytest.raises(ValueError, match=message):
        networks.string(links, min_score=min_score)


def test_organism(links):
    for organism in ("human", "Human", "Homo sapiens", "homo_sapiens", 9606, "9606"):
        assert networks.string(links, organism=organism) == UNNAMED
    with pytest.raises(ValueError, match=r"organism='mouse' \(taxid 10090\).* holds Homo sapiens"):
        networks.string(links, organism="mouse")
    with pytest.raises(ValueError, match="organism='zebrafish' is not known here by name"):
        networks.string(links, organism="zebrafish")
    with pytest.raises(ValueError, match="organism=0 is no NCBI"):
        networks.string(links, organism=0)


def test_several_organisms(tmp_path):
    path = write(tmp_path / "protein.links.v12.0.txt", LINKS + "10090.ENSMUSP1 10090.ENSMUSP2 900\n")
    with pytest.raises(ValueError, match="holds 2 organisms"):
        networks.string(path)


def test_an_organism_without_a_name_here(tmp_path):
    path = write(tmp_path / "4932.protein.links.v12.0.txt", LINKS.replace("9606.ENSP", "4932.YAL00"))
    network = networks.string(path)
    assert network.source.organism == "taxid 4932" and network.genes == ("YAL0001", "YAL0002", "YAL0003")


def test_info_of_another_organism(links):
    info = write(links.parent / "info.txt", INFO.replace("9606.", "10090."))
    with pytest.raises(ValueError, match="names none of the proteins"):
        networks.string(links, info)
    with pytest.raises(FileNotFoundError, match="info=.*nothing.txt"):
        networks.string(links, links.parent / "nothing.txt")
    with pytest.raises(ValueError, match="is no protein.info file"):
        networks.string(links, links)


def test_without_a_path():
    with pytest.raises(NotImplementedError, match="https://stringdb-downloads.org"):
        networks.string(organism="human")
    with pytest.raises(FileNotFoundError, match="path='human' does not exist"):
        networks.string("human")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html><body>404</body></html>", "is a web page"),
        (INFO.encode(), "is no protein.links file of STRING"),
        (b"protein1 protein2 score\nA B 1\n", "lacks"),
        (b"protein1 protein2 combined_score\n9606.A 9606.B high\n", "combined_score must hold whole numbers"),
        (LINKS.encode() + b"9606.A 9606.B\n", "combined_score must hold whole numbers"),
        (b"protein1 protein2 combined_score\n", "no pair reaches"),
        (gzip.compress(LINKS.encode() * 1)[:-10], "damaged or incomplete gzip"),
        (
            gzip.compress((LINKS + LINKS.split("\n", 1)[1] * 200_000).encode())[:-1000],
            "damaged or incomplete gzip",
        ),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "9606.protein.links.v12.0.txt.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        networks.string(path)
    assert path.name in str(error.value)


def test_tables(links):
    table = parse_links(links)
    assert table.astype(str).values.tolist() == [line.split() for line in LINKS.splitlines()[1:]]
    info = parse_info(write(links.parent / "info.txt", INFO))
    assert info.to_dict() == {"9606.ENSP01": "TP53", "9606.ENSP02": "MDM2", "9606.ENSP03": "NA"}


def test_chunks_join(links, monkeypatch):
    import sys

    monkeypatch.setattr(sys.modules[parse_links.__module__], "_ROWS_AT_A_TIME", 2)
    assert networks.string(links) == UNNAMED


def test_real_files(shared_data):
    folder = shared_data / "mirror" / "string" / "download"
    human = networks.string(
        folder / "protein.links.v12.0" / "9606.protein.links.v12.0.txt.gz", organism="human"
    )
    assert (human.num_genes, human.num_edges) == (16_483, 156_625)
    assert {"TP53", "MDM2", "CD3D"} <= set(human.genes)
    mouse = networks.string(
        folder / "protein.links.v11.5" / "10090.protein.links.v11.5.txt.gz", min_score=800
    )
    assert mouse.num_edges == 651_076 // 2 and "Trp53" in mouse.genes
    assert str(mouse.source) == "STRING 11.5, Mus musculus"
    sample = networks.string(shared_data / "networks" / "9606.protein.links.detailed.v11.0.sample10k.txt")
    assert all(gene.startswith("ENSP") for gene in sample.genes)
    assert str(sample.source) == "STRING 11.0, Homo sapiens"
