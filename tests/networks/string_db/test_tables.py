from __future__ import annotations

import pandas as pd
from host import INFO, LINKS

from gene_gcn.networks.string_db.tables import CHANNELS, PRIOR, combined_score, parse_info, parse_links


def test_tables(tmp_path):
    links, info = tmp_path / "links.txt", tmp_path / "info.txt"
    links.write_bytes(LINKS)
    info.write_bytes(INFO)
    table = parse_links(links)
    assert table.astype(str).values.tolist() == [line.split() for line in LINKS.decode().splitlines()[1:]]
    assert parse_info(info).to_dict() == {"9606.ENSP01": "TP53", "9606.ENSP02": "MDM2", "9606.ENSP03": "ACTB"}


def test_combined_score_identities():
    alone = pd.DataFrame({"experimental": [42, 300, 1000]})
    assert combined_score(alone).tolist() == [42, 300, 1000]  # a single channel is unchanged
    both = alone.assign(database=[0, 41, 20])
    assert combined_score(both).tolist() == [42, 300, 1000]  # a channel below the prior adds nothing
    assert combined_score(pd.DataFrame({"a": [41, 0], "b": [30, 0]})).tolist() == [0, 0]
    s = [(x / 1000 - PRIOR) / (1 - PRIOR) for x in (500, 600)]
    by_hand = 1000 * (PRIOR + (1 - PRIOR) * (1 - (1 - s[0]) * (1 - s[1])))
    assert combined_score(pd.DataFrame({"a": [500], "b": [600]})).tolist() == [int(by_hand)]


def test_all_channels_combine_to_strings_score(shared_data):
    path = shared_data / "networks" / "9606.protein.links.detailed.v11.0.sample10k.txt"
    table = pd.read_csv(path, sep=" ")
    difference = table["combined_score"] - combined_score(table[list(CHANNELS)])
    assert difference.between(0, 2).all()  # because the file's channels are truncated to integers
