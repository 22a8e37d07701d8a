"""Terms that are more frequent among chosen genes than among all genes that could have been chosen."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.names import match_names

if TYPE_CHECKING:
    from gene_gcn.networks import GeneTerms

__all__ = ["enrichment"]


def enrichment(
    genes: Sequence[str],
    terms: GeneTerms,
    background: Sequence[str],
    *,
    categories: str | Sequence[str] | None = None,
    max_fdr: float = 0.05,
    min_size: int = 5,
    max_size: int = 500,
) -> pd.DataFrame:
    r"""Find terms that chosen genes have more often than the background does (over-representation).

    Of the M genes of the background that have any term, n are chosen; of the K genes with a certain term, k
    are. If the n had been drawn at random, k would be hypergeometric, which gives the p-value

    .. math::
        p = \sum_{i \ge k} \frac{\binom{K}{i} \binom{M - K}{n - i}}{\binom{M}{n}} .

    False discovery rates are those of Benjamini and Hochberg, within each category as STRING computes them,
    over all terms of an admitted size, also those that no chosen gene has.

    Parameters
    ----------
    genes : sequence of str
        The chosen genes. Those without any term are left out.
    terms : GeneTerms
        From :func:`gene_gcn.networks.string_terms`, for instance.
    background : sequence of str
        All genes that could have been chosen, the chosen ones among them. With genes that could not, such as
        those that are never measured or expressed, everything typical of the tissue seems enriched.
    categories : str or sequence of str, optional
        Categories of terms to test; by default all. p-values and false discovery rates do not depend on it.
    max_fdr : float
        Largest false discovery rate to list; 1 for all terms that a chosen gene has.
    min_size, max_size : int
        Terms to test by their number K of genes in the background: by default 5 to 500, because very small
        terms are found by one gene or two, and large ones say little.

    Returns
    -------
    DataFrame
        "category", "term", "description"; the numbers of genes "found" (k), "term_size" (K), "chosen" (n) and
        "background" (M); "fold" = (k / n) / (K / M); "p_value", "fdr", and "genes", the k genes joined by
        ", " in the order given. Smallest p-values first; equal ones by fold.

    Raises
    ------
    ArgumentError
        A chosen gene is not in the background; none of the background, or of the chosen genes, has a term,
        as with another kind of names; a category does not exist; no term has an admitted size; or an option
        is out of range.

    References
    ----------
    Szklarczyk et al. (2023), doi:10.1093/nar/gkac1000; Timmons et al. (2015) on the choice of a background,
    doi:10.1186/s13059-015-0761-7; Benjamini & Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    from scipy.stats import false_discovery_control

    _check_limits(max_fdr, min_size, max_size)
    is_wanted = _of_categories(terms, categories)
    chosen, known, membership = _in_background(genes, terms, background)
    term_size = _count(membership)
    tested = np.flatnonzero((term_size >= min_size) & (term_size <= max_size) & is_wanted)
    if not len(tested):
        text = f" leaves no term with {min_size:,} to {max_size:,} genes among the {len(known):,} with terms."
        raise ArgumentError("min_size", Argument("min_size", min_size), text)
    table = terms.terms.iloc[tested].reset_index(drop=True)
    of_chosen = membership[chosen][:, tested]
    found, term_size = _count(of_chosen), term_size[tested]
    table = table.assign(found=found, term_size=term_size, chosen=len(chosen), background=len(known))
    table["fold"] = (found / len(chosen)) / (term_size / len(known))
    table["p_value"] = _p_values(found, term_size, len(chosen), len(known))
    table["fdr"] = table.groupby("category", observed=True)["p_value"].transform(false_discovery_control)
    names, of_term = np.array(known, dtype=object)[chosen], of_chosen.tocsc()
    kept = table[(table["fdr"] <= max_fdr) & (found > 0)]
    lists = [", ".join(names[np.sort(of_term[:, [j]].indices)]) for j in kept.index]
    order = ["p_value", "fold", "category", "term"]
    table = kept.assign(genes=lists).sort_values(order, ascending=[True, False, True, True])
    return table.reset_index(drop=True)


def _in_background(
    genes: Sequence[str], terms: GeneTerms, background: Sequence[str]
) -> tuple[np.ndarray, list[str], sparse.csr_matrix]:
    """Return positions of chosen genes among those of the background with terms, these, and their terms."""
    requested, universe = _names(genes, "genes"), _names(background, "background")
    if outside := [gene for gene in requested if gene not in universe]:
        text = f" are not all in the background: {len(outside):,} of {len(requested):,} are not, such as "
        problem = f"{outside[0]}. Pass the genes that could have been chosen as "
        raise ArgumentError("genes", Argument("genes"), text + problem, Argument("background"), ".")
    everything = list(universe)
    position = match_names(terms.genes, everything)
    known = [gene for gene, at in zip(everything, position, strict=True) if at >= 0]
    at = {gene: row for row, gene in enumerate(known)}
    chosen = np.array([at[gene] for gene in requested if gene in at], dtype=np.int64)
    for argument, names, found in (("background", everything, known), ("genes", [*requested], chosen)):
        if not len(found):
            text = (
                f": none of the {len(names):,} ({', '.join(names[:3])}, …) has a term in {terms!r} "
                f"({', '.join(terms.genes[:3])}, …). If they are named in another way, use "
                "networks.string_terms(organism, genes=…) or GeneTerms.for_genes."
            )
            raise ArgumentError(argument, Argument(argument), text)
    return chosen, known, terms.membership[position[position >= 0]]


def _names(values: Sequence[str], argument: str) -> dict[str, None]:
    """Return names without repetitions, in order; refuse none, and a single text."""
    names = {} if isinstance(values, str) else dict.fromkeys(map(str, values))
    if not names:
        raise ArgumentError(argument, Argument(argument, values), " must be a list of genes, one or more.")
    return names


def _count(membership: sparse.csr_matrix) -> np.ndarray:
    """Return the number of genes of each term."""
    return np.bincount(membership.indices, minlength=membership.shape[1])


def _p_values(found: np.ndarray, term_size: np.ndarray, chosen: int, background: int) -> np.ndarray:
    """Return the probability of as many genes or more, computed once for equal pairs of numbers."""
    from scipy.stats import hypergeom

    pairs, inverse = np.unique(np.stack([found, term_size]), axis=1, return_inverse=True)
    return hypergeom.sf(pairs[0] - 1, background, pairs[1], chosen)[inverse]


def _of_categories(terms: GeneTerms, categories: str | Sequence[str] | None) -> np.ndarray:
    """Return which terms are of the categories, a mask (T,)."""
    if categories is None:
        return np.ones(len(terms.terms), bool)
    wanted = [categories] if isinstance(categories, str) else list(categories)
    there = list(terms.categories.index)
    for name in wanted:
        if name not in there:
            close = difflib.get_close_matches(str(name), there, n=3, cutoff=0.3) or there[:5]
            text = f" is not among the {len(there)} categories of {terms!r}; pass one such as {close}."
            raise ArgumentError("categories", Argument("categories", name), text)
    if not wanted:
        text = " is empty; leave it out for all."
        raise ArgumentError("categories", Argument("categories", categories), text)
    return terms.terms["category"].isin(wanted).to_numpy()


def _check_limits(max_fdr: float, min_size: int, max_size: int) -> None:
    if not 0 < max_fdr <= 1:
        raise ArgumentError("max_fdr", Argument("max_fdr", max_fdr), " must be above 0 and at most 1.")
    if min_size < 1:
        raise ArgumentError("min_size", Argument("min_size", min_size), " must be at least 1.")
    if max_size < min_size:
        text = f" must be at least min_size, {min_size:,}."
        raise ArgumentError("max_size", Argument("max_size", max_size), text)
