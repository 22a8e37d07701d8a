from __future__ import annotations

import gzip
import hashlib
import time

import numpy as np
import pandas as pd
import pytest

from gene_gcn import networks
from gene_gcn.errors import NetworkWarning
from gene_gcn.networks import DownloadError, GeneNetwork
from gene_gcn.networks.string_db.network import KNOWN_VERSIONS, fetch_aliases, fetch_info
from gene_gcn.networks.string_db.tables import CHANNELS, combined_score, parse_aliases, parse_links
from gene_gcn.storage import cache

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
    network = networks.string(path=links)
    assert network == NAMED
    source = network.source
    assert (source.name, source.version, source.organism, source.license) == (
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
    assert networks.string(path=path) == UNNAMED
    write(tmp_path / info_name, INFO)
    assert networks.string(path=path) == NAMED


def test_info_argument_and_older_header(tmp_path):
    path = write(tmp_path / "links.txt", LINKS)
    info = write(tmp_path / "names.tsv", INFO.replace("#string_protein_id", "protein_external_id"))
    network = networks.string(path=path, info=info, version="11.0b", organism="human")
    assert network == NAMED
    assert (network.source.version, network.source.organism) == ("11.0b", "Homo sapiens")
    assert networks.string(path=path).source.version is None


def test_proteins_without_names_or_with_the_same_name(links):
    write(links.parent / "9606.protein.info.v12.0.txt.gz", INFO.replace("ENSP03\tNA", "ENSP03\tMDM2"))
    assert networks.string(path=links) == GeneNetwork(["MDM2", "TP53"], [[0], [1]])
    write(links.parent / "9606.protein.info.v12.0.txt.gz", INFO.replace("9606.ENSP03", "9606.ENSP99"))
    assert networks.string(path=links).genes == ("ENSP03", "MDM2", "TP53")


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
    assert networks.string(path=write(tmp_path / "links.txt.gz", content)) == UNNAMED


@pytest.mark.parametrize(("min_score", "num_edges"), [(0, 3), (150, 3), (151, 2), (450, 2), (900, 1)])
def test_min_score(links, min_score, num_edges):
    network = networks.string(path=links, min_score=min_score)
    assert network.num_edges == num_edges
    assert network.degree.min() > 0  # genes without edges are left out


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
        networks.string(path=links, min_score=min_score)


def test_organism(links):
    for organism in ("human", "Human", "Homo sapiens", "homo_sapiens", 9606, "9606"):
        assert networks.string(path=links, organism=organism) == UNNAMED
    with pytest.raises(ValueError, match=r"organism='mouse' has taxid 10090.* contains Homo sapiens"):
        networks.string(path=links, organism="mouse")
    with pytest.raises(ValueError, match="organism='zebrafich' is not a known name"):
        networks.string(path=links, organism="zebrafich")
    with pytest.raises(ValueError, match="organism=0 is not an NCBI"):
        networks.string(path=links, organism=0)


def test_several_organisms(tmp_path):
    path = write(tmp_path / "protein.links.v12.0.txt", LINKS + "10090.ENSMUSP1 10090.ENSMUSP2 900\n")
    with pytest.raises(ValueError, match="contains 2 organisms"):
        networks.string(path=path)


def test_organism_from_its_taxid(tmp_path):
    path = write(tmp_path / "4932.protein.links.v12.0.txt", LINKS.replace("9606.ENSP", "4932.YAL00"))
    network = networks.string(path=path)
    assert network.source.organism == "Saccharomyces cerevisiae"
    assert network.genes == ("YAL0001", "YAL0002", "YAL0003")


def test_info_of_another_organism(links):
    info = write(links.parent / "info.txt", INFO.replace("9606.", "10090."))
    with pytest.raises(ValueError, match="contains none of the proteins"):
        networks.string(path=links, info=info)
    with pytest.raises(FileNotFoundError, match="info=.*nothing.txt"):
        networks.string(path=links, info=links.parent / "nothing.txt")
    with pytest.raises(ValueError, match="is not a protein.info file"):
        networks.string(path=links, info=links)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html><body>404</body></html>", "is a web page"),
        (INFO.encode(), "is not a protein.links file of STRING"),
        (b"protein1 protein2 score\nA B 1\n", "lacks"),
        (
            b"protein1 protein2 combined_score\n9606.A 9606.B high\n",
            r"line 2 \(9606.A 9606.B high\) has the combined_score high, but STRING's scores are integers",
        ),
        (LINKS.encode() + b"9606.A 9606.B\n", "line 8 .* has 2 fields, but the header 3"),
        *(
            (
                LINKS.encode() + f"9606.A 9606.B {score}\n".encode(),
                f"line 8 .* has the combined_score {score}, ",
            )
            for score in ("1001", "1000000000", "99999999999", "-5", "nan", "inf", "0.9", "1_0")
        ),
        (b"protein1 protein2 combined_score\n", "has a header but no links"),
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
        networks.string(path=path)
    assert path.name in str(error.value)


def test_chunks_are_joined(links, monkeypatch):
    import sys

    monkeypatch.setattr(sys.modules[parse_links.__module__], "_ROWS_AT_A_TIME", 2)
    assert networks.string(path=links) == UNNAMED


def test_real_files(shared_data):
    folder = shared_data / "mirror" / "string" / "download"
    human = networks.string(
        path=folder / "protein.links.v12.0" / "9606.protein.links.v12.0.txt.gz", organism="human"
    )
    assert (human.num_genes, human.num_edges) == (16_483, 156_625)
    assert {"TP53", "MDM2", "CD3D"} <= set(human.genes)
    mouse = networks.string(
        path=folder / "protein.links.v11.5" / "10090.protein.links.v11.5.txt.gz", min_score=800
    )
    assert mouse.num_edges == 651_076 // 2 and "Trp53" in mouse.genes
    assert str(mouse.source) == "STRING 11.5, Mus musculus"
    detailed = shared_data / "networks" / "9606.protein.links.detailed.v11.0.sample10k.txt"
    sample = networks.string(path=detailed)
    assert all(gene.startswith("ENSP") for gene in sample.genes)
    assert str(sample.source) == "STRING 11.0, Homo sapiens"


# ---- channels ----


def detailed(*rows):
    header = " ".join(["protein1", "protein2", *CHANNELS, "combined_score"])
    return "\n".join([header, *rows]) + "\n"


def test_channels(tmp_path):
    content = detailed("9606.A 9606.B 0 0 0 0 700 500 900 985", "9606.A 9606.C 0 0 0 300 0 0 800 850")
    path = write(tmp_path / "9606.protein.links.detailed.v12.0.txt.gz", content)
    network = networks.string(path=path, channels=("database", "experiments"))
    expected = combined_score(pd.DataFrame({"experimental": [700], "database": [500]}))[0]
    assert network.genes == ("A", "B") and network.source.name == "STRING experimental+database"
    assert parse_links(path, channels=["experimental", "database"])["weight"].tolist() == [expected]
    assert networks.string(path=path, channels="coexpression", min_score=0).genes == ("A", "C")
    with pytest.raises(ValueError, match=r"channels=\('magic',\) must be some of neighborhood, fusion"):
        networks.string(path=path, channels=("magic",))
    with pytest.raises(ValueError, match="must be some of"):
        networks.string(path=path, channels=())
    physical = write(tmp_path / "x.txt", "protein1 protein2 experimental combined_score\n9606.A 9606.B 1 1\n")
    with pytest.raises(ValueError, match=r"lacks \['fusion'\]"):
        networks.string(path=physical, channels="fusion")


FULL = (
    "protein1 protein2 neighborhood neighborhood_transferred fusion cooccurence homology coexpression "
    "coexpression_transferred experiments experiments_transferred database database_transferred textmining "
    "textmining_transferred combined_score\n"
)


def test_channels_of_the_full_layout_include_what_was_transferred(tmp_path):
    rows = "9606.A 9606.B 0 0 0 0 0 100 500 500 0 0 0 200 0 700\n"
    rows += "9606.A 9606.C 0 0 0 0 0 100 0 0 300 0 0 0 0 300\n"
    path = write(tmp_path / "9606.protein.links.full.v12.0.txt.gz", FULL + rows)
    both = combined_score(pd.DataFrame({"direct": [100, 100], "transferred": [500, 0]})).tolist()
    assert both[0] > 500 and both[1] == 100
    assert parse_links(path, channels=["coexpression"])["weight"].tolist() == both
    assert parse_links(path, channels=["experimental"])["weight"].tolist() == [500, 300]
    assert networks.string(path=path, channels="experiments", min_score=0).num_edges == 2


def test_homology_reduces_text_mining_before_version_12(tmp_path):
    row = "9606.A 9606.B 0 0 0 0 500 0 0 0 0 0 0 800 0 700\n9606.A 9606.C 0 0 0 0 0 0 0 0 0 0 0 800 0 700\n"
    for version, expected in {"11.5": 420, "12.0": 800}.items():
        path = write(tmp_path / f"9606.protein.links.full.v{version}.txt.gz", FULL + row)
        network = networks.string(path=path, channels="textmining", min_score=0)
        assert network.to_frame()["weight"].tolist() == pytest.approx([expected / 800, 1])


def test_channels_that_the_file_lacks_are_in_another_file(links):
    with pytest.raises(
        ValueError, match=r"lacks \['fusion'\].*protein.links.detailed and protein.links.full"
    ):
        networks.string(path=links, channels="fusion")


def test_info_of_another_version_is_said(links):
    write(links.parent / "9606.protein.info.v12.0.txt.gz", INFO.replace("9606.ENSP03", "9606.ENSP99"))
    with pytest.warns(NetworkWarning, match="names only 2 of 3 proteins .* ENSP03 .* another version"):
        networks.string(path=links)
    write(links.parent / "9606.protein.info.v12.0.txt.gz", INFO.splitlines()[0] + "\n")
    with pytest.raises(ValueError, match="has a header but no proteins"):
        networks.string(path=links)


# ---- downloads ----

FETCHED = GeneNetwork(["ACTB", "MDM2", "TP53"], [[1, 0], [2, 2]], [900, 450])
LINKS_PATH = "/download/protein.links.v12.0/9606.protein.links.v12.0.txt.gz"


def test_downloaded_once_then_offline(string_host, cache):
    first = networks.string(organism="human")
    assert first == FETCHED and str(first.source) == "STRING 12.0, Homo sapiens"
    assert first.source.sha256 == hashlib.sha256(string_host.files[LINKS_PATH]).hexdigest()
    assert len(string_host.seen) == 2
    string_host.close()
    start = time.perf_counter()
    again = networks.string("Homo sapiens", version=12.0)
    assert time.perf_counter() - start < 1
    assert again == first and again.source == first.source
    assert networks.string(min_score=900).genes == ("MDM2", "TP53")  # from the file
    names = list(networks.cached()["name"])
    assert all("12.0" in name for name in names)
    assert sum(name.endswith(".safetensors") for name in names) == 2


def test_offline_with_a_cold_cache(monkeypatch):
    monkeypatch.setenv("GENE_GCN_STRING_URL", "http://127.0.0.1:9/download")
    with pytest.raises(DownloadError, match="does not accept connections: go online once") as error:
        networks.string(organism="mouse")
    assert "10090.protein.links.v12.0.txt.gz" in str(error.value)


def test_other_files(string_host):
    base = f"{string_host.url}/download"
    row = "9606.ENSP01 9606.ENSP02"
    for kind, content in {
        "protein.physical.links": LINKS,
        "protein.links.detailed": detailed(f"{row} 0 0 0 0 700 0 900 985"),
        "protein.physical.links.detailed": f"protein1 protein2 experimental combined_score\n{row} 500 600\n",
    }.items():
        path = f"/download/{kind}.v12.0/9606.{kind}.v12.0.txt.gz"
        string_host.files[path] = gzip.compress(content.encode())
    physical = networks.string(network="physical", base_url=base)
    assert physical == GeneNetwork(["ACTB", "MDM2", "TP53"], [[1, 0], [2, 2]], [900, 450])
    assert physical.source.name == "STRING physical"
    some = networks.string(channels=["experimental"], base_url=base)
    assert some.genes == ("MDM2", "TP53") and some.source.name == "STRING experimental"
    both = networks.string(network="physical", channels=["experimental"], base_url=base)
    assert both.source.name == "STRING physical experimental"
    with pytest.raises(ValueError, match="network='genetic' is unknown"):
        networks.string(network="genetic")
    with pytest.raises(ValueError, match="info= belongs to a file of links; pass that file with path="):
        networks.string(info="x")


def test_files_of_version_11_0b_are_named_11_0(string_host):
    for kind, content in {"links": LINKS, "info": INFO}.items():
        path = f"/download/protein.{kind}.v11.0/9606.protein.{kind}.v11.0.txt.gz"
        string_host.files[path] = gzip.compress(content.encode())
    assert networks.string(version="11.0b").source.version == "11.0b"
    assert networks.string(version="11.0").source.version == "11.0"
    assert len(string_host.seen) == 4  # two versions, stored separately
    with pytest.raises(
        ValueError, match="version='../x' is not a version of STRING; known versions are 12.0"
    ):
        networks.string(version="../x")


def test_missing_version_or_organism(string_host):
    string_host.files["/api/json/version"] = b'[{"string_version": "13.0", "stable_address": "x"}]'
    with pytest.raises(DownloadError, match=r"9.9 has no protein.links of Mus musculus \(taxid 10090\)") as e:
        networks.string("mouse", version="9.9")
    assert "Versions are 13.0, 12.0, 11.5" in str(e.value)
    del string_host.files["/api/json/version"]
    with pytest.raises(DownloadError, match="Versions are 12.0, 11.5"):
        networks.string(4577)


def test_versions(string_host):
    string_host.files["/api/json/version"] = b'[{"string_version": "12.5", "stable_address": "x"}]'
    assert networks.string_versions() == ["12.5", *KNOWN_VERSIONS]
    string_host.files["/api/json/version"] = b"sorry"
    with pytest.raises(DownloadError, match="did not return a version"):
        networks.string_versions()


def test_file_of_another_kind_is_discarded(string_host, cache):
    good = string_host.files[LINKS_PATH]
    string_host.files[LINKS_PATH] = gzip.compress(INFO.encode())
    with pytest.raises(DownloadError, match="is not a protein.links file of STRING") as error:
        networks.string()
    assert string_host.url + LINKS_PATH in str(error.value) and str(cache) not in str(error.value)
    string_host.files[LINKS_PATH] = good
    assert networks.string() == FETCHED


@pytest.mark.parametrize(
    "row",
    ["9606.A 9606.B nan", "9606.A 9606.B 1001", "9606.A 9606.B", "10090.A 10090.B 900", "<html> error page"],
)
@pytest.mark.parametrize("good_rows", [0, 2000])
def test_wrong_rows_under_a_right_header_do_not_stay(string_host, cache, row, good_rows):
    good = string_host.files[LINKS_PATH]
    content = LINKS.splitlines()[0] + "\n" + "9606.ENSP01 9606.ENSP02 900\n" * good_rows + row + "\n"
    string_host.files[LINKS_PATH] = gzip.compress(content.encode())
    with pytest.raises(OSError, match="discarded" if not good_rows else "Removed from the cache"):
        networks.string()
    string_host.files[LINKS_PATH] = good
    assert networks.string() == FETCHED


@pytest.mark.parametrize(
    "rows",
    [
        "",
        "<html>\nBad gateway\n</html>\n",
        "9606.ENSP01\tTP53\tx\ty\n<html>\n",
        "a\tb\tc\td\n",
        "10090.ENSP01\tTP53\tx\ty\n",
        "9606.ENSP01\tTP53\tx\ty\n9606.ENS",
    ],
    ids=["none", "a web page", "a web page later", "another table", "another organism", "cut off"],
)
@pytest.mark.parametrize(
    ("kind", "header", "fetch"),
    [
        ("info", "#string_protein_id\tpreferred_name\tprotein_size\tannotation\n", fetch_info),
        ("aliases", "#string_protein_id\talias\tsource\n", fetch_aliases),
    ],
)
def test_names_with_wrong_rows_do_not_stay(string_host, kind, header, fetch, rows):
    path = f"/download/protein.{kind}.v12.0/9606.protein.{kind}.v12.0.txt.gz"
    string_host.files[path] = gzip.compress((header + rows).encode())
    with pytest.raises(DownloadError, match=f"{kind}.v12.0.txt.gz.*download it again|is not a table"):
        fetch("human")
    assert networks.cached().empty
    string_host.files[path] = gzip.compress(f"{header}9606.ENSP01\tTP53\tx\ty\n".encode())
    assert fetch("human").is_file()


def test_what_the_user_asked_for_does_not_cost_the_file(string_host):
    with pytest.raises(ValueError, match="no pair reaches"):
        networks.string(min_score=1000)
    string_host.close()
    assert networks.string() == FETCHED


@pytest.mark.parametrize(
    "header", ["#string_protein_id\talias\tsource", "## string_protein_id ##\t## alias ##\t## source ##"]
)
def test_aliases(string_host, header):
    content = f"{header}\n9606.ENSP01\tp53\tBLAST_UniProt_GN\n9606.ENSP02\tNA\tEnsembl_gene\n"
    path = "/download/protein.aliases.v12.0/9606.protein.aliases.v12.0.txt.gz"
    string_host.files[path] = gzip.compress(content.encode())
    table = parse_aliases(fetch_aliases("human"))
    assert list(table.columns) == ["protein", "alias", "source"]
    assert table.astype(str).values.tolist()[1] == ["9606.ENSP02", "NA", "Ensembl_gene"]
    with pytest.raises(ValueError, match="is not a protein.aliases file of STRING"):
        parse_aliases(write(cache.cache_folder() / "x", INFO))


def test_real_mirror(shared_data, host):
    host.folders["/download"] = shared_data / "mirror" / "string" / "download"
    human = networks.string("human", base_url=f"{host.url}/download")
    assert (human.num_genes, human.num_edges) == (16_483, 156_625)
    mouse = networks.string("mouse", version="11.5", min_score=800, base_url=f"{host.url}/download")
    assert mouse.num_edges == 651_076 // 2 and str(mouse.source) == "STRING 11.5, Mus musculus"
    aliases = parse_aliases(fetch_aliases("human", base_url=f"{host.url}/download"))
    assert len(aliases) == 49_430 and np.isin("ENSG00000004059", aliases["alias"].cat.categories)
    host.close()
    assert networks.string("human") == human
