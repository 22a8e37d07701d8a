from __future__ import annotations

import gzip
import io
import math
import zipfile

import pytest

from gene_gcn import networks
from gene_gcn.networks import DownloadError, GeneNetwork
from gene_gcn.networks.biogrid_db.network import latest_release
from gene_gcn.networks.biogrid_db.tables import parse_biogrid, parse_biogrid_genes
from gene_gcn.storage import cache

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
        # A Score that would reverse the ranking if it were used.
        line = ["1e6" if name == "Score" else 'filler "x' for name in layout]
        for column, value in zip(at, row, strict=True):
            line[column] = value
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
    network = networks.biogrid(path=archive, organism=organism)
    assert network == PHYSICAL
    assert str(network.source) == "BioGRID physical 4.4.232, Homo sapiens"
    assert network.source.license == "MIT" and "doi:10.1002/pro.3978" in network.source.citation


def test_other_members(archive):
    assert networks.biogrid(path=archive, organism="mouse").genes == ("Mdm2", "Trp53")
    yeast = networks.biogrid(path=archive, organism="Saccharomyces_cerevisiae_S288c")
    assert yeast.genes == ("CDC73", "CTR9") and yeast.source.organism == "Saccharomyces cerevisiae"


def test_only_the_requested_member_is_decompressed(archive, monkeypatch):
    opened = []
    unpack = zipfile.ZipFile.open

    def recording(self, name, *args, **kwargs):
        opened.append(name)
        return unpack(self, name, *args, **kwargs)

    monkeypatch.setattr(zipfile.ZipFile, "open", recording)
    networks.biogrid(path=archive, organism="mouse")
    assert len(opened) == 1 and "Mus_musculus" in opened[0]


def test_ambiguous_or_missing_member(archive):
    with pytest.raises(
        ValueError, match="several organisms; choose one with organism=: Homo_sapiens, Mus_musculus"
    ):
        networks.biogrid(path=archive)
    with pytest.raises(ValueError, match="no member for organism='rat'; choose one of these: Homo_sapiens"):
        networks.biogrid(path=archive, organism="rat")
    with pytest.raises(ValueError, match="no member for organism=10116"):
        networks.biogrid(path=archive, organism=10116)


def test_evidence(tmp_path):
    path = tmp_path / "human.tab2.txt"
    path.write_text(table(HUMAN))
    genetic = networks.biogrid(path=path, organism="human", evidence="genetic")
    assert genetic == GeneNetwork(["MDM2", "TP53"], [[0], [1]])
    everything = networks.biogrid(path=path, organism="human", evidence="all")
    weights = everything.to_frame().set_index(["source", "target"])["weight"]
    assert weights["MDM2", "TP53"] == 1  # three publications
    assert weights["ACTB", "TP53"] == pytest.approx(math.log(2) / math.log(4))
    assert everything.source.name == "BioGRID"
    with pytest.raises(ValueError, match="evidence='both' is unknown; choose 'physical'"):
        networks.biogrid(path=path, organism="human", evidence="both")


@pytest.mark.parametrize("layout", [TAB2, TAB3])
@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gzip(tmp_path, layout, packed):
    path = tmp_path / "BIOGRID-ORGANISM-Homo_sapiens-3.4.128.tab2.txt"
    content = table(HUMAN, layout).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    # The name contains the organism; rows with an interactor of another one are left out.
    network = networks.biogrid(path=path)
    assert network == PHYSICAL
    assert network.source.version == "3.4.128"
    pairs = parse_biogrid(path)
    assert list(pairs.columns) == ["source", "target", "weight"]
    named = list(zip(pairs["source"], pairs["target"], strict=True))
    assert named == [("ACTB", "GAPDH"), ("ACTB", "TP53"), ("MDM2", "TP53"), ("TP53", "TP53")]
    assert pairs["weight"].tolist() == pytest.approx([math.log1p(n) for n in (1, 1, 2, 1)])


def test_organism_of_a_file_without_one_in_its_name(tmp_path):
    path = tmp_path / "all.txt"
    path.write_text(table(HUMAN))
    with pytest.raises(
        ValueError, match=r"contains 2 organisms \(taxids 9606, 10090\); choose one with organism="
    ):
        networks.biogrid(path=path)
    with pytest.raises(ValueError, match="organism='yeasty' is not a known name"):
        networks.biogrid(path=path, organism="yeasty")
    with pytest.raises(ValueError, match="no interaction within organism='mouse'"):
        networks.biogrid(path=path, organism="mouse")
    path.write_text(table(YEAST[:1]))
    assert networks.biogrid(path=path).source.organism == "Saccharomyces cerevisiae"
    with pytest.raises(
        ValueError, match="no interaction with evidence='genetic' within Saccharomyces cerevisiae"
    ):
        networks.biogrid(path=path, evidence="genetic")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"source\ttarget\nA\tB\n", "is not a BioGRID tab2 or tab3 table"),
        (b"PK\x03\x04cut off", "damaged or incomplete zip"),
        (gzip.compress(table(HUMAN * 5000).encode())[:-20], "damaged or incomplete gzip"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "biogrid.zip"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        networks.biogrid(path=path, organism="human")
    assert "biogrid.zip" in str(error.value)


def test_damaged_members(archive):
    content = bytearray(archive.read_bytes())
    content[150:400] = bytes(250)
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        networks.biogrid(path=archive, organism="human")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.md", "x")
    with pytest.raises(ValueError, match=r"zip archive without a \.txt member"):
        networks.biogrid(path=archive)


@pytest.mark.parametrize("layout", ["tab2", "tab3"])
def test_real_archives(shared_data, layout):
    name = f"BIOGRID-ORGANISM-3.4.128.{layout}.zip"
    path = next((shared_data / "mirror" / "biogrid").rglob(name))
    human = networks.biogrid(path=path, organism="human")
    assert (human.num_genes, human.num_edges) == (15_487, 167_587)
    assert "TP53" in human.genes and "-" not in human.genes
    mouse = networks.biogrid(path=path, organism="mouse")
    # The extract has only physical interactions.
    assert mouse == networks.biogrid(path=path, organism="mouse", evidence="all")
    with pytest.raises(ValueError, match="no interaction with evidence='genetic' within Mus musculus"):
        networks.biogrid(path=path, organism="mouse", evidence="genetic")


def test_real_rows(shared_data):
    network = networks.biogrid(path=shared_data / "networks" / "biogrid_yeast_raw_sample.tab2.txt")
    assert network == GeneNetwork(["CDC73", "CTR9", "LEO1"], [[0, 0], [1, 2]])


# ---- filters ----


def test_throughput(tmp_path):
    path = tmp_path / "human.tab2.txt"
    lines = table(HUMAN[:1] + HUMAN[4:5] + HUMAN[1:2]).splitlines()
    marks = ["Low Throughput", "High Throughput", "High Throughput|Low Throughput"]
    at = TAB2.index("Throughput")
    rows = [line.split("\t") for line in lines[1:]]
    for row, mark in zip(rows, marks, strict=True):
        row[at] = mark
    path.write_text("\n".join([lines[0], *("\t".join(row) for row in rows)]) + "\n")
    low = networks.biogrid(path=path, organism="human", throughput="low")
    assert low.genes == ("MDM2", "TP53") and low.source.name == "BioGRID physical low throughput"
    high = networks.biogrid(path=path, organism="human", throughput="high")
    assert high.genes == ("ACTB", "MDM2", "TP53") and high.edge_weight.tolist() == [1] * 4
    with pytest.raises(ValueError, match="throughput='medium' is unknown; choose 'low', 'high'"):
        networks.biogrid(path=path, organism="human", throughput="medium")


def test_min_publications(tmp_path):
    path = tmp_path / "human.tab2.txt"
    path.write_text(table(HUMAN))
    network = networks.biogrid(path=path, organism="human", min_publications=2)
    assert network == GeneNetwork(["MDM2", "TP53"], [[0], [1]])
    with pytest.raises(
        ValueError, match="no interaction with evidence='physical', min_publications=9 within"
    ):
        networks.biogrid(path=path, organism="human", min_publications=9)
    for wrong in (0, True, 1.5, "two"):
        with pytest.raises(ValueError, match="must be an integer of at least 1"):
            networks.biogrid(path=path, organism="human", min_publications=wrong)


def test_genes(archive, shared_data):
    genes = parse_biogrid_genes(archive, "human")
    assert list(genes.columns) == ["symbol", "entrez", "systematic", "synonyms"]
    assert genes["symbol"].tolist() == ["ACTB", "GAPDH", "MDM2", "TP53"]
    yeast = parse_biogrid_genes(shared_data / "networks" / "biogrid_yeast_raw_sample.tab2.txt")
    assert yeast.values.tolist()[1] == ["CTR9", "854020", "YOL145C", "CDP1"]
    assert yeast["synonyms"].tolist()[0] == ""


# ---- downloads ----


def packed(release, layout, rows=HUMAN):
    content = io.BytesIO()
    columns = TAB3 if layout == "tab3" else TAB2
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for organism, these in {"Homo_sapiens": rows, "Saccharomyces_cerevisiae_S288c": YEAST}.items():
            file.writestr(f"BIOGRID-ORGANISM-{organism}-{release}.{layout}.txt", table(these, columns))
    return content.getvalue()


@pytest.fixture
def biogrid_host(host, monkeypatch):
    layouts = {"4.4.232": "tab3", "4.4.99": "tab3", "3.5.183": "tab3", "3.5.182": "tab2"}
    for release, layout in layouts.items():
        folder = f"/Download/BioGRID/Release-Archive/BIOGRID-{release}"
        host.files[f"{folder}/BIOGRID-ORGANISM-{release}.{layout}.zip"] = packed(release, layout)
    host.files["/BioGRID/Latest-Release/"] = b"<html><a href='x/BIOGRID-ALL-4.4.232.tab3.zip'>"
    host.files["/BioGRID/Release-Archive/"] = b"<html>BIOGRID-3.5.182 BIOGRID-4.4.99 BIOGRID-4.4.232"
    monkeypatch.setenv("GENE_GCN_BIOGRID_URL", host.url)
    return host


def test_downloaded_once_then_offline(biogrid_host):
    network = networks.biogrid(organism="human")
    assert network == PHYSICAL and str(network.source) == "BioGRID physical 4.4.232, Homo sapiens"
    assert len(biogrid_host.seen) == 2  # the page of the latest release, and the archive
    assert networks.biogrid("yeast").genes == ("CDC73", "CTR9")  # from the same archive
    biogrid_host.close()
    again = networks.biogrid()
    assert again == network and again.source == network.source
    assert networks.biogrid("human", evidence="genetic").num_edges == 1
    assert networks.biogrid("Saccharomyces_cerevisiae_S288c").genes == ("CDC73", "CTR9")
    names = networks.cached()["name"]
    assert all("4.4.232" in name for name in names) and sum(names.str.endswith(".safetensors")) == 3


def test_releases(biogrid_host):
    assert networks.biogrid_versions() == ["4.4.232", "4.4.99", "3.5.182"]  # sorted as numbers, not as text
    for release in ("3.5.183", "3.5.182"):  # tab3 and tab2
        assert networks.biogrid("human", version=release).source.version == release
    with pytest.raises(DownloadError, match="no release 4.4.1 at .*4.4.232, 4.4.99, 3.5.182") as error:
        networks.biogrid("human", version="4.4.1")
    assert error.value.missing
    with pytest.raises(ValueError, match="organism='humann' is not a known name: did you mean 'human'"):
        networks.biogrid("humann")
    with pytest.raises(ValueError, match="version='latest' is not a release of BioGRID"):
        networks.biogrid("human", version="latest")


def test_web_page_instead_of_a_release(biogrid_host):
    path = "/Download/BioGRID/Release-Archive/BIOGRID-4.4.1/BIOGRID-ORGANISM-4.4.1.tab3.zip"
    biogrid_host.files[path] = b"<!DOCTYPE html><html>The BioGRID</html>"
    with pytest.raises(DownloadError, match="BioGRID has no release 4.4.1"):
        networks.biogrid("human", version="4.4.1")
    biogrid_host.files[path] = packed("4.4.1", "tab3")[:-30]
    with pytest.raises(DownloadError, match="is damaged or incomplete"):
        networks.biogrid("human", version="4.4.1")
    biogrid_host.files[path] = b"text"
    with pytest.raises(DownloadError, match="is not a zip archive"):
        networks.biogrid("human", version="4.4.1")
    assert networks.cached().empty
    biogrid_host.files[path] = packed("4.4.1", "tab3")
    assert networks.biogrid("human", version="4.4.1") == PHYSICAL


@pytest.mark.parametrize("layout", ["tab2", "tab3"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [*lines[:-1], lines[-1][: len(lines[-1]) // 2]],
        lambda lines: [*lines[:-1], lines[-1].rpartition("\t")[0]],
        lambda lines: [lines[0], "<html>Bad gateway</html>"],
        lambda lines: [*lines[:2], "<html>", "Bad gateway", "</html>"],
        lambda lines: [lines[0], *("\t".join("abcdefg" * 6) for _ in range(3))],
        lambda lines: [lines[0], "A,B,1"],
        lambda lines: lines[:1],
    ],
    ids=[
        "in the middle",
        "of a field",
        "a web page",
        "a web page later",
        "another table",
        "few columns",
        "no rows",
    ],
)
def test_a_right_header_over_wrong_rows_does_not_stay(biogrid_host, layout, spoil):
    release = {"tab2": "3.5.182", "tab3": "4.4.232"}[layout]
    path = f"/Download/BioGRID/Release-Archive/BIOGRID-{release}/BIOGRID-ORGANISM-{release}.{layout}.zip"
    right = biogrid_host.files[path]
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(right)) as archive, zipfile.ZipFile(content, "w") as file:
        first, last = archive.namelist()
        file.writestr(first, archive.read(first))
        file.writestr(last, "\n".join(spoil(archive.read(last).decode().splitlines())) + "\n")
    biogrid_host.files[path] = content.getvalue()
    with pytest.raises(DownloadError, match=rf"{layout}.zip:.*(row \d+ has the|no interactions|not a table)"):
        networks.biogrid("human", version=release)
    assert networks.cached().empty
    biogrid_host.files[path] = right
    assert networks.biogrid("human", version=release) == PHYSICAL


def test_latest_release_is_cached_for_a_month(biogrid_host, monkeypatch):
    assert latest_release() == "4.4.232"
    biogrid_host.files["/BioGRID/Latest-Release/"] = b"BIOGRID-4.4.233"
    assert latest_release() == "4.4.232"
    note = cache.cache_folder() / "biogrid" / "latest.json"
    cache.write_json(note, {"version": "4.4.232", "date": "2020-01-01T00:00:00+00:00"})
    monkeypatch.setenv("GENE_GCN_BIOGRID_URL", "http://127.0.0.1:9")
    assert latest_release() == "4.4.232"  # expired, but there is no other
    monkeypatch.setenv("GENE_GCN_BIOGRID_URL", biogrid_host.url)
    assert latest_release() == "4.4.233"
    note.unlink()
    biogrid_host.files["/BioGRID/Latest-Release/"] = b"nothing"
    assert latest_release() == "4.4.232"  # from the list of all releases
    note.unlink()
    biogrid_host.files["/BioGRID/Release-Archive/"] = b"nothing"
    with pytest.raises(DownloadError, match="lists no release of BioGRID; pass version="):
        latest_release()


def test_real_mirror(shared_data, host):
    host.folders["/"] = shared_data / "mirror" / "biogrid"
    options = {"version": "3.4.128", "base_url": host.url}
    human = networks.biogrid("human", **options)
    assert (human.num_genes, human.num_edges) == (15_487, 167_587)
    assert host.paths()[0].endswith("tab2.zip")
    host.close()
    assert networks.biogrid("mouse", **options).source.organism == "Mus musculus"
