"""What is promised in the README and the examples runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments, folder) -> str:
    done = subprocess.run([sys.executable, *map(str, arguments)], cwd=folder, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_example_of_the_readme_runs(tmp_path):
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(examples) == 1
    assert "gene_gcn_confidence" in run("-c", examples[0], folder=tmp_path)
    assert (tmp_path / "pbmc_model" / "model.safetensors").is_file()


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(example, tmp_path):
    assert run(example, folder=tmp_path)


def test_commands_of_the_readme_exist():
    """Every gene-gcn command of the README is known, with all its options."""
    text = (ROOT / "README.md").read_text()
    commands = [line.split() for line in text.splitlines() if line.startswith("gene-gcn ")]
    assert commands
    for _, command, *arguments in commands:
        shown = run("-m", "gene_gcn.cli", command, "--help", folder=ROOT)
        assert all(word in shown for word in arguments if word.startswith("--")), command
