"""NetworkSource: where a gene network comes from."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class NetworkSource:
    """Where a network comes from.

    Parameters
    ----------
    name : str, optional
        Name of the database or file, for instance ``"STRING"``.
    version : str, optional
        Release, for instance ``"12.0"``.
    organism : str, optional
        Scientific name or taxonomy id.
    license : str, optional
        License of the data.
    citation : str, optional
        What to cite if the network is used, with its DOI.
    sha256 : str, optional
        SHA-256 of the file that was read, as hex.
    """

    name: str | None = None
    version: str | None = None
    organism: str | None = None
    license: str | None = None
    citation: str | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        title = " ".join(part for part in (self.name, self.version) if part)
        return ", ".join(part for part in (title, self.organism) if part)

    def joined(self, other: NetworkSource, separator: str = " + ") -> NetworkSource:
        """Combine two sources: names are joined by `separator`, other fields that differ by ``"; "``.

        Parameters
        ----------
        other : NetworkSource
        separator : str
            What is put between the names.

        Returns
        -------
        NetworkSource
        """
        values = {}
        for field in fields(self):
            both = [value for value in (getattr(self, field.name), getattr(other, field.name)) if value]
            glue = separator if field.name == "name" else "; "
            values[field.name] = glue.join(dict.fromkeys(both)) or None
        return NetworkSource(**values)
