"""NetworkSource: where a gene network came from."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class NetworkSource:
    """Where a network came from.

    Parameters
    ----------
    name
        Name of the database or file, for instance ``"STRING"``.
    version
        Release, for instance ``"12.0"``.
    organism
        Scientific name or taxonomy id.
    licence
        Licence of the data.
    citation
        What to cite when the network is used, with its DOI.
    sha256
        SHA-256 of the file that was read, as hex.
    """

    name: str | None = None
    version: str | None = None
    organism: str | None = None
    licence: str | None = None
    citation: str | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        title = " ".join(part for part in (self.name, self.version) if part)
        return ", ".join(part for part in (title, self.organism) if part)

    def joined(self, other: NetworkSource, word: str = " + ") -> NetworkSource:
        """Name both sources: fields that differ are joined by ``"; "``, the names by `word`."""
        values = {}
        for field in fields(self):
            both = [value for value in (getattr(self, field.name), getattr(other, field.name)) if value]
            values[field.name] = (word if field.name == "name" else "; ").join(dict.fromkeys(both)) or None
        return NetworkSource(**values)
