"""The organisms that have a short name here, by NCBI taxonomy id."""

from __future__ import annotations

SCIENTIFIC_NAMES = {"9606": "Homo sapiens", "10090": "Mus musculus"}
COMMON_NAMES = {"human": "9606", "mouse": "10090"}


def plain_name(organism: str) -> str:
    """Spell a name one way: ``Mus_musculus`` and ``mus musculus`` are the same organism."""
    return " ".join(organism.replace("_", " ").lower().split())


def find_taxid(organism: str | int) -> str | None:
    """Return the taxonomy id of an organism, or None where its name is not known here.

    Parameters
    ----------
    organism
        ``"human"``, ``"mouse"``, a scientific name (``"Mus musculus"``, ``"Mus_musculus"``) or a taxonomy id,
        which may be that of any organism.

    Raises
    ------
    ValueError
        If `organism` is neither a name nor a positive whole number.
    """
    if isinstance(organism, bool) or not isinstance(organism, (str, int)) or not str(organism).strip():
        raise ValueError(
            f"organism={organism!r} is no organism; pass a name such as 'human' or an NCBI taxonomy id."
        )
    name = plain_name(str(organism))
    if name.lstrip("-").isdigit():
        if int(name) <= 0:
            raise ValueError(
                f"organism={organism!r} is no NCBI taxonomy id; these are positive (human: 9606)."
            )
        return str(int(name))
    by_scientific_name = {plain_name(known): taxid for taxid, known in SCIENTIFIC_NAMES.items()}
    return COMMON_NAMES.get(name) or by_scientific_name.get(name)


def describe_taxid(taxid: str) -> str:
    """Return the scientific name of a taxonomy id where it is known here, otherwise the id with a label."""
    return SCIENTIFIC_NAMES.get(taxid, f"taxid {taxid}")
