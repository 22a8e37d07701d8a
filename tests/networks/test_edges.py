from __future__ import annotations

import gzip

import networkx as nx
import pandas as pd
import pytest

from gene_gcn import networks
from gene_gcn.errors import NetworkWarning
from gene_gcn.networks import GeneNetwork, NetworkSource
from gene_gcn.networks.edges import parse_edges

EDGES = [("TP53", "MDM2", 900), ("NA", "ACTB", 450)]  # "NA" is a name, not a missing value
EXPECTED = GeneNetwork(["ACTB", "MDM2", "NA", "TP53"], [[1, 0], [3, 2]], [900, 450])


def text(separator, header=None, columns=3, end="\n"):
    lines = [header] if header else []
    lines += [separator.join(map(str, edge[:columns])) for edge in EDGES]
    return end.join(lines) + end


@pytest.mark.parametrize("separator", ["\t", ",", ", ", " ", "  "])
@pytest.mark.parametrize("header", [None, "source{0}target{0}weight", "#node1{0}node2{0}score", "X{0}Y{0}Z"])
@pytest.mark.parametrize("packed", [False, True])
def test_layouts(tmp_path, separator, header, packed):
    content = text(separator, header and header.format(separator)).encode()
    path = tmp_path / "edges"  # the name does not reveal the format
    path.write_bytes(gzip.compress(content) if packed else content)
    network = networks.read(path)
    assert network == EXPECTED
    assert networks.read(str(path)) == network
    assert network.source.name == "edges" and len(network.source.sha256) == 64


@pytest.mark.parametrize(
    "header",
    [
        None,
        "source\ttarget",
        "gene_a\tgene_b",
        "Gene1\tGene2",
        "from\tto",
        "TF\ttarget",
        "protein1\tprotein2",
    ],
)
def test_two_columns(tmp_path, header):
    path = tmp_path / "edges.tsv"
    path.write_text(text("\t", header, columns=2))
    table = parse_edges(path)
    assert table.astype(str).values.tolist() == [["TP53", "MDM2"], ["NA", "ACTB"]]
    assert networks.read(path).edge_weight.tolist() == [1, 1, 1, 1]


def test_header_argument(tmp_path):
    path = tmp_path / "edges.tsv"
    path.write_text("left\tright\nTP53\tMDM2\n")
    assert networks.read(path).num_edges == 2
    assert networks.read(path, header=True).genes == ("MDM2", "TP53")
    path.write_text("source\ttarget\nTP53\tMDM2\n")
    assert networks.read(path, header=False).num_edges == 2


def test_windows_line_endings_byte_order_mark_and_quotes(tmp_path):
    path = tmp_path / "edges.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + text("\t", "source\ttarget\tweight", end="\r\n").encode())
    assert networks.read(path) == EXPECTED
    path.write_text("5'\"-gene\tB\t1\n")
    assert networks.read(path).genes == ("5'\"-gene", "B")


def test_columns_are_found_by_name(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text("note,weight,target,source\nx,900,MDM2,TP53\ny,450,ACTB,NA\n")
    assert networks.read(path) == EXPECTED


def test_frames_graphs_and_networks():
    frame = EXPECTED.to_frame()
    source = NetworkSource("mine")
    assert networks.read(frame, source=source) == EXPECTED
    assert networks.read(frame, source=source).source == source
    graph = nx.Graph([("A", "B")])
    assert networks.read(graph) == GeneNetwork(["A", "B"], [[0], [1]])
    assert networks.read(EXPECTED) is EXPECTED
    with pytest.raises(ValueError, match="edges is a list; pass the path"):
        networks.read([("A", "B")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"<!DOCTYPE html>\n<html>", "is a web page"),
        (b"PK\x03\x04\x00\x00", "binary file"),
        (gzip.compress(b"A\tB\t1\n" * 100_000)[:-20], "damaged or incomplete gzip"),
        (b"A\nB\n", "has only one column"),
        (b"A\tB\t1\t2\n", "has 4 columns"),
        (b"A\tB\t1\nC\tD\thigh\n", r"row 2 \(C, D\): the third column is 'high', which is not"),
        (b"A\tB\t1\nC\tD\t-3\n", r"row 2 \(C, D\): the third column is -3, but"),
        (b"A\tB\t1\nC\t\t3\n", "a gene is named ''"),
        (b"A\tB\nC\tD\tE\tF\n", "is not a table"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "broken.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        networks.read(path)
    assert "broken.tsv" in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="edges=.*none.tsv' does not exist"):
        networks.read(tmp_path / "none.tsv")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        networks.read(tmp_path)


def test_real_file(shared_data):
    path = shared_data / "networks" / "biogrid-4.4.232-human-symbols.tsv.gz"
    network = networks.read(path)
    assert network.num_edges == 794_969
    assert "gene_a" not in network.genes and "A1BG" in network.genes
    table = parse_edges(path)
    assert isinstance(table["source"].dtype, pd.CategoricalDtype)
    control = network.rewired(0)
    assert (control.degree == network.degree).all() and control.num_edges == network.num_edges


# ---- layouts of other programs ----


@pytest.mark.parametrize(
    "content",
    [
        '"source","target","weight"\n"TP53","MDM2",900\n"NA","ACTB",450\n',  # write.csv(row.names = FALSE)
        '"","source","target","weight"\n"1","TP53","MDM2",900\n"2","NA","ACTB",450\n',  # write.csv
        '"source" "target" "weight"\n"1" "TP53" "MDM2" 900\n"2" "NA" "ACTB" 450\n',  # write.table
        '"source";"target";"weight"\n"TP53";"MDM2";90,0\n"NA";"ACTB";45,0\n',  # write.csv2
        '"TP53"\t"MDM2"\t900\n"NA"\t"ACTB"\t450\n',  # col.names = FALSE
        'source,target,weight,note\nTP53,MDM2,900,"a, b"\nNA,ACTB,450,c\n',
        "# made by a program\n# today, by me\nsource\ttarget\tweight\nTP53\tMDM2\t9\nNA\tACTB\t4.5\n",
        "Source\tTarget\tWeight\nTP53\tMDM2\t9\nNA\tACTB\t4.5\n",
        "source\ttarget\tcombined_score\tevidence\nTP53\tMDM2\t900\tx\nNA\tACTB\t450\ty\n",
        "#node1\tnode2\tnode1_string_id\tnode2_string_id\tcoexpression\tcombined_score\n"  # STRING's website
        "TP53\tMDM2\t9606.P1\t9606.P2\t0.1\t0.9\nNA\tACTB\t9606.P3\t9606.P4\t0\t0.45\n",
        "stringId_A\tstringId_B\tpreferredName_A\tpreferredName_B\tncbiTaxonId\tcombined_score\n"
        "9606.P1\t9606.P2\tTP53\tMDM2\t9606\t0.9\n9606.P3\t9606.P4\tNA\tACTB\t9606\t0.45\n",
        "from to type weight\nTP53 MDM2 x 900\nNA ACTB x 450\n",  # igraph
    ],
)
def test_layouts_that_need_no_guess(tmp_path, content, recwarn):
    path = tmp_path / "edges"
    path.write_text(content)
    assert networks.from_file(path) == EXPECTED
    assert not recwarn.list


@pytest.mark.parametrize("name", ["score", "Confidence", "edge_weight", "w"])
def test_guessed_scores_are_said(tmp_path, name):
    frame = EXPECTED.to_frame().rename(columns={"weight": name})
    frame.to_csv(tmp_path / "edges.csv", index=False)
    for edges in (frame, tmp_path / "edges.csv"):
        with pytest.warns(NetworkWarning, match=f"'{name}', which is a guess; rename it to weight"):
            assert networks.read(edges) == EXPECTED


def test_columns_without_scores_are_said(tmp_path):
    frame = EXPECTED.to_frame().rename(columns={"weight": "x"}).assign(evidence="text")
    frame.to_csv(tmp_path / "edges.csv", index=False)
    for edges in (frame, frame.drop(columns="x"), tmp_path / "edges.csv"):
        with pytest.warns(NetworkWarning, match="every edge weighs 1, because no column .*evidence"):
            assert networks.read(edges).edge_weight.unique().tolist() == [1]
    frame = EXPECTED.to_frame().rename(columns={"weight": "score"}).assign(confidence=0.5)
    with pytest.raises(ValueError, match=r"several columns that can be scores \(score, confidence\)"):
        networks.read(frame)


def test_omnipath(tmp_path):
    frame = pd.DataFrame({"source": ["P04637", "P1"], "target": ["Q00987", "P2"]})
    frame = frame.assign(source_genesymbol=["TP53", "NA"], target_genesymbol=["MDM2", "ACTB"], is_directed=1)
    frame.to_csv(tmp_path / "omnipath.tsv", sep="\t", index=False)
    for edges in (frame, tmp_path / "omnipath.tsv"):
        with pytest.warns(NetworkWarning) as said:
            network = networks.read(edges)
        text = " ".join(str(warning.message) for warning in said)
        assert "used as the gene names, not source and target" in text
        assert "every edge weighs 1, because no column" in text and "is_directed" in text
        assert network.genes == EXPECTED.genes and network.edge_weight.unique().tolist() == [1]


def test_ids_of_r_stringdb(tmp_path):
    path, info = tmp_path / "edges.csv", tmp_path / "info.txt"
    path.write_text('"from","to","combined_score"\n"9606.P1","9606.P2",900\n"9606.P3","9606.P4",450\n')
    info.write_text(
        "#string_protein_id\tpreferred_name\n9606.P1\tTP53\n9606.P2\tMDM2\n9606.P3\tNA\n9606.P4\tACTB\n"
    )
    for read in (networks.read, networks.from_file):
        with pytest.warns(NetworkWarning, match=r"STRING's protein ids \(9606.P1, …\).* as info="):
            read(path)
    assert networks.from_file(path, info=info).align(EXPECTED.genes) == EXPECTED


@pytest.mark.parametrize("score", ["nan", "inf", "-1", "0", "high", "", "1001"])
def test_wrong_scores_name_their_row(tmp_path, score):
    path = tmp_path / "edges.csv"
    path.write_text(f"source,target,combined_score\nA,B,900\nC,D,{score}\n")
    with pytest.raises(ValueError, match=r"edges.csv: row 2 \(C, D\): combined_?score is "):
        networks.read(path)


@pytest.mark.parametrize(
    "content",
    [
        "source\ttarget\tweight\nTP53\tMDM2\t0,9\nNA\tACTB\t0,45\n",  # decimal commas
        'source,target,weight\nTP53,MDM2,"0,9"\nNA,ACTB,"0,45"\n',
        "TP53;MDM2;9E2\nNA;ACTB;4,5e+02\n",
        'TP53,MDM2,9\nTP53,MDM2,9\nTP53,MDM2,9\n"NA","ACTB",4.5\n',  # quotes that begin later
        'source,target,weight,note\nTP53,MDM2,9,"two\nlines"\nNA,ACTB,4.5,x\n',
        "\ufeffsep=;\nsource;target;weight\nTP53;MDM2;9\nNA;ACTB;4.5\n",  # Excel
        "fromNode\ttoNode\tweight\tdirection\nTP53\tMDM2\t9\tx\nNA\tACTB\t4.5\tx\n",  # WGCNA
        "Entity 1\tEntity 2\tWeight\tNetwork group\nTP53\tMDM2\t.9\tx\nNA\tACTB\t.45\ty\n",  # GeneMANIA
        "TP53\tMDM2\t9\nTP53\tTP53\t9\nACTB\tNA\t4.5\nNA\tACTB\t1\n",  # self-loops, both directions
    ],
)
def test_other_ways_to_write_numbers_quotes_and_headings(tmp_path, content, recwarn):
    path = tmp_path / "edges"
    path.write_text(content)
    assert networks.from_file(path) == EXPECTED
    assert not recwarn.list


@pytest.mark.parametrize(
    "header",
    [
        "HGNC_A\tHGNC_B",
        "Ensembl_1\tEnsembl_2",
        "EntrezID_A\tEntrezID_B",
        "Official Symbol A\tOfficial Symbol B",
    ],
)
def test_headings_are_not_genes(tmp_path, header):
    path = tmp_path / "edges"
    path.write_text(f"{header}\nNFKB1\tNFKB2\n")
    assert networks.read(path).genes == ("NFKB1", "NFKB2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("source;target;weight\nA;B;1,200\nB;C;900\n", r"commas \('1,200'\), which may mark thousands or"),
        ("gene1\tgene2\tp_value\nA\tB\t0.001\n", "'p_value' is small where genes are close"),
        ("GeneA,GeneB,FDR\nA,B,0.001\n", "'FDR' is small where genes are close"),
        ("source\ttarget\tweight\rA\tB\t1\r", "old Macs"),
        (",A,B,C\nA,0,1,0.5\nB,1,0,0.2\nC,0.5,0.2,0\n", "first column without a heading, as matrices"),
        ("\tA\tB\nA\t1\t0.5\nB\t0.5\t1\n", "first column without a heading, as matrices"),
        ("A\tA\t1\nB\tB\t1\n", "no edge between two different genes"),
        ("source,target,weight\nA,B,-1\n", "or take absolute values if signs are directions of regulation"),
    ],
)
def test_tables_that_would_be_misread_are_refused(tmp_path, content, message):
    path = tmp_path / "edges"
    path.write_text(content, newline="")
    with pytest.raises(ValueError, match=message):
        networks.from_file(path)


def test_p_values_are_not_guessed_to_be_scores(tmp_path):
    frame = EXPECTED.to_frame().rename(columns={"weight": "p_value"})
    with pytest.warns(NetworkWarning, match=r"every edge weighs 1.*p_value"):
        assert networks.read(frame).edge_weight.unique().tolist() == [1]
    with pytest.raises(ValueError, match="the table: 'p_value' is small where genes are close"):
        networks.read(frame.rename(columns={"source": "gene1", "target": "gene2"}))


def test_row_names_are_not_scores(tmp_path, recwarn):
    frame = EXPECTED.to_frame()[["source", "target"]]
    frame.to_csv(tmp_path / "edges.csv")
    assert networks.read(tmp_path / "edges.csv") == networks.read(
        pd.read_csv(tmp_path / "edges.csv", na_filter=False)
    )
    assert not recwarn.list


def test_text_and_mixed_scales_are_not_scores(tmp_path):
    path = tmp_path / "edges"
    for content, message in {
        "A\tpp\tB\nC\tpp\tD\n": "no number; name the columns source, target and weight.*SIF",
        "source\tconfidence\ttarget\nA\thigh\tB\nC\tlow\tD\n": "confidence should contain the scores",
        "node1\tnode2\tcombined_score\nA\tB\t0.5\nB\tC\t900\n": "is 0.5, but others are above 1",
    }.items():
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            networks.read(path)
