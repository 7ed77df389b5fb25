"""A population search over recurrent cells on text: what it trains, and what cells are worth."""

from __future__ import annotations

import dataclasses
import functools
import math
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.children.recurrent import LanguageModel
from jaxnas.data import DataError, Streams, Text, TextBatches, text_batches
from jaxnas.evaluators import Population
from jaxnas.evaluators.population import PopulationState
from jaxnas.objectives import perplexity_reward
from jaxnas.runtime import saved_language_model
from jaxnas.runtime.image_population import cosine
from jaxnas.runtime.packing import digest
from jaxnas.runtime.population_experiment import Finalist, PopulationExperiment
from jaxnas.text_population_config import TextPopulationConfig, TextTrainingConfig


# One object per recipe: it is a static argument of compiled programs.
@functools.lru_cache(maxsize=64)
def text_optimizer(config: TextTrainingConfig):
    """Makes the optimiser of a child: clipped gradients, a cosine over its own steps."""

    def make(numbers: dict[str, Any]) -> optax.GradientTransformation:
        rule = optax.adam if config.optimizer == "adam" else optax.sgd
        return optax.chain(
            optax.add_decayed_weights(config.weight_decay),
            optax.clip_by_global_norm(config.clip),
            rule(cosine(numbers)),
        )

    return make


@dataclasses.dataclass(frozen=True, eq=False)
class TextPopulationExperiment(PopulationExperiment):
    """A search over recurrent cells; see `PopulationExperiment`."""

    config: TextPopulationConfig
    dataset: Text

    def __post_init__(self):
        for split in ("validation", "test"):
            self._check_length(split)
        super().__post_init__()

    @functools.cached_property
    def population(self) -> Population:
        """See `PopulationExperiment.population`."""
        return self._population(self.config.children.build(len(self.dataset.vocabulary)))

    @property
    def data(self) -> Streams:
        """The train and validation splits on the device."""
        return self._batches[1]

    def reward(self, values: jax.Array) -> jax.Array:
        """`c / perplexity^2` of minus perplexities; 0 for a child that diverged."""
        return perplexity_reward(-values, self.config.search.reward_scale)

    def baselines(self) -> list[Finalist]:
        """The cells of `final.baselines`, each at as many parameters as the searched ones."""
        vocabulary, children = len(self.dataset.vocabulary), self.config.children
        return [
            Finalist(
                f"baseline-{kind}",
                "baseline",
                np.zeros(1, np.int32),
                math.nan,
                self._population(children.baseline(vocabulary, kind)),
            )
            for kind in self.config.final.baselines
        ]

    def finish(
        self, child: Finalist, trained: PopulationState, folder: pathlib.Path
    ) -> dict[str, Any]:
        """Saves a trained child, and reads its perplexities on whole splits."""
        model = child.population.model
        assert isinstance(model, LanguageModel)
        saved_language_model.save(folder, self.dataset, model, child.architecture, trained)
        validation, test = (
            self._perplexity(child.population, trained, split) for split in ("validation", "test")
        )
        return {
            "name": child.name,
            "kind": child.kind,
            "architecture": model.space.encode(child.architecture),
            "search_value": child.value,
            "validation_perplexity": validation,
            "test_perplexity": test,
            "reward": float(self.reward(jnp.asarray(-validation))),
            "hidden": model.hidden,
            "parameters": model.count_parameters(),
            "diverged": bool(trained.diverged),
            "weights_digest": digest(trained.parameters),
        }

    def _check_length(self, split: str) -> None:
        """Raises `DataError` where a split is too short for one segment in every row."""
        rows, steps = self.config.training.batch_size, self.config.training.steps
        tokens = self.dataset.sizes[split]
        if tokens < rows * (steps + 1):
            raise DataError(
                f"training.batch_size is {rows} and training.steps is {steps}, but the {split} "
                f"split has {tokens} tokens: give less of either, or {rows * (steps + 1)} tokens."
            )

    def _population(self, model: LanguageModel) -> Population:
        return Population(model, self._batches[0], text_optimizer(self.config.training))

    @functools.cached_property
    def _batches(self) -> tuple[TextBatches, Streams]:
        training = self.config.training
        return text_batches(
            self.dataset,
            batch_size=training.batch_size,
            steps=training.steps,
            epoch_steps=training.epoch_steps,
            score_steps=training.score_steps,
        )

    def _perplexity(self, population: Population, trained: PopulationState, split: str) -> float:
        """The perplexity of a child on a whole split; not a number if it diverged."""
        training = self.config.training
        batches, data = text_batches(
            self.dataset,
            batch_size=training.batch_size,
            steps=training.steps,
            epoch_steps=training.epoch_steps,
            score_split=split,
        )
        scorer = dataclasses.replace(population, batches=batches)
        one = jax.tree.map(lambda leaf: leaf[None], trained)
        value = -float(scorer.score(one, data)[0])
        return value if math.isfinite(value) else math.nan
