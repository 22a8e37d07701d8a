"""Build the distributions and use the wheel as a newcomer would: in a clean environment, outside the tree.

    python scripts/check_wheel.py [--python PYTHON] [--dist FOLDER]

What it needs is installed into temporary environments. It stops at the first thing that is wrong.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ["build >= 1.2", "twine >= 6.1", "check-wheel-contents >= 0.6"]
CELLS = """
import anndata, scanpy as sc
cells = sc.datasets.pbmc68k_reduced()
whole = cells.raw.to_adata()
whole.obs = cells.obs[["bulk_labels"]].rename(columns={"bulk_labels": "cell_type"})
whole.obs["cell_type"] = whole.obs["cell_type"].cat.rename_categories({"CD56+ NK": "NK"})
whole.obsm["X_umap"] = cells.obsm["X_umap"]
whole[::2].copy().write_h5ad("reference.h5ad")
whole[1::2].copy().write_h5ad("query.h5ad")
"""
INSTALLED = """
from importlib import metadata
import gene_gcn
assert "site-packages" in gene_gcn.__file__, gene_gcn.__file__
assert metadata.version("gene-gcn") == gene_gcn.__version__
"""
COMMANDS = [
    "gene-gcn --version",
    "gene-gcn demo --out demo",
    "gene-gcn train reference.h5ad --label cell_type --out model",
    "gene-gcn predict query.h5ad --model model --out annotated.h5ad --report report.html",
    "gene-gcn predict query.h5ad --model model --out types.csv",
]
WRITTEN = ["demo/report.html", "model/model.safetensors", "annotated.h5ad", "report.html", "types.csv"]


def main() -> None:
    """Build, check, install, use."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="Python to install the wheel into.")
    parser.add_argument("--dist", type=Path, help="Folder for the distributions, if all is well.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gene_gcn_wheel_") as name:
        folder = Path(name)
        tools = new_environment(sys.executable, folder / "tools", *TOOLS)
        dist = folder / "dist"
        run(tools / "python", "-m", "build", "--outdir", dist, ROOT, quiet=True)
        (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
        run(tools / "twine", "check", "--strict", sdist, wheel)
        run(tools / "check-wheel-contents", wheel)
        check_sdist(sdist)
        check_contents(wheel)
        step(f"installing {wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB")
        clean = new_environment(arguments.python, folder / "clean", "-c", ROOT / "constraints.txt", wheel)
        use(clean, folder / "work")
        if arguments.dist is not None:
            shutil.copytree(dist, arguments.dist, dirs_exist_ok=True)
    step("the wheel works")


def check_sdist(sdist: Path) -> None:
    """Compare the source distribution with what git has; without git, there is nothing to compare with."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        step("no git: the contents of the source distribution are not checked")
        return
    with tarfile.open(sdist) as archive:
        packed = {file.name.partition("/")[2] for file in archive if file.isfile()}
    made = {name for name in packed if name == "PKG-INFO" or ".egg-info/" in name}
    wanted = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()} - {".gitignore"}
    wrong = wanted ^ (packed - made)
    assert not wrong, f"missing or too many in the source distribution; see MANIFEST.in: {sorted(wrong)}"
    step(f"source distribution: {len(packed)} files, {sdist.stat().st_size / 1e6:.1f} MB")


def check_contents(wheel: Path) -> None:
    """Compare the wheel with the package, and look for links of the README that lead nowhere elsewhere."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        text = archive.read(metadata).decode()
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = (file for file in (ROOT / "gene_gcn").rglob("*") if file.is_file() and file.suffix != ".pyc")
    wrong = packed ^ {file.relative_to(ROOT).as_posix() for file in files}
    assert not wrong, f"missing or too many in the wheel; see package_data in setup.cfg: {sorted(wrong)}"
    links = re.findall(r"\]\(([^)\s]+)", text)
    relative = [link for link in links if not link.startswith(("https://", "#"))]
    assert links and not relative, f"relative links in the description: {relative}"


def use(programs: Path, folder: Path) -> None:
    """Run the README's Python blocks and the commands where only the wheel is installed."""
    folder.mkdir()
    run(programs / "python", "-m", "pip", "check", "--disable-pip-version-check")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```python\n(.*?)^```", readme, flags=re.MULTILINE | re.DOTALL))
    assert blocks, "the README has no Python block"
    for code in (INSTALLED, CELLS, blocks):
        run(programs / "python", "-c", code, cwd=folder, quiet=True)
    for command in COMMANDS:
        step(command)
        program, *arguments = command.split()
        run(programs / program, *arguments, cwd=folder, quiet=True)
    missing = [name for name in WRITTEN if not (folder / name).is_file()]
    assert not missing, f"not written: {missing}"


def new_environment(python: str, folder: Path, *requirements: str | Path) -> Path:
    """Make an environment with these packages; return the folder of its programs."""
    run(python, "-m", "venv", folder)
    programs = folder / "bin"
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    run(programs / "python", *pip, *requirements, quiet=True)
    return programs


def run(*command: str | Path, cwd: Path | None = None, quiet: bool = False) -> None:
    """Run a program that knows nothing of this tree; if `quiet`, show what it says only if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode:
        sys.exit(f"{done.stdout or ''}\nfailed: {' '.join(map(str, command))[:300]}")


def step(text: str) -> None:
    """Say what is done, and when."""
    print(f"{time.perf_counter() - START:5.0f} s  {text}", flush=True)


START = time.perf_counter()

if __name__ == "__main__":
    main()
