from __future__ import annotations

import gzip
import math
import zipfile

import pytest

from gene_gcn import networks
from gene_gcn.networks import GeneNetwork
from gene_gcn.networks.biogrid import parse_biogrid

START = "#BioGRID Interaction ID|Entrez Gene Interactor A|Entrez Gene Interactor B|BioGRID ID Interactor A"
MIDDLE = (
    "BioGRID ID Interactor B|Systematic Name Interactor A|Systematic Name Interactor B|"
    "Official Symbol Interactor A|Official Symbol Interactor B|Synonyms Interactor A|Synonyms Interactor B|"
    "Experimental System|Experimental System Type|Author"
)
TAB2 = f"{START}|{MIDDLE}|Pubmed ID|Organism Interactor A|Organism Interactor B|Throughput|Score".split("|")
TAB3 = (
    f"{START}|{MIDDLE}|Publication Source|Organism ID Interactor A|Organism ID Interactor B|Throughput|Score|"
    "Organism Name Interactor A|Organism Name Interactor B"
).split("|")

# symbol A, symbol B, evidence, publication, organism A, organism B
HUMAN = [
    ("TP53", "MDM2", "physical", "1", "9606", "9606"),
    ("MDM2", "TP53", "physical", "2", "9606", "9606"),
    ("MDM2", "TP53", "physical", "2", "9606", "9606"),  # the same publication by another method
    ("TP53", "MDM2", "genetic", "3", "9606", "9606"),
    ("TP53", "ACTB", "physical", "1", "9606", "9606"),
    ("ACTB", "GAPDH", "physical", "-", "9606", "9606"),
    ("TP53", "TP53", "physical", "4", "9606", "9606"),
    ("TP53", "-", "physical", "4", "9606", "9606"),
    ("TP53", "Trp53", "physical", "5", "9606", "10090"),
]
MOUSE = [
    ("Trp53", "Mdm2", "physical", "6", "10090", "10090"),
    ("TP53", "Trp53", "physical", "5", "9606", "10090"),
]
YEAST = [
    ("CDC73", "CTR9", "physical", "7", "559292", "559292"),
    ("CTR9", "x", "physical", "7", "559292", "9606"),
]
PHYSICAL = GeneNetwork(
    ["ACTB", "GAPDH", "MDM2", "TP53"], [[2, 0, 0], [3, 3, 1]], [math.log(3), math.log(2), math.log(2)]
)


def table(rows, layout=TAB2):
    at = [layout.index(f"Official Symbol Interactor {side}") for side in "AB"]
    at += [layout.index("Experimental System Type"), layout.index("Author") + 1]
    at += [layout.index("Author") + 2, layout.index("Author") + 3]
    lines = [layout]
    for row in rows:
        # A Score that would turn the ranking round if anyone used it.
        line = ["1e6" if name == "Score" else 'filler "x' for name in layout]
        for place, value in zip(at, row, strict=True):
            line[place] = value
        if layout is TAB3 and row[3] != "-":
            line[at[3]] = f"PUBMED:{row[3]}"
        lines.append(line)
    return "\n".join("\t".join(line) for line in lines) + "\n"


@pytest.fixture(params=["tab2", "tab3"])
def archive(request, tmp_path):
    layout = {"tab2": TAB2, "tab3": TAB3}[request.param]
    path = tmp_path / f"BIOGRID-ORGANISM-4.4.232.{request.param}.zip"
    members = {"Homo_sapiens": HUMAN, "Mus_musculus": MOUSE, "Saccharomyces_cerevisiae_S288c": YEAST}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for organism, rows in members.items():
            file.writestr(f"BIOGRID-ORGANISM-{organism}-4.4.232.{request.param}.txt", table(rows, layout))
    return path


@pytest.mark.parametrize("organism", ["human", "Homo sapiens", "Homo_sapiens", 9606, "9606"])
def test_archive(archive, organism):
    network = networks.biogrid(archive, organism=organism)
    assert network == PHYSICAL
    assert str(network.source) == "BioGRID physical 4.4.232, Homo sapiens"
    assert network.source.licence == "MIT" and "doi:10.1002/pro.3978" in network.source.citation


def test_other_members(archive):
    assert networks.biogrid(archive, organism="mouse").genes == ("Mdm2", "Trp53")
    yeast = networks.biogrid(archive, organism="Saccharomyces_cerevisiae_S288c")
    assert yeast.genes == ("CDC73", "CTR9") and yeast.source.organism == "taxid 559292"


def test_only_the_member_asked_for_is_unpacked(archive, monkeypatch):
    opened = []
    unpack = zipfile.ZipFile.open

    def recording(self, name, *args, **kwargs):
        opened.append(name)
        return unpack(self, name, *args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "open", recording)
    networks.biogrid(archive, organism="mouse")
    assert len(opened) == 1 and "Mus_musculus" in opened[0]


def test_which_member(archive):
    with pytest.raises(
        ValueError, match="several organisms; choose one with organism=: Homo_sapiens, Mus_musculus"
    ):
        networks.biogrid(archive)
    with pytest.raises(ValueError, match="no member for organism='rat'; choose one of these: Homo_sapiens"):
        networks.biogrid(archive, organism="rat")
    with pytest.raises(ValueError, match="no member for organism=10116"):
        networks.biogrid(archive, organism=10116)


def test_evidence(tmp_path):
    path = tmp_path / "human.tab2.txt"
    path.write_text(table(HUMAN))
    genetic = networks.biogrid(path, organism="human", evidence="genetic")
    assert genetic == GeneNetwork(["MDM2", "TP53"], [[0], [1]])
    everything = networks.biogrid(path, organism="human", evidence="all")
    weights = everything.to_frame().set_index(["source", "target"])["weight"]
    assert weights["MDM2", "TP53"] == 1  # three publications
    assert weights["ACTB", "TP53"] == pytest.approx(math.log(2) / math.log(4))
    assert everything.source.name == "BioGRID"
    with pytest.raises(ValueError, match="evidence='both' is unknown; choose 'physical'"):
        networks.biogrid(path, organism="human", evidence="both")


@pytest.mark.parametrize("layout", [TAB2, TAB3])
@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gzip(tmp_path, layout, packed):
    path = tmp_path / "BIOGRID-ORGANISM-Homo_sapiens-3.4.128.tab2.txt"
    content = table(HUMAN, layout).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    # The name says which organism; rows with an interactor of another one are left out.
    network = networks.biogrid(path)
    assert network == PHYSICAL
    assert network.source.version == "3.4.128"
    pairs = parse_biogrid(path)
    assert list(pairs.columns) == ["source", "target", "weight"]
    named = list(zip(pairs["source"], pairs["target"], strict=True))
    assert named == [("ACTB", "GAPDH"), ("ACTB", "TP53"), ("MDM2", "TP53"), ("TP53", "TP53")]
    assert pairs["weight"].tolist() == pytest.approx([math.log1p(n) for n in (1, 1, 2, 1)])


def test_organism_of_a_file_that_does_not_name_it(tmp_path):
    path = tmp_path / "all.txt"
    path.write_text(table(HUMAN))
    with pytest.raises(
        ValueError, match=r"holds 2 organisms \(taxids 9606, 10090\); choose one with organism="
    ):
        networks.biogrid(path)
    with pytest.raises(ValueError, match="organism='yeast' is not known here by name"):
        networks.biogrid(path, organism="yeast")
    with pytest.raises(ValueError, match="no interaction within organism='mouse'"):
        networks.biogrid(path, organism="mouse")
    path.write_text(table(YEAST[:1]))
    assert networks.biogrid(path).source.organism == "taxid 559292"
    with pytest.raises(ValueError, match="no interaction of evidence='genetic' within taxid 559292"):
        networks.biogrid(path, evidence="genetic")


def test_without_a_path():
    with pytest.raises(NotImplementedError, match="https://downloads.thebiogrid.org"):
        networks.biogrid(organism="human")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"source\ttarget\nA\tB\n", "is no BioGRID tab2 or tab3 table"),
        (b"PK\x03\x04cut off", "damaged or incomplete zip"),
        (gzip.compress(table(HUMAN * 5000).encode())[:-20], "damaged or incomplete gzip"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "biogrid.zip"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        networks.biogrid(path, organism="human")
    assert "biogrid.zip" in str(error.value)


def test_damaged_members(archive):
    content = bytearray(archive.read_bytes())
    content[150:400] = bytes(250)
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        networks.biogrid(archive, organism="human")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.md", "x")
    with pytest.raises(ValueError, match=r"zip archive without a \.txt member"):
        networks.biogrid(archive)


@pytest.mark.parametrize("layout", ["tab2", "tab3"])
def test_real_archives(shared_data, layout):
    name = f"BIOGRID-ORGANISM-3.4.128.{layout}.zip"
    path = next((shared_data / "mirror" / "biogrid").rglob(name))
    human = networks.biogrid(path, organism="human")
    assert (human.num_genes, human.num_edges) == (15_487, 167_587)
    assert "TP53" in human.genes and "-" not in human.genes
    mouse = networks.biogrid(path, organism="mouse")
    assert mouse == networks.biogrid(path, organism="mouse", evidence="all")  # the extract is physical only
    with pytest.raises(ValueError, match="no interaction of evidence='genetic' within Mus musculus"):
        networks.biogrid(path, organism="mouse", evidence="genetic")


def test_real_rows(shared_data):
    network = networks.biogrid(shared_data / "networks" / "biogrid_yeast_raw_sample.tab2.txt")
    assert network == GeneNetwork(["CDC73", "CTR9", "LEO1"], [[0, 0], [1, 2]])
