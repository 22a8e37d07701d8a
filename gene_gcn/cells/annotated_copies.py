"""Copies of files of cells that are too large for memory, with annotations added."""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gene_gcn.cells.h5ad import writable_h5ad, write_h5ad
from gene_gcn.cells.zarr_folders import check_no_objects, is_zarr, write_zarr

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["write_annotated_copy"]

AT_ONCE = 2**22  # values of an array that are copied at a time
CONSOLIDATED = "consolidated_metadata"  # of zarr 3, in zarr.json; zarr 2 has a file
MAPPINGS = ("", "dict")  # encodings of groups
MATRICES = ("csr_matrix", "csc_matrix", "raw")


def write_annotated_copy(target: Path, cells: AnnData, key: str, source: Path) -> None:
    """Copy an AnnData in a file or a zarr folder, and write the table of the cells and what `key` names.

    Parameters
    ----------
    target : Path
        ``.h5ad`` or ``.zarr``; does not exist.
    cells : AnnData
        The tables of the cells, annotated.
    key : str
        The column of ``.obs`` with the labels.
    source : Path
        ``.h5ad``, ``.h5`` or ``.zarr``. Arrays are copied in parts; tables are held in memory one by one.
    """
    is_same_format = source.is_dir() == is_zarr(target)
    if is_same_format:
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    else:
        (write_zarr if is_zarr(target) else write_h5ad)(target, cells)
    with _writable(target) as store:
        if is_same_format:
            _annotate(store, cells, key)
        else:
            _copy_others(source, store)


def _annotate(store: Any, cells: AnnData, key: str) -> None:
    cells.strings_to_categoricals()
    _write(store, "obs", cells.obs)
    for name in (f"{key}_proba", f"{key}_set"):
        if name in cells.obsm:
            _write(store.require_group("obsm"), name, cells.obsm[name])
    _write(store.require_group("uns"), key, dict(cells.uns[key]))


def _copy_others(source: Path, new: Any) -> None:
    """Copy all but the table of the cells, and what is in the new store."""
    with _opened(source) as old:
        for name in old:
            if name != "obs":
                _copy(old, new, name)


@contextmanager
def _opened(source: Path) -> Iterator[Any]:
    if source.is_dir():
        import zarr

        check_no_objects(source)
        yield zarr.open_group(str(source), mode="r")
        return
    import h5py

    with h5py.File(source, "r") as store:
        yield store


@contextmanager
def _writable(target: Path) -> Iterator[Any]:
    if is_zarr(target):
        import zarr

        was_consolidated = _remove_consolidated(target)  # what is written makes these metadata outdated
        yield zarr.open_group(str(target), mode="r+")
        if was_consolidated:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Consolidated metadata")  # zarr 3 has no standard for them
                zarr.consolidate_metadata(str(target))
        return
    with writable_h5ad(target, "r+") as store:
        yield store


def _write(store: Any, name: str, value: Any, **options: Any) -> None:
    from anndata.io import write_elem

    if not _is_in_zarr(store):
        options["compression"] = "gzip"
    write_elem(store, name, value, dataset_kwargs=options)


def _is_in_zarr(store: Any) -> bool:
    return hasattr(store, "store")


def _copy(old: Any, new: Any, name: str) -> None:
    """Copy an element of an AnnData to another kind of store, where what is annotated already stays."""
    from anndata.io import read_elem

    element = old[name]
    kind = str(_plain(element.attrs.get("encoding-type", "")))
    is_group = not hasattr(element, "shape")
    if name in new and kind not in MAPPINGS:  # such as an empty .raw
        del new[name]
    if is_group and kind in (*MAPPINGS, *MATRICES):
        group = new.require_group(name)
        group.attrs.update({key: _plain(value) for key, value in element.attrs.items()})
        for part in element:
            if kind not in MAPPINGS or part not in group:
                _copy(element, group, part)
    elif not is_group and element.shape and element.dtype.kind in "biuf":
        _copy_array(element, new, name)
    else:
        _write(new, name, read_elem(element))


def _copy_array(array: Any, new: Any, name: str) -> None:
    rows = max(1, AT_ONCE // max(1, math.prod(array.shape[1:])))
    more = {} if _is_in_zarr(new) else {"maxshape": (None, *array.shape[1:])}
    _write(new, name, array[:rows], **more if array.shape[0] > rows else {})
    for start in range(rows, array.shape[0], rows):
        stop = min(start + rows, array.shape[0])
        new[name].resize((stop, *array.shape[1:]))
        new[name][start:stop] = array[start:stop]


def _plain(value: Any) -> Any:
    """Return an attribute as JSON can hold it."""
    if isinstance(value, bytes):
        return value.decode()
    return value.tolist() if hasattr(value, "tolist") else value


def _remove_consolidated(folder: Path) -> bool:
    """Delete the copy of all metadata; return whether there was one."""
    old = folder / ".zmetadata"
    if old.is_file():
        old.unlink()
        return True
    file = folder / "zarr.json"
    metadata = json.loads(file.read_bytes()) if file.is_file() else {}
    if metadata.pop(CONSOLIDATED, None) is None:
        return False
    file.write_text(json.dumps(metadata), encoding="utf-8")
    return True
