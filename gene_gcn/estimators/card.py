"""`ModelCard`: what a model does not know of itself; `Provenance`: how it came about."""

from __future__ import annotations

import datetime as dt
import difflib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from gene_gcn import __version__
from gene_gcn.cells import is_anndata
from gene_gcn.errors import Argument, ArgumentError

__all__ = ["HeldOut", "ModelCard", "Provenance", "described_cells", "package_versions"]

LISTS = ("tissue", "organism", "assay", "disease", "authors")
FROM_CELLS = ("tissue", "organism", "assay", "disease")  # columns of CELLxGENE's schema
DONOR = "donor_id"
MOST_VALUES = 12  # a column with more tells other things, such as the name of a cell
LONGEST_TEXT = 10_000
MOST_ENTRIES = 1000
PACKAGES = ("torch", "scikit-learn", "anndata", "numpy", "scipy")
SOURCE_DATE = "SOURCE_DATE_EPOCH"  # the environment variable of reproducible builds, in seconds since 1970

HeldOut: TypeAlias = Literal["cells", "batches", "labeled", "markers", "drawn"]
HELD_OUT = ("cells", "batches", "labeled", "markers", "drawn")


@dataclass(frozen=True)
class ModelCard:
    """What users of a model should know of it besides what it knows itself.

    `fit` fills in what columns of `obs` say by the names of CELLxGENE's schema: "tissue", "organism",
    "assay", "disease" and "donor_id"; and `uns["citation"]`. Pass the rest to `save`.

    Parameters
    ----------
    title : str, optional
    description : str, optional
        A paragraph, or several with empty lines between them.
    tissue, organism, assay, disease : str or sequence of str, optional
        Of the training cells, as in CELLxGENE's schema: "blood", "Homo sapiens", "10x 3' v3", "normal".
    donors : int, optional
        Number of donors of the training cells.
    source : str, optional
        Where the training cells can be had: an address or an accession.
    citation : str, optional
        What to cite for the training cells, with its DOI.
    cells_license : str, optional
        License of the training cells.
    license : str, optional
        License of the model, such as "CC-BY-4.0".
    authors : str or sequence of str, optional
        Who made the model.
    measured : str, optional
        How accurate the model is and on which cells that was measured, if the authors did so.
    intended_use, limitations : str, optional
        Paragraphs, which the card adds to its own.

    Raises
    ------
    ArgumentError
        A value has another type, or is too long.

    Examples
    --------
    >>> from gene_gcn import ModelCard
    >>> ModelCard(tissue="blood", assay=["10x 3' v2", "10x 3' v3"], license="CC-BY-4.0").tissue
    ('blood',)
    """

    title: str | None = None
    description: str | None = None
    tissue: str | Sequence[str] = ()
    organism: str | Sequence[str] = ()
    assay: str | Sequence[str] = ()
    disease: str | Sequence[str] = ()
    donors: int | None = None
    source: str | None = None
    citation: str | None = None
    cells_license: str | None = None
    license: str | None = None
    authors: str | Sequence[str] = ()
    measured: str | None = None
    intended_use: str | None = None
    limitations: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "donors":
                object.__setattr__(self, field.name, _as_number(value))
            elif field.name in LISTS:
                object.__setattr__(self, field.name, _as_texts(field.name, value))
            elif value is not None and not _is_text(value):
                _refuse(field.name, value, f"must be text of at most {LONGEST_TEXT:,} characters")

    @classmethod
    def of(cls, card: ModelCard | Mapping[str, Any] | str | Path | None) -> ModelCard:
        """Return the card that is given as one, as its fields by name, or as the path of a YAML file.

        Parameters
        ----------
        card : ModelCard, dict, path or None
            None is a card that states nothing.

        Raises
        ------
        ArgumentError
            There are other fields, or values that `ModelCard` refuses; the file is not YAML.
        FileNotFoundError
            The file does not exist.
        """
        if card is None:
            return cls()
        if isinstance(card, ModelCard):
            return card
        if isinstance(card, str | os.PathLike):
            card = _read_yaml(Path(card).expanduser())
        if not isinstance(card, Mapping):
            problem = (
                f" must be a ModelCard, its fields by name or a YAML file of them; it is a {_kind(card)}."
            )
            raise ArgumentError("card", Argument("card"), problem)
        known = [field.name for field in fields(cls)]
        for name in card:
            if name not in known:
                similar = difflib.get_close_matches(str(name), known, 1)
                hint = f"did you mean {similar[0]}?" if similar else f"it takes {', '.join(known)}."
                raise ArgumentError("card", Argument("card"), f" has the unknown field {name!r:.80}; {hint}")
        return cls(**{name: value for name, value in card.items() if value is not None})

    def updated(self, other: ModelCard) -> ModelCard:
        """Return this card with what another one states.

        Parameters
        ----------
        other : ModelCard
            Prevails where both state something.
        """
        return replace(
            self, **{name: value for name, value in vars(other).items() if value not in (None, ())}
        )

    def joined(self, other: ModelCard) -> ModelCard:
        """Return the card of a model that is made of two models.

        Tissues, organisms, sources and such are those of both; the license is kept if both have the same.
        Title, description, measurements and intended use are not kept, nor is the number of donors, who may
        be the same.

        Parameters
        ----------
        other : ModelCard
        """
        values: dict[str, Any] = {
            name: tuple(dict.fromkeys((*getattr(self, name), *getattr(other, name)))) for name in LISTS
        }
        for name in ("source", "citation", "cells_license", "limitations"):
            both = [text for text in (getattr(self, name), getattr(other, name)) if text]
            values[name] = "; ".join(dict.fromkeys(both))[:LONGEST_TEXT] or None
        return ModelCard(**values, license=self.license if self.license == other.license else None)

    def to_dict(self) -> dict[str, Any]:
        """Return what is stated, for JSON."""
        stated = {name: value for name, value in vars(self).items() if value not in (None, ())}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in stated.items()}


def described_cells(frames: Sequence[Any]) -> ModelCard:
    """Return what AnnDatas say of their cells by the words of CELLxGENE's schema; other cells say nothing.

    Parameters
    ----------
    frames : sequence of AnnData or any other cells
    """
    known = [frame for frame in frames if is_anndata(frame)]
    values: dict[str, Any] = {name: _values(known, name) for name in FROM_CELLS}
    donors = [frame.obs[DONOR].dropna().astype(str) for frame in known if DONOR in frame.obs]
    if donors and len(donors) == len(frames):
        values["donors"] = len(set().union(*(set(part) for part in donors))) or None
    cited = [frame.uns.get("citation") for frame in known if hasattr(frame, "uns")]
    cited = [
        text for text in dict.fromkeys(text for text in cited if isinstance(text, str)) if _is_text(text)
    ]
    values["citation"] = "; ".join(cited)[:LONGEST_TEXT] or None
    return ModelCard(**values)


def _values(frames: Sequence[Any], name: str) -> tuple[str, ...]:
    """Return the values of a column of all cells, or of the entry of `uns`, if there are few."""
    found: list[str] = []
    for frame in frames:
        if name in frame.obs:
            column = frame.obs[name].dropna()
            found += map(str, column.unique()[: MOST_VALUES + 1])
        elif isinstance(text := getattr(frame, "uns", {}).get(name), str):
            found.append(text)
    texts = [text for text in dict.fromkeys(found) if _is_text(text)]
    return tuple(sorted(texts)) if len(texts) <= MOST_VALUES else ()


# ---- how a model came about ----


@dataclass(frozen=True)
class Provenance:
    """When and with what a model was fitted, and what its held-out cells are.

    Attributes
    ----------
    date : str
        The day of the fit, in UTC, in ISO 8601. The environment variable SOURCE_DATE_EPOCH sets it.
    versions : dict of str to str
        Of packages.
    held_out : {"cells", "batches", "labeled", "markers", "drawn"}
        What the held-out cells of the exact fit are: cells, or whole batches of them, that a model like this
        one has not seen; such cells for a model that learned from labeled cells alone; cells whose types are
        from markers; cells drawn from sums, which are not real.
    steps : tuple of str
        What was done to the model after it was fitted.
    """

    date: str
    versions: dict[str, str]
    held_out: HeldOut
    steps: tuple[str, ...] = ()

    @classmethod
    def now(cls, held_out: HeldOut, steps: tuple[str, ...] = ()) -> Provenance:
        """Return that of a model that is fitted today with the installed packages."""
        return cls(_today(), package_versions(PACKAGES), held_out, steps)

    def then(self, step: str) -> Provenance:
        """Return that of a model that is made of this one without another fit."""
        return replace(self, steps=(*self.steps, step))

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"steps": list(self.steps)}

    @classmethod
    def from_dict(cls, values: Any) -> Provenance:
        """Check and rebuild what `to_dict` returned (ArgumentError)."""
        keys = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != keys:
            raise ArgumentError("contents", "provenance is incomplete")
        versions, steps = values["versions"], values["steps"]
        are_texts = (
            isinstance(versions, dict)
            and isinstance(steps, list)
            and len(versions) + len(steps) <= MOST_ENTRIES
            and all(map(_is_text, [values["date"], *versions.values(), *steps]))
        )
        if not are_texts or values["held_out"] not in HELD_OUT:
            raise ArgumentError("contents", "provenance is not text")
        return cls(values["date"], versions, values["held_out"], tuple(steps))


def _today() -> str:
    if (seconds := os.environ.get(SOURCE_DATE, "")).isdigit():
        return dt.datetime.fromtimestamp(int(seconds), dt.UTC).date().isoformat()
    return dt.datetime.now(dt.UTC).date().isoformat()


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of this package, of Python and of other packages, as far as they are installed."""
    found = {"gene_gcn": __version__, "Python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # installed without metadata
            continue
    return found


# ---- helpers ----


def _read_yaml(path: Path) -> Any:
    import yaml

    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r} with a model card.")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = f" is not YAML ({' '.join(str(error).split()):.200})."
        raise ArgumentError("card", Argument("card", str(path)), problem) from error


def _as_texts(name: str, value: Any) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if (
        isinstance(texts, list | tuple | np.ndarray)
        and len(texts) <= MOST_ENTRIES
        and all(map(_is_text, texts))
    ):
        return tuple(map(str, texts))
    return _refuse(name, value, "must be text or a list of texts")


def _as_number(value: Any) -> int | None:
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if value is not None and not (is_whole and 0 < value < 10**9):
        _refuse("donors", value, "must be a whole number, 1 or more")
    return None if value is None else int(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= LONGEST_TEXT


def _refuse(name: str, value: Any, problem: str) -> Any:
    raise ArgumentError("card", Argument("card"), f": {name}={value!r:.80} {problem}.")


def _kind(value: Any) -> str:
    return type(value).__name__
