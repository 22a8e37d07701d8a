"""The Galaxy tools, linted and run by Galaxy's libraries."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from integration_tools import INTEGRATIONS, environment, tool

from gene_gcn import __version__

FOLDER = INTEGRATIONS / "galaxy"


@pytest.fixture(scope="module")
def test_data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("test-data")
    subprocess.run([sys.executable, FOLDER / "make_test_data.py", folder], env=environment(), check=True)
    return folder


@pytest.mark.integrations
@pytest.mark.parametrize("name", ["gene_gcn_train", "gene_gcn_predict"])
def test_the_tests_of_a_tool_pass(name, test_data, tmp_path):
    script = Path(__file__).with_name("galaxy_jobs.py")
    command = [tool("python"), script, FOLDER / f"{name}.xml", test_data, tmp_path / "jobs"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 tests passed" in done.stdout


def test_the_tools_are_of_this_version():
    assert re.findall(r'name="@TOOL_VERSION@">(.*?)<', (FOLDER / "macros.xml").read_text()) == [__version__]
