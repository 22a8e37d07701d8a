"""Organisms by common name, scientific name or NCBI taxonomy id.

STRING and BioGRID do not always mean the same taxonomy id by one name: budding yeast is 4932, the species, in
STRING and 559292, the strain S288C, in BioGRID. An :class:`Organism` holds both.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Organism:
    """An organism as the databases know it.

    Parameters
    ----------
    taxid
        NCBI taxonomy id that STRING uses.
    scientific_name
        For instance ``"Mus musculus"``; None where only the id is known.
    common_names
        For instance ``("mouse",)``.
    biogrid_taxid
        Taxonomy id that BioGRID uses; by default `taxid`.
    biogrid_name
        How BioGRID names the organism's file (``"Saccharomyces_cerevisiae_S288c"``); by default the
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
    """Spell a name one way: ``Mus_musculus`` and ``mus musculus`` are the same organism."""
    return " ".join(organism.replace("_", " ").lower().split())


def find_organism(organism: str | int) -> Organism:
    """Return the organism of a name or a taxonomy id; ids that are not known here are taken as they are.

    Parameters
    ----------
    organism
        A common name (``"human"``, ``"E. coli"``), a scientific name (``"Mus musculus"``, ``"Mus_musculus"``,
        ``"M. musculus"``), BioGRID's name of a file (``"Saccharomyces_cerevisiae_S288c"``) or any taxonomy
        id, as a number or as text; upper and lower case are alike. "frog" is *Xenopus tropicalis*.

    Raises
    ------
    ValueError
        If `organism` is neither text nor a positive whole number, or a name that is not known here; near
        names are listed.

    Examples
    --------
    >>> find_organism("yeast").taxid, find_organism("yeast").biogrid_taxid
    ('4932', '559292')
    """
    name = _checked(organism)
    if name.isdigit():
        return _BY_TAXID.get(name) or Organism(name)
    if name not in _BY_NAME:
        near = difflib.get_close_matches(name, _BY_NAME, n=3, cutoff=0.7)
        common = ", ".join(known.common_names[0] for known in ORGANISMS[:12])
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ValueError(
            f"organism={organism!r} is not known here by name: {hint}Any other can be had by its NCBI "
            f"taxonomy id (human: 9606). Names are {common}, … and scientific ones."
        )
    return _BY_NAME[name]


def find_taxid(organism: str | int) -> str | None:
    """Return the taxonomy id of an organism, or None where its name is not known here.

    The id is the one that STRING uses, except where `organism` itself is an id or the name of the strain in
    BioGRID: ``"yeast"`` is 4932 and ``"Saccharomyces_cerevisiae_S288c"`` is 559292. Use :func:`find_organism`
    to have both.

    Parameters
    ----------
    organism
        As for :func:`find_organism`.

    Raises
    ------
    ValueError
        If `organism` is neither a name nor a positive whole number.
    """
    name = _checked(organism)
    if name.isdigit():
        return name
    known = _BY_NAME.get(name)
    if known is None:
        return None
    is_strain = name == plain_name(known.biogrid_name) != plain_name(known.scientific_name)
    return known.biogrid_taxid if is_strain else known.taxid


def describe_taxid(taxid: str) -> str:
    """Return the scientific name of a taxonomy id where it is known here, otherwise the id with a label."""
    return str(_BY_TAXID.get(taxid) or Organism(taxid))


def _checked(organism: str | int) -> str:
    """Return a plain name, or a taxonomy id as digits without leading zeros."""
    if isinstance(organism, bool) or not isinstance(organism, (str, int)) or not str(organism).strip():
        raise ValueError(
            f"organism={organism!r} is no organism; pass a name such as 'human' or an NCBI taxonomy id."
        )
    name = plain_name(str(organism))
    if not name.lstrip("-").isdecimal():
        return name
    if int(name) <= 0:
        raise ValueError(f"organism={organism!r} is no NCBI taxonomy id; these are positive (human: 9606).")
    return str(int(name))


def _names(organism: Organism) -> list[str]:
    genus, *species = organism.scientific_name.split()
    short = f"{genus[0]}. {' '.join(species)}"
    return [organism.scientific_name, short, *organism.common_names, organism.biogrid_name]


_BY_NAME = {plain_name(name): organism for organism in ORGANISMS for name in _names(organism)}
_BY_TAXID = {taxid: organism for organism in ORGANISMS for taxid in (organism.biogrid_taxid, organism.taxid)}
