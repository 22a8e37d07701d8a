"""Cell files of the command line: read into an AnnData whatever the format; results written whole."""

from __future__ import annotations

import csv
import gzip
import os
import warnings
import zlib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gene_gcn.storage.atomic import replacing

if TYPE_CHECKING:
    import anndata
    import h5py
    import numpy as np
    import pandas as pd
    from scipy import sparse

__all__ = ["ENDINGS", "check_cells_path", "check_predictions_path", "read_cells", "write_predictions"]

ENDINGS = (".h5ad", ".h5", ".loom", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
BLOCK = 2**22  # values held dense at once
HEAD = 200  # rows that tell which columns of a table are numbers

# Expressed in nearly every cell of every tissue: where these name rows, the rows are genes.
HOUSEKEEPING = {"ACTB", "GAPDH", "B2M", "MALAT1", "EEF1A1", "RPL3", "RPS3", "RPLP0", "TMSB4X", "FTL", "UBC"}


def read_cells(path: str | os.PathLike[str], *, obs_columns: Sequence[str] = ()) -> anndata.AnnData:
    """Read a file of cells × genes, by its ending.

    ========================  =============================================================================
    ``.h5ad``                 AnnData
    ``.h5``                   10x Genomics, Cell Ranger 2 and later; or a pandas HDFStore with one frame of
                              cells × genes and a Series for each column of ``.obs``, in pandas' fixed format
    ``.loom``                 main matrix, layers, one-dimensional attributes
    ``.csv``, ``.tsv``,       a row per cell, the first column its name; a header with the gene names.
    ``.csv.gz``, ``.tsv.gz``  Columns of text (and those of `obs_columns`) describe the cells and go to
                              ``.obs``; all other columns are taken as genes
    ========================  =============================================================================

    Gene names are left as they are, also where they repeat. Tables are read in blocks of rows into a sparse
    float32 matrix.

    Parameters
    ----------
    path
        The file.
    obs_columns
        Columns of a table that are not genes though they hold numbers, such as cluster labels; names that
        the table does not have are ignored.

    Returns
    -------
    AnnData

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the ending is unknown, or the file is damaged or not what its ending says.
    """
    ending = check_cells_path(path)
    file = Path(path).expanduser()
    with warnings.catch_warnings():
        # Repeated gene names are summed, with a warning of our own.
        warnings.filterwarnings("ignore", message="Variable names are not unique")
        warnings.filterwarnings("ignore", category=FutureWarning)
        if ending.startswith((".csv", ".tsv")):
            return _read_table(file, ending, obs_columns)
        kind, read = {
            ".h5ad": ("an h5ad file", _read_h5ad),
            ".loom": ("a loom file", _read_loom),
            ".h5": ("a 10x .h5 file or a pandas HDFStore", _read_h5),
        }[ending]
        return _read_or_explain(file, kind, read)


def check_cells_path(path: str | os.PathLike[str]) -> str:
    """Return the ending of a file that `read_cells` would read, without opening it; raise as it does."""
    file = Path(path).expanduser()
    if not file.is_file():
        kind = "is a folder, not a file" if file.is_dir() else "does not exist"
        raise FileNotFoundError(f"The cell file {str(path)!r} {kind}.")
    for ending in ENDINGS:
        if file.name.lower().endswith(ending):
            return ending
    raise ValueError(f"The cell file {str(path)!r} has no known ending; known are {', '.join(ENDINGS)}.")


def write_predictions(path: str | os.PathLike[str], cells: anndata.AnnData, key: str = "gene_gcn") -> None:
    """Write the predictions that `GeneGCNClassifier.annotate` left in `cells`.

    Parameters
    ----------
    path
        ``.h5ad`` for the annotated cells whole, ``.csv``, ``.tsv`` (or these with ``.gz``) for a table
        ``cell, label, confidence``.
    cells
        Annotated under `key`.

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    check_predictions_path(path)
    with replacing(path) as file:
        if file.name.lower().endswith(".h5ad"):
            cells.write_h5ad(file, compression="gzip")
            return
        table = cells.obs[[key, f"{key}_confidence"]].set_axis(["label", "confidence"], axis=1)
        separator = "\t" if ".tsv" in file.suffixes[-2:] else ","
        table.to_csv(file, sep=separator, index_label="cell", float_format="%.6g")


def check_predictions_path(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if `write_predictions` does not know the ending of `path`."""
    endings = tuple(ending for ending in ENDINGS if ending not in (".h5", ".loom"))
    if not Path(path).name.lower().endswith(endings):
        raise ValueError(
            f"Predictions cannot be written to {str(path)!r}; give it one of the endings "
            f"{', '.join(endings)}."
        )


def _read_or_explain(file: Path, kind: str, read: Callable[[Path], Any]) -> anndata.AnnData:
    """Read by a library, whose errors for damaged files are of many types, few of them meant for users."""
    try:
        return read(file)
    except MemoryError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{str(file)!r} is damaged or not {kind}: {reason.rstrip('.')[:200]}.") from error


def _read_h5ad(file: Path) -> anndata.AnnData:
    import anndata

    return anndata.read_h5ad(file)


def _read_h5(file: Path) -> anndata.AnnData:
    import h5py
    import scanpy

    with h5py.File(file, "r") as store:
        kinds = {name: _text(group.attrs.get("pandas_type")) for name, group in store.items()}
        if any(kinds.values()):
            return _read_hdfstore(file, store, kinds)
    return scanpy.read_10x_h5(file)


# ---- pandas HDFStore: its numbers are read in blocks, without pandas, which would make a dense frame of them ----


def _read_hdfstore(file: Path, store: h5py.File, kinds: dict[str, str]) -> anndata.AnnData:
    import anndata
    import pandas as pd

    frames = [name for name, kind in kinds.items() if kind == "frame"]
    if len(frames) != 1:
        raise ValueError(
            f"its frames are {frames or 'none'} (of the keys {list(kinds)}, pandas' types are "
            f"{list(kinds.values())}); one in the fixed format must hold the cells × genes, as "
            "frame.to_hdf(FILE, key=KEY, format='fixed') writes it"
        )
    frame = store[frames[0]]
    genes, cells = _names(frame["axis0"]), _names(frame["axis1"])
    parts = [
        (_names(frame[f"block{i}_items"]), frame[f"block{i}_values"])
        for i in range(int(frame.attrs["nblocks"]))
    ]
    obs = {name: _series(file, store[name], name) for name, kind in kinds.items() if kind == "series"}
    for name, values in obs.items():
        if len(values) != len(cells):
            raise ValueError(f"its series {name!r} has {len(values):,} values for {len(cells):,} cells")
    X = _blocks_of_frame(parts, pd.Index(genes), len(cells))
    return anndata.AnnData(X, obs=pd.DataFrame(obs, index=cells), var=pd.DataFrame(index=genes))


def _blocks_of_frame(
    parts: list[tuple[np.ndarray, h5py.Dataset]], genes: pd.Index, n: int
) -> sparse.csr_matrix:
    """Columns of one type are together on disk, (cells, columns); here they come in the order of the genes."""
    import numpy as np
    from scipy import sparse

    order = np.argsort(genes.get_indexer(np.concatenate([items for items, _ in parts])), kind="stable")
    step = max(1, BLOCK // max(1, len(genes)))
    rows = []
    for start in range(0, n, step):
        dense = np.concatenate(
            [values[start : start + step].astype(np.float32) for _, values in parts], axis=1
        )
        rows.append(sparse.csr_matrix(dense[:, order]))
    return sparse.vstack(rows, format="csr")


def _names(axis: h5py.Dataset) -> np.ndarray:
    if axis.dtype.kind not in "iufS":
        raise ValueError(f"the names in {axis.name} are Python objects; give the frame names of text only")
    return _decode(axis[()]).astype(str).astype(object)


def _series(file: Path, group: h5py.Group, name: str) -> np.ndarray:
    values = group["values"]
    if values.dtype.kind in "biufS":
        return _decode(values[()])
    if find_spec("tables") is None:  # which unpickles them: h5py will not
        raise ValueError(f"its series {name!r} holds Python objects, which need PyTables: pip install tables")
    import pandas as pd

    return pd.read_hdf(file, name).to_numpy()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


# ---- loom: HDF5 with genes as rows; read here because anndata's own way needs loompy, a large package ----


def _read_loom(file: Path) -> anndata.AnnData:
    import anndata
    import h5py

    with h5py.File(file, "r") as loom:
        if "matrix" not in loom:
            raise ValueError("it has no 'matrix'")
        genes, cells = (_loom_attributes(loom, name) for name in ("row_attrs", "col_attrs"))
        var = _indexed(genes, loom["matrix"].shape[0], ("Gene", "gene_names", "var_names", "Accession"))
        obs = _indexed(cells, loom["matrix"].shape[1], ("CellID", "cell_names", "obs_names"))
        layers = {name: _loom_matrix(values) for name, values in loom.get("layers", {}).items()}
        return anndata.AnnData(_loom_matrix(loom["matrix"]), obs=obs, var=var, layers=layers)


def _loom_attributes(loom: h5py.File, group: str) -> dict[str, np.ndarray]:
    values = {name: data[()] for name, data in loom.get(group, {}).items() if data.ndim == 1}
    return {name: _decode(data) for name, data in values.items()}


def _decode(data: np.ndarray) -> np.ndarray:
    import numpy as np

    if data.dtype.kind not in "SO":
        return data
    return np.array([v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in data], object)


def _indexed(attributes: dict[str, Any], length: int, names: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(attributes, index=range(length))
    name = next((name for name in names if name in table), None)
    table.index = (table.index if name is None else pd.Index(table.pop(name))).astype(str)
    table.index.name = None
    return table


def _loom_matrix(data: h5py.Dataset) -> sparse.csr_matrix:
    """(genes, cells) on disk, (cells, genes) in memory."""
    import numpy as np
    from scipy import sparse

    step = max(1, BLOCK // max(1, data.shape[1]))
    blocks = [sparse.csr_matrix(data[i : i + step].astype(np.float32)) for i in range(0, data.shape[0], step)]
    return sparse.vstack(blocks, format="csr").T.tocsr()


# ---- tables ----


def _read_table(file: Path, ending: str, obs_columns: Sequence[str]) -> anndata.AnnData:
    import anndata
    import pandas as pd

    try:
        separator, names = _header(file, "\t" if ending.startswith(".tsv") else ",")
        is_obs = _text_columns(file, separator, names, obs_columns)
        X, obs, cells = _read_rows(file, separator, names, is_obs)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pd.errors.ParserError, csv.Error) as error:
        raise ValueError(f"{str(file)!r} is damaged or not a table: {str(error).strip()[:200]}.") from error
    genes = [name for name, text in zip(names[1:], is_obs[1:], strict=True) if not text]
    found = HOUSEKEEPING & {cell.upper() for cell in cells}
    if len(found) > 1 and not HOUSEKEEPING & {gene.upper() for gene in genes}:
        raise ValueError(
            f"{str(file)!r} has genes as rows ({', '.join(sorted(found)[:3])}); cells must be "
            "rows: pandas.read_csv(FILE, index_col=0).T.to_csv(NEW_FILE) turns it round."
        )
    return anndata.AnnData(X, obs=obs.set_axis(cells), var=pd.DataFrame(index=genes))


def _header(file: Path, separator: str) -> tuple[str, list[str]]:
    """The separator and the column names, the first of which is that of the cells."""
    with _open_text(file) as lines:
        first, second = lines.readline().rstrip("\r\n"), lines.readline().rstrip("\r\n")
    if not second:
        raise ValueError(f"{str(file)!r} holds no cells: it has {'one line' if first else 'no line'}.")
    if separator not in first:  # a .csv of tabs or, in many countries, of ;
        separator = next((mark for mark in "\t,;" if mark in first), separator)
    names, row = (next(csv.reader([line], delimiter=separator)) for line in (first, second))
    if len(names) == len(row) - 1:  # R leaves the corner out
        names = ["", *names]
    if len(names) < 2 or len(names) != len(row):
        raise ValueError(
            f"{str(file)!r} is not a table of cells and genes: its header has {len(names)} "
            f"fields and the line after it {len(row)}."
        )
    return separator, names


def _open_text(file: Path):
    with file.open("rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    opener = gzip.open if is_gzip else open
    return opener(file, "rt", encoding="utf-8-sig", newline="")


def _text_columns(file: Path, separator: str, names: list[str], obs_columns: Sequence[str]) -> list[bool]:
    """Which columns describe the cells, by the first rows."""
    import pandas as pd

    with _open_text(file) as lines:
        head = pd.read_csv(lines, sep=separator, header=None, skiprows=1, nrows=HEAD, low_memory=False)
    is_obs = []
    for i, name in enumerate(names):
        text = i == 0 or name in obs_columns or head[i].dtype.kind not in "iuf"
        if text and i and name not in obs_columns and head[i].dtype.kind != "b":
            values = head[i].dropna()
            numbers = pd.to_numeric(values, errors="coerce").notna()
            if numbers.mean() > 0.5:  # a gene with a slip, not a description
                raise ValueError(
                    f"{str(file)!r}: column {name!r} holds numbers and text "
                    f"({values[~numbers].iloc[0]!r}); write missing values as empty fields."
                )
        is_obs.append(text)
    if all(is_obs):
        raise ValueError(f"{str(file)!r} has no column of numbers; genes are columns and cells are rows.")
    return is_obs


def _read_rows(file: Path, separator: str, names: list[str], is_obs: list[bool]):
    """The genes as CSR (cells, genes), the other columns, and the names of the cells."""
    import numpy as np
    import pandas as pd
    from scipy import sparse

    gene_at = [i for i, text in enumerate(is_obs) if not text]
    obs_at = [i for i, text in enumerate(is_obs) if text and i]
    dtype = {0: str, **dict.fromkeys(gene_at, np.float32)}
    blocks, parts = [], []
    options = {"sep": separator, "header": None, "skiprows": 1, "dtype": dtype, "low_memory": False}
    try:
        with _open_text(file) as lines:
            # Columns have no names here, only positions: genes may repeat.
            for rows in pd.read_csv(lines, chunksize=max(1, BLOCK // len(names)), **options):
                blocks.append(sparse.csr_matrix(rows[gene_at].to_numpy(np.float32)))
                parts.append(rows[[0, *obs_at]])
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(
            f"{str(file)!r} has text in a column of numbers ({error}); write missing values as empty fields."
        ) from error
    table = pd.concat(parts, ignore_index=True)
    cells = table.pop(0).fillna("").tolist()
    return sparse.vstack(blocks, format="csr"), table.set_axis([names[i] for i in obs_at], axis=1), cells
