"""Files that describe the package say the same, and are what the services that read them expect."""

from __future__ import annotations

import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

import gene_gcn
from gene_gcn.cli import main
from gene_gcn.storage import cache, download

ROOT = Path(__file__).resolve().parents[1]
OF_CONDA = {"torch": "pytorch-cpu", "torch-geometric": "pytorch_geometric", "matplotlib": "matplotlib-base"}
SCHEMAS = {
    "github-workflows": ".github/workflows/*.yml",
    "dependabot": ".github/dependabot.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "readthedocs": ".readthedocs.yaml",
    "citation-file-format": "CITATION.cff",
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def config() -> ConfigParser:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


@pytest.fixture(scope="module")
def urls(config) -> dict[str, str]:
    return dict(line.split(" = ") for line in config["metadata"]["project_urls"].strip().splitlines())


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_for_services_follow_their_schemas(schema):
    files = sorted(map(str, ROOT.glob(SCHEMAS[schema])))
    assert files
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_conda_has_the_same_requirements(config):
    listed = [
        line for line in yaml.safe_load(read("environment.yml"))["dependencies"] if isinstance(line, str)
    ]
    required = [line.split(" >= ") for line in config["options"]["install_requires"].strip().splitlines()]
    expected = {f"{OF_CONDA.get(name, name)} >={version}" for name, version in required}
    assert {line for line in listed if not line.startswith(("python ", "pip"))} == expected


def test_pythons_are_the_same_everywhere(config):
    named = re.findall(r"Python :: (3\.\d+)", config["metadata"]["classifiers"])
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    assert jobs["ci"]["strategy"]["matrix"]["python"] == named
    assert config["options"]["python_requires"] == f">={named[0]}"
    after = f"3.{int(named[-1].partition('.')[2]) + 1}"
    assert f"- python >={named[0]},<{after}\n" in read("environment.yml")


def test_workflows_run_what_there_is():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = workflow.read_text(encoding="utf-8")
        assert set(re.findall(r"run: make (\w+)", text)) <= targets
        assert all((ROOT / name).is_file() for name in re.findall(r"run: bash (\S+)", text))


def test_addresses_and_versions_are_the_same_everywhere(urls):
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == gene_gcn.__version__
    assert (citation["repository-code"], citation["url"]) == (urls["Source"], urls["Documentation"])
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md", ".github/ISSUE_TEMPLATE/config.yml"):
        assert set(re.findall(r"https://[^/]+/[^/]+/[^/)\s]+", read(name))) == {urls["Source"]}, name


def test_links_of_the_readme_become_absolute(monkeypatch, urls):
    """setup.py calls `setup` when it is read; here, that only keeps what it would be told."""
    told = {}
    monkeypatch.setattr("setuptools.setup", lambda **options: told.update(options))
    exec(compile(read("setup.py"), ROOT / "setup.py", "exec"), {"__file__": str(ROOT / "setup.py")})
    release = f"{urls['Source']}/{{}}/v{gene_gcn.__version__}/"
    links = re.findall(r"\]\(([^)\s]+)", told["long_description"])
    assert all(link.startswith(("https://", "#")) for link in links)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)", told["long_description"])
    assert pictures and all(link.startswith(release.format("raw")) for link in pictures)
    inside = [link for link in links if link.startswith(urls["Source"])]
    for link in inside:
        assert link.startswith((release.format("raw"), release.format("blob")))
        assert (ROOT / link.split(f"v{gene_gcn.__version__}/")[1].partition("#")[0]).exists(), link
    assert len(inside) > 5


def test_installation_page_names_what_there_is(config, capsys):
    page = read("docs/installation.md")
    commands = re.findall(r"^(?:gene-gcn|docker run .* gene_gcn) ([^#\n]+)", page, flags=re.MULTILINE)
    assert len(commands) > 5
    for command, *words in map(str.split, commands):
        assert main([command, "--help"]) == 0
        text = capsys.readouterr().out
        assert all(word in text for word in words if word.startswith("--")), command
    assert set(re.findall(r"GENE_GCN_[A-Z_]+", page)) <= {*download.HOSTS, cache.CACHE_VARIABLE}
    extras = config["options.extras_require"]
    assert all(name in extras for name in re.findall(r"^\| `(\w+)`", page, flags=re.MULTILINE))
    exec("".join(re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)), {})
    assert capsys.readouterr().out in ("True\n", "False\n")
