"""What a saved classifier consists of, as a folder of JSON and safetensors and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from gene_gcn.cells import Normalizer
from gene_gcn.errors import ArgumentError
from gene_gcn.estimators.card import ModelCard, Provenance
from gene_gcn.estimators.card_page import write_card
from gene_gcn.estimators.fitted import GradientModel, LinearModel, linear_head_of
from gene_gcn.estimators.fitting import head_refit
from gene_gcn.estimators.model_settings import ModelSettings
from gene_gcn.estimators.reference import Reference
from gene_gcn.estimators.saved_checks import (
    check_baseline,
    check_config,
    check_model,
    check_reference,
    check_values,
    reading,
    writing,
)
from gene_gcn.networks import GeneNetwork
from gene_gcn.ontology import Hierarchy
from gene_gcn.storage.download import ProgressBar
from gene_gcn.storage.model_folder import TensorSpec, read_config, read_model, write_model
from gene_gcn.storage.model_source import local_model
from gene_gcn.training.imputation import PPCAImputer


@dataclass(frozen=True, eq=False)
class SavedClassifier:
    """The parts of a fitted classifier.

    Attributes
    ----------
    parameters : dict of str to object
        Of the constructor. A network object comes back aligned to the genes, as `network`; a device is not
        kept.
    classes : ndarray, shape (K,)
    prior : ndarray, shape (K,)
    normalizer : Normalizer
    network : GeneNetwork or None
        Aligned to the training genes.
    fitted : LinearModel or GradientModel
    imputer : PPCAImputer or None
    history : DataFrame
    batches : tuple of str
    feature_names : ndarray of str or None
        scikit-learn's `feature_names_in_`.
    hierarchy : Hierarchy or None
    card : ModelCard
    provenance : Provenance or None
        None for models that were saved without one.
    """

    parameters: dict[str, Any]
    classes: np.ndarray
    prior: np.ndarray
    normalizer: Normalizer
    network: GeneNetwork | None
    fitted: LinearModel | GradientModel
    imputer: PPCAImputer | None
    history: pd.DataFrame
    batches: tuple[str, ...]
    feature_names: np.ndarray | None
    hierarchy: Hierarchy | None = None
    card: ModelCard = field(default_factory=ModelCard)
    provenance: Provenance | None = None

    def write(self, path: str | Path) -> None:
        """Write a folder or a .zip, whole or not at all; see `gene_gcn.storage.model_folder.write_model`.

        What `read` would refuse is refused.
        """
        config, tensors = self._to_json(), self._tensors()

        def check(config: dict[str, Any], specs: dict[str, TensorSpec]) -> None:
            _check_contents(config, specs, self.parameters)
            check_values(tensors)

        with writing():
            write_model(path, config, tensors, check, lambda: write_card(self))

    def _to_json(self) -> dict[str, Any]:
        return {
            "parameters": _parameters_to_json(self.parameters),
            "classes": _labels_to_json(self.classes),
            "prior": self.prior.tolist(),
            "normalizer": self.normalizer.to_dict(),
            "network": None if self.network is None else self.network.to_dict(),
            "hierarchy": None if self.hierarchy is None else self.hierarchy.to_dict(),
            "feature_names": None if self.feature_names is None else self.feature_names.tolist(),
            "history": _history_to_json(self.history),
            "batches": list(self.batches),
            "card": self.card.to_dict(),
            "provenance": None if self.provenance is None else self.provenance.to_dict(),
        }

    def _tensors(self) -> dict[str, Tensor]:
        parts: dict[str, Mapping[str, Any]] = {
            "model": self.fitted.tensors(),
            "normalizer": self.normalizer.arrays(),
            "network": {} if self.network is None else self.network.arrays(),
            "imputer": {} if self.imputer is None else self.imputer.tensors(),
            **self._training_cells(),
        }
        return {
            f"{part}.{name}": torch.tensor(value) if isinstance(value, np.ndarray) else value.detach().cpu()
            for part, values in parts.items()
            for name, value in values.items()
        }

    def _training_cells(self) -> dict[str, Mapping[str, Any]]:
        """Return what is kept of the training cells."""
        if isinstance(self.fitted, LinearModel):
            return {"reference": self.fitted.reference.tensors()}
        # An imputer has their mean, too.
        return {"baseline": {"mean": self.fitted.mean} if self.imputer is None else {}}

    @classmethod
    def read(
        cls, path: str | Path, parameter_names: Collection[str], progress: bool | ProgressBar = False
    ) -> SavedClassifier:
        """Read a model, wherever `gene_gcn.storage.model_source.local_model` finds it; run no code of it.

        Contents are checked before anything is built, `parameter_names` being those of the constructor.
        """

        def check(config: dict[str, Any], specs: dict[str, TensorSpec]) -> None:
            with reading(path):
                _check_contents(config, specs, parameter_names)

        with local_model(path, progress) as folder:
            config, tensors = read_model(folder, check)
        with reading(path):
            check_values(tensors)
            return cls._build(config, tensors)

    @classmethod
    def _build(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> SavedClassifier:
        parts: dict[str, dict[str, Tensor]] = {
            name: {} for name in ("model", "normalizer", "network", "imputer", "reference", "baseline")
        }
        for name, value in tensors.items():
            part, _, key = name.partition(".")
            parts[part][key] = value
        normalizer = Normalizer.from_dict(config["normalizer"], _arrays(parts["normalizer"]))
        network = None
        if config["network"] is not None:
            genes = normalizer.genes or tuple(map(str, range(normalizer.n_genes)))
            network = GeneNetwork.from_dict(genes, config["network"], _arrays(parts["network"]))
        parameters = _parameters_from_json(config["parameters"])
        if network is not None and not isinstance(parameters["network"], str):
            parameters["network"] = network
        imputer = PPCAImputer(**parts["imputer"]) if parts["imputer"] else None
        classes = np.array(config["classes"]["values"], dtype=np.dtype(config["classes"]["dtype"]))
        names = config["feature_names"]
        return cls(
            parameters=parameters,
            classes=classes,
            prior=np.array(config["prior"], dtype=np.float64),
            normalizer=normalizer,
            network=network,
            fitted=_build_model(config, parts, normalizer, len(classes), network, imputer),
            imputer=imputer,
            hierarchy=None if config["hierarchy"] is None else Hierarchy.from_dict(config["hierarchy"]),
            history=pd.DataFrame(config["history"]),
            batches=tuple(config["batches"]),
            feature_names=None if names is None else np.array(names, dtype=object),
            card=ModelCard.of(config.get("card")),
            provenance=Provenance.from_dict(values) if (values := config.get("provenance")) else None,
        )


def count_types_and_genes(folder: str | Path) -> tuple[int, int]:
    """Return the number of types and genes of a model folder, without reading its tensors.

    Raises
    ------
    ArgumentError
        It is not a model, or is damaged.
    """
    config = read_config(folder)
    with reading(folder):
        return len(config["classes"]["values"]), int(config["normalizer"]["n_genes"])


def _check_contents(
    config: dict[str, Any], specs: dict[str, TensorSpec], parameter_names: Collection[str]
) -> None:
    """Refuse what cannot be built, from the config and the forms of the tensors (ArgumentError)."""
    check_config(config, specs, parameter_names)
    settings = _settings_of(config)
    settings.check()
    shapes = (config["normalizer"]["n_genes"], len(config["classes"]["values"]))
    check_model(settings, config["network"] is not None, specs, *shapes)
    check_reference(settings, specs, *shapes)
    check_baseline(settings, specs, shapes[0])


def _settings_of(config: dict[str, Any]) -> ModelSettings:
    return ModelSettings(**{field.name: config["parameters"][field.name] for field in fields(ModelSettings)})


def _build_model(
    config: dict[str, Any],
    parts: dict[str, dict[str, Tensor]],
    normalizer: Normalizer,
    num_classes: int,
    network: GeneNetwork | None,
    imputer: PPCAImputer | None,
) -> LinearModel | GradientModel:
    settings = _settings_of(config)
    if settings.chosen_optimizer == "lbfgs":
        head = linear_head_of(parts["model"])
        graph = settings.prepare_graph(network) if head.network_weight else None
        reference = Reference.from_tensors(parts["reference"])
        refit = head_refit(config["parameters"]["missing_genes"], np.array(config["prior"]), normalizer)
        return LinearModel(head, graph, imputer, settings.count_layers(network) > 0, reference, refit)
    model = settings.build(normalizer.n_genes, num_classes, network)
    model.load_state_dict(parts["model"])
    mean = parts["baseline"]["mean"] if imputer is None else imputer.mean
    return GradientModel(model.eval(), settings.prepare_graph(network), imputer, mean)


def _parameters_to_json(parameters: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {"device": "auto"}  # a device belongs to a machine
    if not isinstance(parameters["network"], str):
        changed["network"] = None
    if not isinstance(parameters["random_state"], (int, np.integer)):
        changed["random_state"] = None
    if isinstance(weights := parameters["class_weight"], dict):
        changed["class_weight"] = [[_plain(label), weight] for label, weight in weights.items()]
    return parameters | changed | {"hidden_channels": list(map(int, parameters["hidden_channels"]))}


def _parameters_from_json(parameters: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {"hidden_channels": tuple(parameters["hidden_channels"])}
    if isinstance(weights := parameters["class_weight"], list):
        changed["class_weight"] = dict(map(tuple, weights))
    return parameters | changed


def _history_to_json(history: pd.DataFrame) -> dict[str, list[Any]]:
    missing = history.isna()
    return history.astype(object).where(~missing, None).to_dict("list")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _labels_to_json(labels: np.ndarray) -> dict[str, Any]:
    values = labels.tolist()
    if not all(isinstance(value, (str, bool, int, float)) for value in values):
        kind = type(values[0]).__name__
        raise ArgumentError("y", f"Labels of type {kind} cannot be saved; fit with text or numbers.")
    return {"dtype": labels.dtype.str, "values": values}


def _arrays(tensors: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}
