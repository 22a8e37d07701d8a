"""The README's promises: its Python example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"


def test_python_example_runs(tmp_path):
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(examples) == 1
    done = subprocess.run([sys.executable, "-c", examples[0]], cwd=tmp_path, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    assert "gene_gcn_confidence" in done.stdout
    assert (tmp_path / "pbmc_model" / "model.safetensors").is_file()
