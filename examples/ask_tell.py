"""Search with a reward of your own, ask and tell: `python examples/ask_tell.py`."""

import jax
import numpy as np

import jaxnas.searchers
from jaxnas.spaces import Decision, SearchSpace

SPACE = SearchSpace(
    "pipeline",
    (
        Decision("resize", ("8", "16", "32")),
        Decision("filter", ("none", "blur", "edges")),
        Decision("model", ("linear", "forest", "network")),
    ),
)


def reward(architecture: np.ndarray) -> float:
    """Any Python function of the choices: here, a large image, edges and a forest are best."""
    choices = SPACE.choices(architecture)
    return choices["resize"] / 2 + (choices["filter"] == 2) + (choices["model"] == 1)


def main(rounds: int = 60) -> tuple[dict, float]:
    """Returns the best architecture of the last round and its reward."""
    searcher = jaxnas.searchers.reinforce(SPACE)
    state = searcher.init(jax.random.key(0))
    for _ in range(rounds):
        state, architectures = searcher.ask(state, 10)
        rewards = np.array([reward(a) for a in np.asarray(architectures)], np.float32)
        state, _ = searcher.tell(state, architectures, rewards)
    return SPACE.encode(architectures[rewards.argmax()]), float(rewards.max())


if __name__ == "__main__":
    print(main())
