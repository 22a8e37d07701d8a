"""What the tools of `gene-gcn mcp` return; clients see these descriptions."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field


def _round(value: float) -> float:
    """Keep four digits after the point: clients that are language models pay for each."""
    return round(value, 4)


Number = Annotated[float, AfterValidator(_round)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Result(BaseModel):
    """What all tools return."""

    warnings: list[str] = Field(default=[], description="What to tell the user beside the result.")


class FoundType(BaseModel):
    type: str
    cells: Count
    fraction: Fraction
    mean_confidence: Fraction = Field(description="Mean probability of the type.")


class Shift(BaseModel):
    size: Number
    removed: bool
    kept_because: str | None


class Consensus(BaseModel):
    over: str
    changed_cells: Count = Field(description="Cells whose type differs from that of the cell alone.")


class Backoff(BaseModel):
    threshold: Number
    changed_cells: Count


class Annotation(Result):
    """The types of the cells of a file."""

    cells: Count
    genes: Count = Field(description="Of the file.")
    types: list[FoundType] = Field(description="The most frequent first.")
    fraction_unknown: Number | None = Field(description="Null unless asked for.")
    shift: Shift | None = Field(
        description="What all types have in common that differs from the training cells, as between "
        "laboratories."
    )
    backoff: Backoff | None
    consensus: Consensus | None
    written: list[str] = Field(description="Paths of what was written.")


class Reason(BaseModel):
    gene: str
    contribution: Number = Field(description="Added to the logit of the type.")


class EdgeReason(BaseModel):
    source: str
    target: str
    contribution: Number


class Reasons(Result):
    """Why cells are of a type: with the baseline, the contributions of all genes sum to the logit."""

    type: str
    against: str | None
    cells: Count = Field(description="Cells that contributions are averaged over.")
    logit: Number = Field(description="Of the type, or by how much it exceeds that of `against`.")
    baseline: Number = Field(description="The logit of the mean training cell.")
    genes_for: list[Reason] = Field(description="Genes that speak for the type, the strongest first.")
    genes_against: list[Reason] = Field(description="Genes that speak against it, the strongest first.")
    edges: list[EdgeReason] = Field(description="Of the gene network; empty if the model uses none.")


class Marker(BaseModel):
    type: str
    gene: str
    contribution: Number = Field(description="To how the type's logit exceeds those of the others.")


class Markers(Result):
    """The genes by which a model tells its types apart, the strongest of each type first."""

    markers: list[Marker]


class TrainedType(BaseModel):
    type: str
    training_cells: int | None


class Network(BaseModel):
    source: str
    edges: Count
    connected_genes: Count
    weight: Number | None = Field(description="0 if the model does not use it.")


class Model(Result):
    """What a model knows."""

    types: list[TrainedType]
    genes: Count
    normalization: str
    network: Network | None
    has_hierarchy: bool


class FoundFile(BaseModel):
    path: str
    kind: str = Field(description='"cells"; "table", which may hold cells; or "model".')
    bytes: int | None = Field(description="Null for folders.")


class Files(Result):
    """What the tools can read."""

    folders: list[str]
    files: list[FoundFile]
    more: bool = Field(description="Whether there are others, which are not listed.")
