"""The kind of a file is recognized by its content."""

from __future__ import annotations

import pytest

from gene_gcn import networks


def test_real_files_are_recognized_by_content(shared_data):
    mirror, folder = shared_data / "mirror", shared_data / "networks"
    string = mirror / "string/download/protein.links.v11.5/10090.protein.links.v11.5.txt.gz"
    biogrid = mirror / "biogrid/Download/BioGRID/Release-Archive/BIOGRID-3.4.128"
    sample = folder / "9606.protein.links.detailed.v11.0.sample10k.txt"
    for name, path, organism in [
        ("STRING 11.5", string, None),
        ("STRING 11.0", sample, "human"),
        ("BioGRID", biogrid / "BIOGRID-ORGANISM-3.4.128.tab2.zip", "mouse"),
        ("BioGRID", folder / "biogrid_yeast_raw_sample.tab2.txt", None),
        ("biogrid-4", folder / "biogrid-4.4.232-human-symbols.tsv.gz", None),
    ]:
        network = networks.from_file(path, organism=organism)
        assert str(network.source).startswith(name) and network.num_edges


def test_arguments_that_do_not_apply_are_refused(tmp_path):
    edges = tmp_path / "edges.tsv"
    edges.write_text("A\tB\nB\tC\n")
    assert networks.from_file(edges).num_edges == 2
    with pytest.raises(ValueError, match="organism='human' applies only to files of STRING and BioGRID"):
        networks.from_file(edges, organism="human")
    with pytest.raises(ValueError, match=r"info='x' applies only to STRING's protein\.links"):
        networks.from_file(edges, info="x")
    with pytest.raises(FileNotFoundError, match="absent.tsv"):
        networks.from_file(tmp_path / "absent.tsv")
