"""What the page about sharing models shows does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import yaml
from hub_host import OLD, Hub
from shared_models import contents

from gene_gcn import GeneGCNClassifier, ModelCard
from gene_gcn.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "guide" / "sharing_models.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_blocks_run(tmp_path, host, monkeypatch, capsys):
    (python,) = blocks("python")
    subprocess.run([sys.executable, "-c", python], cwd=tmp_path, check=True, timeout=300, capture_output=True)
    folder, archive = (GeneGCNClassifier.load(tmp_path / name) for name in ("blood", "blood.zip"))
    assert folder.card_ == archive.card_ and folder.card_.title == "Blood cells, an example"
    Hub(host).put("owner/blood", OLD, contents(tmp_path / "blood"))
    monkeypatch.setenv("GENE_GCN_HF_URL", host.url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "blood").rename(tmp_path / "uploaded")
    commands = [
        line.split(" #")[0].replace("'", "").split() for block in blocks("sh") for line in block.splitlines()
    ]
    of_ours = [words[1:] for words in commands if words[0] == "gene-gcn" and words[1] == "models"]
    assert len(of_ours) == 5
    assert [main(words) for words in of_ours] == [0] * 5
    assert contents(tmp_path / "blood") == contents(tmp_path / "uploaded")
    assert "Removed   hf://owner/blood" in capsys.readouterr().out


def test_fields_of_the_page_are_all_fields():
    named = set(re.findall("`([a-z_]+)`", PAGE[PAGE.index("- The fields are") : PAGE.index("- `fit` finds")]))
    assert named == {field.name for field in fields(ModelCard)}
    (text,) = blocks("yaml")
    assert ModelCard.of(yaml.safe_load(text)).tissue == ("blood", "bone marrow")
