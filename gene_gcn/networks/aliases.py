"""Other names of genes, from STRING and BioGRID, and how far to trust their sources."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.genes.names import without_version
from gene_gcn.networks.edge_arrays import rename_categories

# Sources of aliases in STRING and here. A paralog's alias is another gene's; OMIM numbers pass for Entrez's.
_OFFICIAL = re.compile(r"(?:Ensembl|BioMart)_(?:HGNC|HUGO|MGI|RGD|ZFIN|SGD|FlyBase|TAIR)(?:_symbol)?|symbol")
_SYNONYM = re.compile(r"alias|synonym|prev|archive|AltName|_Short|ORFNames|trans_name", re.IGNORECASE)
_NEVER = re.compile(r"Paralog|omim|_PDB|_EC$|enzyme|_Full$|descr|Reactome|UniParc|RNAcentral|ucsc", re.I)


def string_aliases(table: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Turn STRING's aliases into the table that :func:`match_genes` takes.

    Parameters
    ----------
    table
        The columns of ``protein.aliases``: STRING id, alias, source; by position, whatever their names.
    names
        Preferred name of each STRING id (``protein.info``); proteins without one are named by their id
        without the taxon, as :func:`gene_gcn.networks.string_db.network` does.

    Returns
    -------
    pandas.DataFrame
        ``alias``, ``name``, ``source``. STRING ids are aliases too, with and without the taxon. Sources that
        hold names of other genes (paralogs) or numbers that pass for Entrez's (OMIM) are left out, and so are
        descriptions.
    """
    table = table.set_axis(["id", "alias", "source"], axis="columns").astype("category")
    trusted = np.array([source_rank(source) >= 0 for source in table["source"].cat.categories], dtype=bool)
    one_word = ~categories(table["alias"]).str.contains(" ", regex=False).to_numpy(dtype=bool)
    table = table[trusted[table["source"].cat.codes] & one_word[table["alias"].cat.codes]]
    ids = pd.Index(names.index, dtype=object).union(table["id"].cat.categories.astype(object), sort=False)
    ids = pd.Series(ids.unique())
    short = ids.str.replace(r"^\d+\.", "", regex=True)
    preferred = short.mask(ids.isin(names.index), ids.map(names[~names.index.duplicated()]))
    own = [pd.DataFrame({"alias": alias, "name": preferred, "source": "STRING"}) for alias in (ids, short)]
    id_to_name = pd.Series(preferred.to_numpy(), index=ids)
    table = pd.DataFrame(
        {
            "alias": rename_categories(
                table["alias"].array, without_version_each(categories(table["alias"]))
            ),
            "name": rename_categories(table["id"].array, id_to_name[table["id"].cat.categories]),
            "source": table["source"],
        }
    )
    columns = [*own, table.drop_duplicates()]
    return pd.DataFrame(
        {
            name: union_categoricals([pd.Categorical(part[name]) for part in columns])
            for name in ("alias", "name", "source")
        }
    )


def biogrid_aliases(table: pd.DataFrame) -> pd.DataFrame:
    """Turn BioGRID's names of genes into the table that :func:`match_genes` takes.

    Parameters
    ----------
    table
        What ``parse_biogrid_genes`` returns: ``symbol``, ``entrez``, ``systematic``, ``synonyms``.

    Returns
    -------
    pandas.DataFrame
        ``alias``, ``name`` (the official symbol), ``source``.
    """
    sources = {"entrez": "entrez", "systematic": "systematic name", "synonyms": "synonym"}
    parts = [
        pd.DataFrame({"alias": table[column].str.split("|"), "name": table["symbol"], "source": source})
        for column, source in sources.items()
    ]
    aliases = pd.concat(parts, ignore_index=True).explode("alias", ignore_index=True)
    aliases = aliases[aliases["alias"] != ""]
    return aliases.drop_duplicates(ignore_index=True).astype({"source": "category"})


def source_rank(source: str) -> int:
    """Say how far to trust a source: 0 official symbols, 1 others, 2 synonyms, -1 not at all."""
    ranks = []
    for part in source.split():  # versions before 11.5 list several sources in one field
        if not _NEVER.search(part):
            ranks.append(0 if _OFFICIAL.fullmatch(part) else 2 if _SYNONYM.search(part) else 1)
    return min(ranks, default=-1)


def categories(column: pd.Series) -> pd.Series:
    return pd.Series(column.cat.categories, dtype=object)


def without_version_each(names: pd.Series) -> pd.Series:
    dotted = names.str.contains(".", regex=False).to_numpy(dtype=bool)
    return pd.concat([names[~dotted], names[dotted].map(without_version)]).reindex(names.index)
