"""Data flows one way through the package, importing it is cheap, and nothing in it runs code from a file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

import gene_gcn

PACKAGE = Path(gene_gcn.__file__).parent
# A layer imports those above it and itself, nothing below.
LAYERS = [
    "atomic",
    "networks",
    "expression",
    "nn",
    "training",
    "features",
    "linear_head",
    "estimator",
    "embedding",
    "persistence",
    "classifier",
    "explain",
    "plots",
    "files",
    "demo",
    "benchmark",
    "cli",
]
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports(module: str) -> Iterator[str]:
    """Dotted names a module imports anywhere, in functions too; `from a import b` is a.b."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{source}.{alias.name}" for alias in node.names)


def layer(name: str) -> str | None:
    """The layer of `gene_gcn.networks.string_db.network`, `gene_gcn.GeneNetwork`…; None for what has none."""
    _, first, *_ = *name.split("."), ""
    first = gene_gcn._HOMES.get(first, f"gene_gcn.{first}").split(".")[1]
    return first if first in LAYERS else None


def imported_layers(module: str) -> set[str]:
    own = {name for name in imports(module) if name.split(".")[0] == "gene_gcn"}
    assert own - {name for name in own if layer(name)} <= {"gene_gcn.__version__"}
    return {layer(name) for name in own} - {None}


def outside(module: str) -> set[str]:
    """Libraries a module imports, without those of Python itself."""
    return {name.split(".")[0] for name in imports(module)} - set(sys.stdlib_module_names) - {"gene_gcn"}


# ---- one way ----


def test_every_module_belongs_to_a_layer():
    assert len(MODULES) > 10
    assert {name for name in MODULES if layer(name) is None} <= {"gene_gcn", "gene_gcn.__main__"}


@pytest.mark.parametrize("module", [name for name in MODULES if layer(name)])
def test_nothing_imports_backwards(module):
    own = LAYERS.index(layer(module))
    assert [name for name in imported_layers(module) if LAYERS.index(name) > own] == []


def test_model_files_and_layers_know_nothing_of_the_rest():
    assert imported_layers("gene_gcn.storage.model_folder") == set()
    for module in MODULES:
        if layer(module) == "nn":
            assert imported_layers(module) <= {"nn"}
            kernels = {"torch_sparse", "torch_scatter"} if module == "gene_gcn.nn.kernels" else set()
            assert outside(module) <= {"torch", "torch_geometric"} | kernels
        if layer(module) == "training":
            assert imported_layers(module) <= {"nn", "training"}
            assert not outside(module) & {"sklearn", "anndata", "scanpy", "pandas"}


def test_one_module_goes_online():
    online = {"requests", "pooch", "urllib3", "http", "urllib", "ftplib", "socket"}
    found = [name for name in MODULES if any(imported.split(".")[0] in online for imported in imports(name))]
    assert set(found) <= {"gene_gcn.storage.download"}


def test_the_checks_see_imports_in_functions_and_relative_ones(tmp_path, monkeypatch):
    path = tmp_path / "plots.py"
    path.write_text("def f():\n    from .cli import main\n    from gene_gcn import GeneNetwork, demo\n")
    monkeypatch.setitem(MODULES, "gene_gcn.plots", path)
    assert imported_layers("gene_gcn.plots") == {"cli", "networks", "demo"}


# ---- cheap ----


def test_importing_the_package_loads_nothing_heavy(tmp_path):
    heavy = "torch torch_geometric lightning sklearn pandas scanpy anndata scipy numpy".split()
    code = f"import sys, gene_gcn; dir(gene_gcn); print([m for m in {heavy} if m in sys.modules])"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
    assert list(tmp_path.iterdir()) == []


def test_public_names_are_there_and_others_are_not():
    assert set(gene_gcn.__all__) <= set(dir(gene_gcn))
    for name in gene_gcn.__all__:
        assert getattr(gene_gcn, name) is not None
    with pytest.raises(AttributeError, match="module 'gene_gcn' has no attribute 'GeneGNN'"):
        _ = gene_gcn.GeneGNN


# ---- no code from files ----


@pytest.mark.parametrize("module", MODULES)
def test_nothing_runs_code_from_a_file(module):
    unsafe = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    assert not {part for name in imports(module) for part in name.split(".")} & unsafe
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in {"eval", "exec", "compile", "__import__", "torch.load", "torch.save"}
            assert not name.endswith(("read_pickle", "to_pickle", "load_from_checkpoint", "save_checkpoint"))
            assert not any(
                keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
                for keyword in node.keywords
            )
