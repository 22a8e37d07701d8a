"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Cells = Annotated[
    Path,
    typer.Argument(
        metavar="CELLS",
        help="Cells: .h5ad, .zarr, .h5, .loom, a 10x Genomics folder, .mtx, or a table (.csv, .tsv, .txt).",
    ),
]
References = Annotated[
    list[Path],
    typer.Argument(
        metavar="CELLS",
        help="Labeled cells, a file or several: .h5ad, .zarr, .h5, .loom, a 10x Genomics folder, .mtx, or a "
        "table (.csv, .tsv, .txt).",
    ),
]
Label = Annotated[
    str, typer.Option("--label", "-l", help="Column of .obs (or of the table) with the cell types.")
]
Labels = Annotated[
    list[str],
    typer.Option(
        "--label",
        "-l",
        help="Column of .obs (or of the table) with the cell types. Repeat it for several, coarse to fine.",
    ),
]
ParentsTable = Annotated[
    Path | None,
    typer.Option(
        "--parents",
        help="Table (.csv, .tsv) of what is above the types: name and parent; or name and id, the terms of "
        "the Cell Ontology, as gene-gcn ontology writes it.",
    ),
]
OntologyFile = Annotated[
    Path | None,
    typer.Option(
        "--ontology",
        help="File of the Cell Ontology: OBO, or .json.zst of cellxgene-ontology-guide. Default: that of the "
        "package if it is installed, or downloaded once.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]

Network = Annotated[
    str,
    typer.Option(
        help="none; coexpression (of the training cells); string or biogrid (downloaded once); or a file: "
        "edges (source, target[, weight]), STRING protein.links, BioGRID tab2, tab3 or zip."
    ),
]
NetworkInfo = Annotated[
    Path | None,
    typer.Option(help="STRING's protein.info file with the gene names, if it is not next to --network."),
]
Organism = Annotated[
    str | None,
    typer.Option(
        help="human, mouse, a scientific name or a taxonomy id. Default: inferred from the gene names."
    ),
]

Layer = Annotated[str | None, typer.Option(help="Layer to read instead of .X.")]
UseRaw = Annotated[bool, typer.Option("--use-raw/--no-use-raw", help="Read .raw instead of .X.")]
GeneColumn = Annotated[
    str | None, typer.Option(help="Column of .var with the gene names. Default: the index.")
]
Scale = Annotated[
    str | None,
    typer.Option(
        help="Scale of the values: counts, cp10k (any linear values), log1p, log2p1, log10p1 or sqrt. "
        "Default: inferred from the values."
    ),
]

Genome = Annotated[
    str | None,
    typer.Option("--genome", help="Genome whose genes to read, if a file of 10x Genomics has several."),
]

ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="Also write an HTML page (.html): what came in, what was named how surely, and why.",
    ),
]

# Options of a trained model; what is not given stays as in training.
ModelFolder = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Model: a folder or .zip, written by gene-gcn train; https://…/model.zip, https://…/folder/, or "
        "hf://owner/name@revision (downloaded once).",
    ),
]
QueryLayer = Annotated[
    str | None, typer.Option("--layer", help="Layer to read; '' is .X. Default: as in training.")
]
QueryUseRaw = Annotated[
    bool | None,
    typer.Option("--use-raw/--no-use-raw", help="Whether to read .raw. Default: as in training."),
]
QueryGeneColumn = Annotated[
    str | None,
    typer.Option(
        "--gene-column",
        help="Column of .var with the gene names; '' is the index. Default: as in training.",
    ),
]
QueryScale = Annotated[
    str | None,
    typer.Option(
        "--scale",
        help="Scale of the values: counts, cp10k (any linear values), log1p, log2p1, log10p1 or sqrt. "
        "Default: inferred; where that is a guess, as in training if that was stated.",
    ),
]

QueryOrganism = Annotated[
    str | None,
    typer.Option(
        "--organism",
        help="Species of these cells, such as mouse, if it is not that of the training cells: genes are "
        "mapped by orthologs.",
    ),
]
Orthologs = Annotated[
    str | None,
    typer.Option(
        help="Orthologs of the two species: a table (.tsv, .csv, also .gz) with a pair in each row; hcop "
        "(downloaded once); or string, which also pairs genes without orthologs by STRING's vectors. "
        "Default: hcop.",
    ),
]

CardFile = Annotated[
    Path | None,
    typer.Option(
        "--card",
        metavar="CARD.yaml",
        help="YAML file of what the model's card should say: title, tissue, organism, assay, disease, "
        "donors, license, source, citation … Default: what columns of .obs of these names say.",
    ),
]

# How a query is annotated.
Unknown = Annotated[
    bool,
    typer.Option(
        "--unknown", help='Call cells that are of none of the types "unknown"; write their novelty.'
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option(
        help="Write for each cell the set of types that it may have, which lacks its type with this "
        "probability, such as 0.1.",
    ),
]
Over = Annotated[
    str | None,
    typer.Option(
        help="Let cells agree with their clusters (a column of .obs, such as leiden), with their neighbors "
        "(a graph in .obsp, such as spatial_connectivities), or with clusters found here (clusters).",
    ),
]
Backoff = Annotated[
    str | None,
    typer.Option(
        metavar="auto|NUMBER",
        help="Call cells by the deepest node of the hierarchy whose probability is this or more, such as "
        "0.9; auto chooses it such that 95 % of cells like the training cells are called rightly.",
    ),
]
Adapt = Annotated[
    bool,
    typer.Option(
        "--adapt/--no-adapt",
        help="Take out what all types of the file have in common that differs from the training cells, "
        "as between laboratories, or annotate each cell on its own.",
    ),
]
