"""Organisms by common name, scientific name or NCBI taxonomy id.

STRING and BioGRID do not always use the same taxonomy id for an organism: budding yeast is 4932, the species,
in STRING and 559292, the strain S288C, in BioGRID. An :class:`Organism` has both.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from gene_gcn.errors import Argument, ArgumentError


@dataclass(frozen=True)
class Organism:
    """An organism as the databases know it.

    Parameters
    ----------
    taxid : str
        NCBI taxonomy id that STRING uses.
    scientific_name : str, optional
        For instance ``"Mus musculus"``; None if only the id is known.
    common_names : tuple of str
        For instance ``("mouse",)``.
    biogrid_taxid : str
        Taxonomy id that BioGRID uses; by default `taxid`.
    biogrid_name : str, optional
        Name of the organism in BioGRID's file names (``"Saccharomyces_cerevisiae_S288c"``); by default the
        scientific name.
    """

    taxid: str
    scientific_name: str | None = None
    common_names: tuple[str, ...] = ()
    biogrid_taxid: str = ""
    biogrid_name: str | None = None

    def __post_init__(self) -> None:
        if not self.biogrid_taxid:
            object.__setattr__(self, "biogrid_taxid", self.taxid)
        if self.biogrid_name is None and self.scientific_name is not None:
            object.__setattr__(self, "biogrid_name", self.scientific_name.replace(" ", "_"))

    def __str__(self) -> str:
        return self.scientific_name or f"taxid {self.taxid}"


ORGANISMS = (
    Organism("9606", "Homo sapiens", ("human",)),
    Organism("10090", "Mus musculus", ("mouse", "house mouse")),
    Organism("10116", "Rattus norvegicus", ("rat", "norway rat")),
    Organism("9544", "Macaca mulatta", ("macaque", "rhesus macaque", "rhesus", "rhesus monkey")),
    Organism("9541", "Macaca fascicularis", ("crab-eating macaque", "cynomolgus", "cynomolgus macaque")),
    Organism("9598", "Pan troglodytes", ("chimpanzee", "chimp")),
    Organism("9483", "Callithrix jacchus", ("marmoset", "common marmoset")),
    Organism("9823", "Sus scrofa", ("pig",)),
    Organism("9913", "Bos taurus", ("cow", "cattle")),
    Organism("9940", "Ovis aries", ("sheep",)),
    Organism("9796", "Equus caballus", ("horse",)),
    Organism("9615", "Canis lupus familiaris", ("dog", "Canis familiaris"), biogrid_name="Canis_familiaris"),
    Organism("9685", "Felis catus", ("cat",)),
    Organism("9986", "Oryctolagus cuniculus", ("rabbit",)),
    Organism("10029", "Cricetulus griseus", ("chinese hamster",)),
    Organism("10141", "Cavia porcellus", ("guinea pig",)),
    Organism("9031", "Gallus gallus", ("chicken",)),
    Organism("8364", "Xenopus tropicalis", ("frog", "western clawed frog")),
    Organism("8355", "Xenopus laevis", ("african clawed frog",)),
    Organism("7955", "Danio rerio", ("zebrafish",)),
    Organism("7227", "Drosophila melanogaster", ("fly", "fruit fly", "drosophila")),
    Organism("6239", "Caenorhabditis elegans", ("worm", "nematode", "roundworm")),
    Organism(
        "4932",
        "Saccharomyces cerevisiae",
        ("yeast", "budding yeast", "baker's yeast"),
        biogrid_taxid="559292",
        biogrid_name="Saccharomyces_cerevisiae_S288c",
    ),
    Organism(
        "4896",
        "Schizosaccharomyces pombe",
        ("fission yeast",),
        biogrid_taxid="284812",
        biogrid_name="Schizosaccharomyces_pombe_972h",
    ),
    Organism("237561", "Candida albicans SC5314", ("Candida albicans",)),
    Organism("44689", "Dictyostelium discoideum", ("slime mould", "slime mold")),
    Organism("36329", "Plasmodium falciparum 3D7", ("Plasmodium falciparum", "malaria parasite")),
    Organism(
        "3702", "Arabidopsis thaliana", ("arabidopsis", "thale cress"), "", "Arabidopsis_thaliana_Columbia"
    ),
    Organism("39947", "Oryza sativa Japonica", ("rice", "Oryza sativa")),
    Organism("4577", "Zea mays", ("maize", "corn")),
    Organism(
        "511145",
        "Escherichia coli K12 MG1655",
        ("E. coli", "ecoli", "Escherichia coli", "Escherichia coli K12"),
    ),
    Organism("224308", "Bacillus subtilis 168", ("Bacillus subtilis",)),
    Organism("83332", "Mycobacterium tuberculosis H37Rv", ("Mycobacterium tuberculosis",)),
)


def plain_name(organism: str) -> str:
    """Return a name in lower case and without underscores: ``Mus_musculus`` is ``mus musculus``."""
    return " ".join(organism.replace("_", " ").lower().split())


def find_organism(organism: str | int) -> Organism:
    """Return the organism with a name or taxonomy id; any taxonomy id is accepted.

    Parameters
    ----------
    organism : str or int
        A common name (``"human"``, ``"E. coli"``), a scientific name (``"Mus musculus"``, ``"Mus_musculus"``,
        ``"M. musculus"``), the name in BioGRID's files (``"Saccharomyces_cerevisiae_S288c"``) or any taxonomy
        id, as a number or as text. Case is ignored. "frog" is *Xenopus tropicalis*.

    Returns
    -------
    Organism

    Raises
    ------
    ArgumentError
        If `organism` is neither text nor a positive integer, or is an unknown name; the message suggests
        similar names.

    Examples
    --------
    >>> find_organism("yeast").taxid, find_organism("yeast").biogrid_taxid
    ('4932', '559292')
    """
    name = _plain_name_or_taxid(organism)
    if name.isdigit():
        return _BY_TAXID.get(name) or Organism(name)
    if name not in _BY_NAME:
        similar = difflib.get_close_matches(name, _BY_NAME, n=3, cutoff=0.7)
        common = ", ".join(organism.common_names[0] for organism in ORGANISMS[:12])
        hint = f"did you mean {' or '.join(map(repr, similar))}? " if similar else ""
        raise ArgumentError(
            "organism",
            Argument("organism", organism),
            f" is not a known name: {hint}Pass an NCBI taxonomy id (human: 9606) for any other organism. "
            f"Known names are {common}, … and scientific names.",
        )
    return _BY_NAME[name]


def find_taxid(organism: str | int) -> str | None:
    """Return the taxonomy id of an organism, or None if its name is unknown.

    The id is the one that STRING uses, unless `organism` is itself an id or BioGRID's name of the strain:
    ``"yeast"`` is 4932 and ``"Saccharomyces_cerevisiae_S288c"`` is 559292. :func:`find_organism` has both.

    Parameters
    ----------
    organism : str or int
        As for :func:`find_organism`.

    Returns
    -------
    str or None

    Raises
    ------
    ArgumentError
        If `organism` is neither text nor a positive integer.
    """
    name = _plain_name_or_taxid(organism)
    if name.isdigit():
        return name
    found = _BY_NAME.get(name)
    if found is None:
        return None
    is_strain = name == plain_name(found.biogrid_name or "") != plain_name(found.scientific_name or "")
    return found.biogrid_taxid if is_strain else found.taxid


def describe_taxid(taxid: str) -> str:
    """Return the scientific name for a taxonomy id, or ``"taxid …"`` if the id is unknown."""
    return str(_BY_TAXID.get(taxid) or Organism(taxid))


def _plain_name_or_taxid(organism: str | int) -> str:
    """Return a plain name, or a taxonomy id as digits without leading zeros."""
    if isinstance(organism, bool) or not isinstance(organism, (str, int)) or not str(organism).strip():
        raise ArgumentError(
            "organism",
            Argument("organism", organism),
            " is not an organism; pass a name such as 'human' or an NCBI taxonomy id.",
        )
    name = plain_name(str(organism))
    if not name.lstrip("-").isdecimal():
        return name
    if int(name) <= 0:
        raise ArgumentError(
            "organism",
            Argument("organism", organism),
            " is not an NCBI taxonomy id; these are positive (human: 9606).",
        )
    return str(int(name))


def _names(organism: Organism) -> list[str]:
    scientific_name = organism.scientific_name or ""
    genus, *species = scientific_name.split()
    abbreviated = f"{genus[0]}. {' '.join(species)}"
    return [scientific_name, abbreviated, *organism.common_names, organism.biogrid_name or scientific_name]


_BY_NAME = {plain_name(name): organism for organism in ORGANISMS for name in _names(organism)}
_BY_TAXID = {taxid: organism for organism in ORGANISMS for taxid in (organism.biogrid_taxid, organism.taxid)}
