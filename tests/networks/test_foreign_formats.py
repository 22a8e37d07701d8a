from __future__ import annotations

import pytest

from gene_gcn import networks


@pytest.mark.parametrize(
    ("content", "message"),
    {
        "#ID Interactor A\tID Interactor B\tAlt IDs Interactor A\tx\na\tb\tc\td\n": "PSI-MI TAB",
        "#ID(s) interactor A\tID(s) interactor B\tAlt. ID(s) interactor A\tx\na\tb\tc\td\n": "PSI-MI TAB",
        '<?xml version="1.0"?>\n<entrySet level="2">\n': r"XML file of PSI-MI \(psi25\), .*tab3",
        '<?xml version="1.0"?>\n<graphml>\n': "GraphML, .*read_graphml",
        '<?xml version="1.0"?>\n<!DOCTYPE html>\n<html>': "web page",
        "uniprotkb:P1\tuniprotkb:P2\tintact:E1\tintact:E2\tpsi-mi:x\n": "PSI-MI TAB",
        '{"nodes": [], "edges": []}\n': "JSON file.*networkx",
        '[{"metaData":[]}]\n': "JSON file",
        'graph [\n node [ id 0 label "A" ]\n]\n': "GML file",
        'strict digraph "G" {\n "A" -> "B";\n}\n': "DOT file",
        '*Vertices 2\n1 "A"\n2 "B"\n*Edges\n1 2 1\n': "Pajek file",
        "%%MatrixMarket matrix coordinate real symmetric\n3 3 1\n2 1 0.5\n": "Matrix Market file",
        "#string_protein_id\tpreferred_name\n9606.P1\tTP53\n": "names of proteins.*as info=",
        "\ufeffsource\ttarget\n": "text in UTF-16, .* save it in UTF-8",
    }.items(),
)
@pytest.mark.parametrize("read", [networks.read, networks.from_file])
def test_other_formats_are_named(tmp_path, read, content, message):
    path = tmp_path / "x.txt"
    path.write_text(content, encoding="utf-16-le" if content.startswith("\ufeff") else "utf-8")
    with pytest.raises(ValueError, match=message):
        read(path)
