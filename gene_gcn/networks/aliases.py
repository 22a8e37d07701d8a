"""Other names of genes, from STRING and BioGRID, and how far to trust their sources."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.genes.names import without_version_each
from gene_gcn.networks.categoricals import as_categorical, as_categoricals, categories, rename_categories

# Sources of aliases in STRING and in this package. Aliases of paralogs belong to other genes, and OMIM
# numbers look like Entrez numbers, so these sources are never used.
_OFFICIAL = re.compile(r"(?:Ensembl|BioMart)_(?:HGNC|HUGO|MGI|RGD|ZFIN|SGD|FlyBase|TAIR)(?:_symbol)?|symbol")
_SYNONYM = re.compile(r"alias|synonym|prev|archive|AltName|_Short|ORFNames|trans_name", re.IGNORECASE)
_NEVER = re.compile(r"Paralog|omim|_PDB|_EC$|enzyme|_Full$|descr|Reactome|UniParc|RNAcentral|ucsc", re.I)


def string_aliases(table: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Turn STRING's aliases into the table that :func:`match_genes` takes.

    Parameters
    ----------
    table : pandas.DataFrame
        The columns of ``protein.aliases``, in this order: STRING id, alias, source.
    names : pandas.Series
        Preferred name of each STRING id (``protein.info``); other proteins are named by their id without the
        taxon, as in :func:`gene_gcn.networks.string`.

    Returns
    -------
    pandas.DataFrame
        ``alias``, ``name``, ``source``. STRING ids are aliases too, with and without the taxon. Names of
        other genes (paralogs), numbers that look like Entrez numbers (OMIM) and descriptions are left out.
    """
    table = as_categoricals(table.set_axis(["id", "alias", "source"], axis="columns"))
    trusted = np.array([source_rank(source) >= 0 for source in table["source"].cat.categories], dtype=bool)
    one_word = ~categories(table["alias"]).str.contains(" ", regex=False).to_numpy(dtype=bool)
    table = table[trusted[table["source"].cat.codes] & one_word[table["alias"].cat.codes]]
    ids = pd.Index(names.index, dtype=object).union(table["id"].cat.categories.astype(object), sort=False)
    ids = pd.Series(ids.unique())
    short = ids.str.replace(r"^\d+\.", "", regex=True)
    preferred = short.mask(ids.isin(names.index), ids.map(names[~names.index.duplicated()]))
    own = [pd.DataFrame({"alias": alias, "name": preferred, "source": "STRING"}) for alias in (ids, short)]
    id_to_name = pd.Series(preferred.to_numpy(), index=ids)
    alias = rename_categories(table["alias"].array, without_version_each(categories(table["alias"])))
    name = rename_categories(table["id"].array, id_to_name[table["id"].cat.categories])
    others = pd.DataFrame({"alias": alias, "name": name, "source": table["source"]}).drop_duplicates()
    return pd.DataFrame(
        {
            column: union_categoricals([as_categorical(part[column]) for part in (*own, others)])
            for column in ("alias", "name", "source")
        }
    )


def biogrid_aliases(table: pd.DataFrame) -> pd.DataFrame:
    """Turn BioGRID's gene names into the table that :func:`match_genes` takes.

    Parameters
    ----------
    table : pandas.DataFrame
        The result of ``parse_biogrid_genes``: ``symbol``, ``entrez``, ``systematic``, ``synonyms``.

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
    """Rank a source: 0 for official symbols, 1 for other names, 2 for synonyms, -1 if it is not used."""
    # STRING before 11.5 lists several sources in one field.
    ranks = [
        0 if _OFFICIAL.fullmatch(part) else 2 if _SYNONYM.search(part) else 1
        for part in source.split()
        if not _NEVER.search(part)
    ]
    return min(ranks, default=-1)
