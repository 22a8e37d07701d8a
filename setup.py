"""The README as a page of a package index, where relative links lead nowhere; all else is in setup.cfg."""

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

FOLDER = Path(__file__).parent
PICTURES = (".png", ".svg", ".jpg", ".gif")


def absolute_links(text: str, repository: str, version: str) -> str:
    """Point relative links and pictures at the files of the release with this version."""

    def absolute(link: re.Match[str]) -> str:
        kind = "raw" if link["target"].endswith(PICTURES) else "blob"
        return f"{link['start']}{repository}/{kind}/v{version}/{link['target']}"

    return re.sub(r"(?P<start>\]\()(?!https?://|mailto:|#)(?P<target>[^)\s]+)", absolute, text)


def description() -> str:
    """Return the README with absolute links."""
    config = ConfigParser()
    config.read(FOLDER / "setup.cfg", encoding="utf-8")
    urls = dict(line.split(" = ") for line in config["metadata"]["project_urls"].strip().splitlines())
    init = (FOLDER / "gene_gcn" / "__init__.py").read_text(encoding="utf-8")
    (version,) = re.findall(r'^__version__ = "(.+)"$', init, flags=re.MULTILINE)
    return absolute_links((FOLDER / "README.md").read_text(encoding="utf-8"), urls["Source"], version)


setup(long_description=description())
