"""Search over a design that loops and branches: `python examples/graph_space.py`."""

import jax
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from jaxnas.searchers import reinforce
from jaxnas.spaces import Decision, branch, compose, loop

WIDTHS, RATES = ("8", "16", "32", "64"), ("0.001", "0.01", "0.1")

SPACE = compose(
    "networks",
    loop(Decision("width", WIDTHS), at_most=3, more="more_layers"),
    branch("optimizer", {s: Decision(f"{s}_rate", RATES) for s in ("sgd", "adam")}),
)
IMAGES, LABELS = load_digits(return_X_y=True)


def reward(architecture: np.ndarray, epochs: int) -> float:
    """The validation accuracy of the network that the walk describes."""
    choices = SPACE.choices(architecture)
    solver = ("sgd", "adam")[choices["optimizer"]]
    network = MLPClassifier(
        [int(WIDTHS[action]) for action in choices.visits("width")],
        solver=solver,
        learning_rate_init=float(RATES[choices[f"{solver}_rate"]]),
        random_state=0,
    )
    for _ in range(epochs):
        network.partial_fit(IMAGES[:1000] / 16, LABELS[:1000], classes=range(10))
    return network.score(IMAGES[1000:1400] / 16, LABELS[1000:1400])


def main(rounds: int = 40, epochs: int = 5) -> tuple[dict, float]:
    """Returns the best network found and its validation accuracy."""
    searcher = reinforce(SPACE)
    state = searcher.init(jax.random.key(0))
    for _ in range(rounds):
        state, architectures = searcher.ask(state, 4)
        rewards = np.array([reward(a, epochs) for a in np.asarray(architectures)], np.float32)
        state, _ = searcher.tell(state, architectures, rewards)
    return SPACE.encode(state.record.best_architecture), float(state.record.best_reward)


if __name__ == "__main__":
    print(main())
