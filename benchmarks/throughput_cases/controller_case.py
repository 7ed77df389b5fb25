"""The controller alone, and one whole REINFORCE update of a search on shared weights.

Both sides have ENAS's LSTM of 64 units with the same weights, the same children and the same loss,
and start every repeat from there. PyTorch samples one by one, as existing controllers do; the
actions that it draws are replaced by those of jaxnas, so that both evaluate the same children.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from torch_reference import Controller, SharedWeights, child, same_plan, to_images

from jaxnas.evaluators import shared
from jaxnas.policies import Policy, lstm
from jaxnas.searchers import Searcher, reinforce
from jaxnas.spaces import SearchSpace
from jaxnas.supernets import Supernet
from throughput_cases.cases import Case
from throughput_cases.contest import OURS, Contender, Options, compete
from throughput_cases.networks import make_data, make_network

SAMPLES = 20
RATE, ENTROPY_WEIGHT = 1e-3, 1e-2


@functools.cache
def make_searcher(policy: Policy) -> Searcher:
    """REINFORCE as ENAS has it; one for all cases, so that they share its programs."""
    return reinforce(
        policy,
        optax.adam(RATE),
        entropy_weight=ENTROPY_WEIGHT,
        entropy_target=math.inf,
        normalize_advantage=False,
        memory=0,
    )


class Pair:
    """The same controller twice: in jaxnas and in PyTorch, and `SAMPLES` children of it."""

    def __init__(self, space: SearchSpace, seed: int):
        self.policy = lstm(space, hidden=64)
        self.searcher = make_searcher(self.policy)
        self.state = self.searcher.init(jax.random.key(seed))
        self.children = np.asarray(self.searcher.ask(self.state, SAMPLES)[1])
        self.controller = Controller(
            space,
            self.state.policy,
            learning_rate=RATE,
            entropy_weight=ENTROPY_WEIGHT,
            entropy_target=math.inf,
        )
        self.check_gradient(np.random.default_rng(seed).normal(size=SAMPLES))

    def check_gradient(self, advantages: np.ndarray) -> None:
        """Compares log-probabilities, entropies and the norm of REINFORCE's gradient.

        Raises:
          AssertionError: they differ.
        """

        def objective(params):
            found = self.policy.evaluate(params, self.children)
            gain = jnp.mean(advantages * found.log_prob)
            return -gain - ENTROPY_WEIGHT * found.entropy.mean(), found

        gradient, found = jax.jit(jax.grad(objective, has_aux=True))(self.state.policy)
        _, log_probs, entropies = self.controller.samples(SAMPLES, self.children)
        for ours, theirs in ((found.log_prob, log_probs), (found.entropy, entropies)):
            np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-4)
        weights = torch.from_numpy(advantages.astype(np.float32))
        self.controller.loss(log_probs, entropies, weights).backward()
        norm = float(optax.tree.norm(gradient))
        np.testing.assert_allclose(norm, self.controller.gradient_norm(), rtol=1e-3)


def run_controller(case: Case, options: Options) -> dict[str, Any]:
    """20 samples and one update, rewards given: one call, and as a search does it, in two."""
    pair = Pair(make_network(case.network, options.quick).space, options.seed)
    rewards = np.random.default_rng(options.seed).random(SAMPLES, np.float32)
    advantages = torch.from_numpy(rewards - rewards.mean())

    def two_calls():
        state, children = pair.searcher.ask(pair.state, SAMPLES)
        state, _ = pair.searcher.tell(state, children, rewards)
        jax.block_until_ready(state.policy)
        return children

    @jax.jit
    def one_call(state):
        state, children = pair.searcher.ask(state, SAMPLES)
        return pair.searcher.tell(state, children, rewards)[0].policy, children

    def theirs():
        children, log_probs, entropies = pair.controller.samples(SAMPLES, pair.children)
        pair.controller.update(log_probs, entropies, advantages)
        return children

    contenders = {
        OURS: Contender(
            lambda: jax.block_until_ready(one_call(pair.state)),
            lambda result: np.asarray(result[1]),
        ),
        "tuned": Contender(theirs),
        "two_calls": Contender(two_calls),
    }
    row = compete(case.name, [contenders], case.seconds, options)
    return row | {"updates_per_second": 1 / row["seconds"]}


def run_update(case: Case, options: Options) -> dict[str, Any]:
    """20 children sampled, evaluated on one validation minibatch, the policy updated."""
    network = make_network(case.network, options.quick)
    pair = Pair(network.space, options.seed)
    params, images, labels = make_data(network, case.network, options.quick, options.seed)
    supernet = Supernet(network)
    evaluate = shared(supernet, params, images, labels)
    weights, tensor = SharedWeights(network, params), to_images(images)
    targets = torch.from_numpy(np.array(labels)).long()

    def ours():
        state, children = pair.searcher.ask(pair.state, SAMPLES)
        rewards = evaluate(children)
        state, _ = pair.searcher.tell(state, children, rewards)
        jax.block_until_ready(state.policy)
        return rewards

    def theirs(forward):
        def run():
            children, log_probs, entropies = pair.controller.samples(SAMPLES, pair.children)
            correct = forward(children).argmax(-1) == targets
            rewards = correct.float().mean(-1).clone()
            pair.controller.update(log_probs, entropies, rewards - rewards.mean())
            return rewards

        return Contender(run)

    def one_by_one(children):
        choices = [network.space.choices(np.array(c, np.int32)) for c in children]
        return child.forward(weights, choices, tensor)

    def by_plan(children):
        return same_plan.forward(weights, supernet.plan(children), tensor)

    contenders = {
        OURS: Contender(ours),
        "tuned": theirs(one_by_one),
        "same_plan": theirs(by_plan),
    }
    row = compete(case.name, [contenders], case.seconds, options)
    return row | {"updates_per_second": 1 / row["seconds"], "batch": len(images)}
