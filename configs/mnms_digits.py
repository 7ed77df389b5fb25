"""Several tasks made of scikit-learn's digits, searched at once by one controller.

jaxnas search mnms_digits
"""

from jaxnas.spaces.small_images import SmallImageOptions
from jaxnas.tasks_config import (
    PPOConfig,
    SmallImageTasksConfig,
    TaskDataConfig,
    TasksConfig,
    TasksFinalConfig,
    TasksSearchConfig,
)


def config(variant: str = "") -> TasksConfig:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    tasks = ("digit", "parity", "larger_than_4", "loops")
    space = SmallImageOptions(
        convolution=("no",) if smoke else ("no", "yes"),
        filters=("8",),
        kernels=("3",),
        conv_activations=("relu",),
        conv_normalizations=("none",) if smoke else ("none", "batch"),
        conv_dropouts=("0",),
        layers=("0", "1") if smoke else ("0", "1", "2"),
        widths=("8",) if smoke else ("16", "64"),
        activations=("relu",) if smoke else ("relu", "tanh"),
        normalizations=("none",) if smoke else ("none", "batch", "layer"),
        dropouts=("0",) if smoke else ("0", "0.2", "0.4"),
        deep_rates=("0.01", "0.1") if smoke else ("0.001", "0.01", "0.1", "0.5"),
        deep_regularizations=("0",) if smoke else ("0", "0.001"),
        wide=("no", "yes"),
        wide_rates=("0.1",) if smoke else ("0.01", "0.1"),
        wide_regularizations=("0",),
        epochs=("1", "2") if smoke else ("2", "5", "10"),
    )
    return TasksConfig(
        name="mnms_digits",
        paper="Wong et al. 2018, transfer learning with neural AutoML (arXiv:1803.02780): its "
        "algorithm; tasks, space and sizes are ours",
        expected="the mean test accuracy of the four tasks 0.56 points above that of the best "
        "uniformly drawn children by validation, higher on 3 of 4 (ours, seed 0, one run; the "
        "paper has no digits)",
        hardware="1 CPU core",
        time="2 minutes 25 seconds",
        children=SmallImageTasksConfig(space=space),
        data=TaskDataConfig(
            source="digits", tasks=tasks[:2] if smoke else tasks, train=100 if smoke else None
        ),
        searcher=PPOConfig(hidden=4, embedding=2) if smoke else PPOConfig(),
        search=TasksSearchConfig(
            samples=4 if smoke else 400, batch=2 if smoke else 5, random=2 if smoke else 5
        ),
        final=TasksFinalConfig(
            best=1 if smoke else 3, random=1 if smoke else 3, train=100 if smoke else None
        ),
    )
