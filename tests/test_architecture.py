"""Data flows one way through the package, importing it is cheap, and nothing in it runs code from a file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

import gene_gcn

PACKAGE = Path(gene_gcn.__file__).parent
# A room imports those before it and itself, nothing after it.
ROOMS = [
    "errors",
    "nn",
    "genes",
    "storage",
    "cells",
    "networks",
    "ontology",
    "orthologs",
    "training",
    "uncertainty",
    "explain",
    "estimators",
    "plots",
    "benchmark",
    "report",
    "cli",
]
# Packages whose names are imported at first use declare them in a stub.
PUBLIC = {
    "GeneGCNClassifier": "estimators",
    "CellEmbedding": "estimators",
    "MarkerClassifier": "estimators",
    "from_markers": "estimators",
    "suspicious": "estimators",
    "GeneNetwork": "networks",
    "ModelCard": "estimators",
}


def modules_of(folder: Path) -> dict[str, Path]:
    """Every module by its dotted name; a package has that of its folder."""
    return {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(folder.rglob("*.py"))
    }


MODULES = modules_of(PACKAGE)


def imports(module: str, path: Path) -> Iterator[str]:
    """Dotted names a module imports when it runs, in functions too; `from a import b` is a.b."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_for_types = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in only_for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{source}.{alias.name}" for alias in node.names)


def room(name: str) -> str | None:
    """The room of `gene_gcn.networks.edges.read`, `gene_gcn.GeneNetwork`…; None for what has none."""
    _, first, *_ = *name.split("."), ""
    first = PUBLIC.get(first, first)
    return first if first in ROOMS else None


def imported_rooms(module: str, path: Path) -> set[str]:
    own = {name for name in imports(module, path) if name.split(".")[0] == "gene_gcn"}
    assert {name for name in own if room(name) is None} <= {"gene_gcn.__version__"}
    return {room(name) for name in own} - {None}


def outside(module: str) -> set[str]:
    """Libraries a module imports, without those of Python itself."""
    names = {name.split(".")[0] for name in imports(module, MODULES[module])}
    return names - set(sys.stdlib_module_names) - {"gene_gcn"}


def find_circle(modules: dict[str, Path]) -> list[str]:
    """Modules that import each other in a circle; empty if none do."""
    graph = {}
    for module, path in modules.items():
        own = set(imports(module, path))
        # `from package import module` and `from module import name` look alike.
        graph[module] = {n if n in modules else n.rpartition(".")[0] for n in own} & set(modules)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


# ---- one way ----


def test_every_module_belongs_to_a_room():
    assert len(MODULES) > 50
    assert {name for name in MODULES if room(name) is None} == {"gene_gcn", "gene_gcn.__main__"}


@pytest.mark.parametrize("module", [name for name in MODULES if room(name)])
def test_nothing_imports_backwards(module):
    own = ROOMS.index(room(module))
    found = imported_rooms(module, MODULES[module])
    assert [name for name in found if ROOMS.index(name) > own] == []


def test_no_files_import_each_other_in_a_circle():
    assert find_circle(MODULES) == []


def test_the_checks_see_imports_in_functions_relative_ones_and_circles(tmp_path):
    folder = tmp_path / "gene_gcn"
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "__init__.py").write_text("")
    (folder / "plots" / "a.py").write_text("def f():\n    from .b import g\n    import gene_gcn.cli\n")
    (folder / "plots" / "b.py").write_text("from gene_gcn import GeneNetwork\nfrom gene_gcn.plots import a\n")
    modules = modules_of(folder)
    assert imported_rooms("gene_gcn.plots.a", modules["gene_gcn.plots.a"]) == {"plots", "cli"}
    assert imported_rooms("gene_gcn.plots.b", modules["gene_gcn.plots.b"]) == {"networks", "plots"}
    assert set(find_circle(modules)) == {"gene_gcn.plots.a", "gene_gcn.plots.b"}


def test_layers_training_and_files_stand_alone():
    for module, path in MODULES.items():
        if room(module) == "nn":
            assert imported_rooms(module, path) <= {"nn", "errors"}
            kernels = {"torch_sparse", "torch_scatter"} if module == "gene_gcn.nn.kernels" else set()
            assert outside(module) <= {"torch", "torch_geometric", "lazy_loader"} | kernels
        if room(module) == "training":
            assert imported_rooms(module, path) <= {"training", "nn", "errors"}
            assert not outside(module) & {"anndata", "scanpy", "pandas"}
        if room(module) == "genes":
            assert "torch" not in outside(module)
        if room(module) == "storage":
            assert imported_rooms(module, path) <= {"storage", "errors"}


def test_only_three_modules_know_the_web():
    online = {"requests", "pooch", "urllib3", "http", "urllib", "ftplib", "socket"}
    found = {
        module
        for module, path in MODULES.items()
        if any(
            name.split(".")[0] in online and not name.startswith("urllib.parse.")  # which splits addresses
            for name in imports(module, path)
        )
    }
    assert found <= {f"gene_gcn.storage.{name}" for name in ("download", "http_client", "retries")}


@pytest.mark.parametrize("module", MODULES)
def test_errors_and_warnings_carry_what_they_are_about(module):
    """Bad arguments raise ArgumentError, and `errors.warn` issues warnings at the user's line."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and node.exc is not None:
            assert not ast.unparse(node.exc).startswith(("ValueError", "Exception"))
        if isinstance(node, ast.Call) and module != "gene_gcn.errors":
            assert ast.unparse(node.func) != "warnings.warn"
            if ast.unparse(node.func) == "warnings.filterwarnings":
                assert "message" not in {keyword.arg for keyword in node.keywords}


# ---- cheap ----


def loaded_by(code: str, *, folder: Path) -> set[str]:
    """Modules that a fresh process has loaded after some code, which must neither print nor warn."""
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy(tmp_path):
    loaded = loaded_by("import gene_gcn; dir(gene_gcn)", folder=tmp_path)
    heavy = {
        "torch",
        "torch_geometric",
        "lightning",
        "sklearn",
        "pandas",
        "scanpy",
        "anndata",
        "scipy",
        "numpy",
    }
    assert not loaded & heavy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", ["from gene_gcn import GeneGCNClassifier", "import gene_gcn.networks"])
def test_the_classifier_loads_no_library_that_it_does_not_use(tmp_path, code):
    loaded = loaded_by(code, folder=tmp_path)
    unused = {"lightning", "torch_geometric", "torch._dynamo", "scanpy", "matplotlib", "requests", "pooch"}
    assert not loaded & unused
    if "networks" in code:
        assert not loaded & {"torch", "sklearn"}


def test_public_names_are_there_and_others_are_not():
    assert {"networks", "nn", "plots", "cells"} <= set(gene_gcn.__all__) <= set(dir(gene_gcn))
    for name in gene_gcn.__all__:
        assert getattr(gene_gcn, name) is not None
    with pytest.raises(AttributeError, match="No gene_gcn attribute GeneGNN"):
        _ = gene_gcn.GeneGNN


# ---- no code from files ----


@pytest.mark.parametrize("module", MODULES)
def test_nothing_runs_code_from_a_file(module):
    unsafe = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
    assert not {part for name in imports(module, MODULES[module]) for part in name.split(".")} & unsafe
    # States of training are lightning's; they are read with `weights_only=True`.
    written = set() if module == "gene_gcn.training.checkpoint" else {"torch.save"}
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in {"eval", "exec", "compile", "__import__", "torch.load"} | written
            assert not name.endswith(("read_pickle", "to_pickle", "load_from_checkpoint", "save_checkpoint"))
            assert not any(
                keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
                for keyword in node.keywords
            )
