"""Look for known vulnerabilities of the installed packages, if the database of them can be reached.

Exits with a status other than 0 for findings only.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys

import requests

DATABASE = "https://api.osv.dev/v1/query"
SECONDS = 240  # for some hundred packages; without a connection, less than ten


def main() -> int:
    """Run pip-audit, which must be installed or be installable."""
    argparse.ArgumentParser(description=__doc__).parse_known_args()
    try:
        requests.post(DATABASE, json={"package": {"name": "pip", "ecosystem": "PyPI"}}, timeout=8)
    except requests.RequestException as error:
        return skip(f"{DATABASE} cannot be reached ({type(error).__name__})")
    python = [sys.executable, "-m"]
    try:
        if subprocess.run([*python, "pip_audit", "--version"], capture_output=True).returncode:
            command = [
                *python,
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "pip-audit >= 2.7",
            ]
            if subprocess.run(command, timeout=SECONDS).returncode:
                return skip("pip-audit cannot be installed")
        command = [*python, "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off"]
        options = ["--vulnerability-service", "osv", "--timeout", "15"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return skip(f"the database did not answer within {SECONDS} seconds")
    print(done.stdout, end="")
    if done.returncode and re.search(r"Found \d+ known vulnerabilit", done.stderr) is None:
        print(done.stderr, end="", file=sys.stderr)
        return skip("pip-audit failed")
    print(done.stderr, end="")
    return done.returncode


def skip(reason: str) -> int:
    """Say why nothing was checked, and pass."""
    print(f"audit: not checked for known vulnerabilities, because {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
