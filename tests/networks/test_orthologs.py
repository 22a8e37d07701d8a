"""Networks of another organism's orthologs: one-to-one, or copied to each of several."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gene_gcn import networks
from gene_gcn.networks import GeneNetwork, NetworkSource

SOURCE = NetworkSource("STRING", "12.0", "Homo sapiens", "CC BY 4.0", sha256="0" * 64)
HUMAN = GeneNetwork(["A", "B", "C", "D", "E"], [[0, 1, 2, 3], [1, 2, 3, 4]], [1, 2, 3, 4], source=SOURCE)
# B has two orthologs; D and E share one; F is not in the network.
PAIRS = pd.DataFrame(
    [("A", "a"), ("B", "b1"), ("B", "b2"), ("C", "c"), ("D", "de"), ("E", "de"), ("F", "f"), ("A", "a")],
    columns=["human", "mouse"],
)


def edges(network):
    return {(u, v): w for u, v, w in network.to_frame().itertuples(index=False)}


def test_one_to_one():
    mouse = HUMAN.to_organism(PAIRS)
    assert mouse.genes == ("a", "c") and mouse.num_edges == 0
    mouse = HUMAN.to_organism(pd.concat([PAIRS[PAIRS["human"] != "B"], pd.DataFrame(
        [("B", "b")], columns=PAIRS.columns)]))  # fmt: skip
    assert edges(mouse) == {("a", "b"): 0.25, ("c", "b"): 0.5}  # weights are not rescaled
    assert mouse.source.organism == "Mus musculus by one-to-one orthologs of Homo sapiens (3 of 5 genes)"
    assert (mouse.source.name, mouse.source.license, mouse.source.sha256) == ("STRING", "CC BY 4.0", "0" * 64)


def test_copies():
    mouse = HUMAN.to_organism(PAIRS, many="copy")
    assert mouse.genes == ("a", "b1", "b2", "c", "de")
    assert edges(mouse) == {
        ("a", "b1"): 0.25, ("a", "b2"): 0.25, ("b1", "c"): 0.5, ("b2", "c"): 0.5, ("c", "de"): 0.75,
    }  # fmt: skip
    assert mouse.source.organism == "Mus musculus by orthologs of Homo sapiens (5 of 5 genes)"


def test_bijection_renames():
    rng = np.random.default_rng(0)
    genes = [f"G{i}" for i in range(40)]
    net = GeneNetwork(genes, rng.integers(0, 40, (2, 200)), rng.uniform(0.1, 1, 200)).with_diagonal(1)
    pairs = pd.DataFrame({"from": genes, "to": [gene.lower() for gene in genes]})
    renamed = net.rename(dict(pairs.itertuples(index=False)))
    for many in ("drop", "copy"):
        assert net.to_organism(pairs, "rat", many=many) == renamed
        shuffled = pairs.sample(frac=1, random_state=1)
        assert net.to_organism(shuffled, many=many).align(renamed.genes) == renamed
    back = net.to_organism(pairs).to_organism(pairs[["to", "from"]])
    assert back == net
    assert net.to_organism(pairs, "rat").source.organism.startswith("Rattus norvegicus by one-to-one")
    assert net.to_organism(pairs).source.organism.startswith("to by one-to-one orthologs (40 of 40")


@pytest.mark.parametrize(
    ("orthologs", "options", "message"),
    [
        (PAIRS[["mouse", "human"]], {}, r"first column, 'mouse' .*pass orthologs\[\['human', 'mouse'\]\]"),
        (PAIRS + "x", {}, "contains none of the genes of this network"),
        (PAIRS.assign(third=1), {}, r"two columns.*got \(8, 3\)"),
        ({"A": "a"}, {}, "two columns.*got dict"),
        (PAIRS.assign(mouse=1), {}, "orthologs contains 1; gene names must be strings"),
        (PAIRS, {"many": "all"}, "many='all' is unknown"),
        (PAIRS, {"organism": "mousse"}, "organism='mousse' is not a known name: did you mean 'mouse'"),
    ],
)
def test_wrong_arguments(orthologs, options, message):
    with pytest.raises(ValueError, match=message):
        HUMAN.to_organism(orthologs, **options)


def test_sym_is_refused():
    with pytest.raises(ValueError, match="to_organism on a network with normalization 'sym'"):
        HUMAN.normalized("sym").to_organism(PAIRS)


def test_real_orthologs(shared_data):
    folder = shared_data / "mirror" / "string" / "download" / "protein.links.v12.0"
    human = networks.string(path=folder / "9606.protein.links.v12.0.txt.gz")
    pairs = pd.read_csv(shared_data / "networks" / "orthologs-human-mouse-ensembl105.tsv.gz", sep="\t")
    mouse = human.to_organism(pairs)
    assert {"Cd3e", "Cd19", "Nkg7"} <= set(mouse.genes)
    assert 0.8 < mouse.num_genes / human.num_genes < 0.9
    with pytest.raises(ValueError, match=r"pass orthologs\[\['human', 'mouse'\]\]"):
        human.to_organism(pairs[["mouse", "human"]])
