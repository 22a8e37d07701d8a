"""STRING's protein vectors are downloaded once, checked, and read under the names of genes."""

from __future__ import annotations

import gzip

import h5py
import numpy as np
import pytest
from string_vector_files import h5_bytes

from gene_gcn import networks
from gene_gcn.errors import ArgumentError
from gene_gcn.networks import DownloadError
from gene_gcn.networks.string_db.vector_files import parse_vectors

NAME = "9606.protein.network.embeddings.v12.0.h5"
PATH = f"/download/protein.network.embeddings.v12.0/{NAME}"
PROTEINS = ["9606.ENSP01", "9606.ENSP02", "9606.ENSP03", "9606.ENSP04"]  # the last has no preferred name
VECTORS = np.array([[3, 4, 0], [0, 0, 2], [0, 0, 0], [1, 0, 0]], np.float16)
UNIT = [[0.6, 0.8, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]]
ALIASES = b"#string_protein_id\talias\tsource\n9606.ENSP01\tENSG00000141510\tEnsembl_gene\n"


@pytest.fixture
def vectors_host(string_host):
    string_host.files[PATH] = h5_bytes(PROTEINS, VECTORS)
    path = "/download/protein.aliases.v12.0/9606.protein.aliases.v12.0.txt.gz"
    string_host.files[path] = gzip.compress(ALIASES)
    return string_host


def test_downloaded_once_then_offline(vectors_host):
    found = networks.string_vectors("human")
    assert found.genes == ("TP53", "MDM2", "ACTB", "ENSP04") and found.vectors.dtype == np.float32
    np.testing.assert_allclose(found.vectors, UNIT, rtol=1e-3)
    assert vectors_host.paths() == [PATH, "/download/protein.info.v12.0/9606.protein.info.v12.0.txt.gz"]
    vectors_host.close()
    np.testing.assert_array_equal(networks.string_vectors("Homo sapiens").vectors, found.vectors)
    assert networks.cached().set_index("name").loc[f"string/12.0/{NAME}", "organism"] == "Homo sapiens"


def test_genes_of_the_user(vectors_host):
    found = networks.string_vectors("human")
    aliases = networks.string_db.names.fetched_aliases("human")
    own = found.for_genes(["ENSG00000141510.4", "unknown", "MDM2"], aliases)
    np.testing.assert_allclose(own, [UNIT[0], [0, 0, 0], UNIT[1]], rtol=1e-3)


def test_proteins_of_one_gene_are_averaged(vectors_host):
    info = "/download/protein.info.v12.0/9606.protein.info.v12.0.txt.gz"
    text = gzip.decompress(vectors_host.files[info]).replace(b"MDM2", b"TP53")
    vectors_host.files[info] = gzip.compress(text)
    found = networks.string_vectors("human")
    assert found.genes == ("TP53", "ACTB", "ENSP04")
    mean = (np.array(UNIT[0]) + UNIT[1]) / np.sqrt(2)
    np.testing.assert_allclose(found.vectors[0], mean, rtol=1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not HDF5", "damaged or not STRING's file of protein vectors"),
        (h5_bytes(PROTEINS[:2], VECTORS), r"the shapes \(4, 3\) and \(2,\)"),
        (
            h5_bytes(["10090.ENSMUSP01", *PROTEINS[1:]], VECTORS),
            "'10090.ENSMUSP01', which is not of organism",
        ),
        (h5_bytes(PROTEINS, VECTORS * np.float16(np.nan)), "not finite"),
        (h5_bytes([], VECTORS[:0]), "no vectors"),
        (h5_bytes(PROTEINS, VECTORS)[:-600], "damaged"),
    ],
)
def test_bad_files_are_not_kept(vectors_host, cache, content, message):
    vectors_host.files[PATH] = content
    with pytest.raises(DownloadError, match=message):
        networks.string_vectors("human")
    assert not list(cache.rglob("*.h5"))


def test_file_of_another_layout(tmp_path):
    with h5py.File(tmp_path / "all.h5", "w") as file:  # the file of all species
        file["species/9606/embeddings"] = VECTORS
    with pytest.raises(ArgumentError, match="not STRING's file of protein vectors"):
        parse_vectors(tmp_path / "all.h5")
