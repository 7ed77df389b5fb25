"""A part of `nasrl.py` in a process of its own: `python -m nasrl_cases TASK RESULT`."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any


def conv(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of convolutional children."""
    import torch

    from nasrl_cases import conv_case

    torch.set_num_threads(task["threads"])
    quick, seed = task["quick"], task["seed"]
    if task["images"] == "cifar":
        return [
            conv_case.compare(
                f"cifar10 sizes, {size} x {size}",
                conv_case.cifar_work(2, seed, size, steps),
                20,
                quick,
            )
            for size, steps in ((16, 2), (32, 1))
        ]
    work = conv_case.digits_work(2 if quick else 100, seed)
    row = conv_case.compare("digits", work, 5 if quick else 60, quick)
    compiled = 0 if quick else 3
    return [row, conv_case.with_compilation(work, row, 100, compiled)]


PARTS = {"conv": conv}


def main() -> None:
    """Runs one part."""
    task, result = map(pathlib.Path, sys.argv[1:])
    given = json.loads(task.read_text())
    result.write_text(json.dumps(PARTS[given["part"]](given)))


if __name__ == "__main__":
    main()
