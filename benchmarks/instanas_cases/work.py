"""Results that are kept: what is finished is not computed again after a restart."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any

from jaxnas.instance.config import InstanceConfig
from jaxnas.runtime.files import write_json
from jaxnas.runtime.json_values import from_json, to_json

OF_WIDTHS = ("network", "train", "data")


class Work:
    """A folder of results, each under the settings and data that it came from.

    MobileNetV2 at a width is trained without the settings of the search: it stays when they change.

    Args:
      folder: the folder; made here.
      config: the settings, whose seed does not count.
      data_digest: of the data.
    """

    def __init__(self, folder: pathlib.Path, config: InstanceConfig, data_digest: str):
        values = to_json(config) | {"seed": 0, "data": data_digest}
        self.folder = _folder(folder, values)
        own = {name: values[name] for name in OF_WIDTHS} | {"table": values["latency"]["table"]}
        self._widths = _folder(folder, own)

    def path(self, arm: str, seed: int) -> pathlib.Path:
        """Where the result of an arm lies."""
        folder = self._widths if arm.startswith("width-") else self.folder
        return folder / f"{arm}-{seed}.json"

    def instance(self, seed: int) -> pathlib.Path:
        """Where the network with its policy lies."""
        return self.folder / f"instance-{seed}"

    def get(self, arm: str, seed: int, compute: Callable[[], Any]) -> Any:
        """The result of an arm, computed where it is not there yet."""
        path = self.path(arm, seed)
        if not path.is_file():
            write_json(path, compute())
        return from_json(json.loads(path.read_text()))


def _folder(parent: pathlib.Path, settings: dict[str, Any]) -> pathlib.Path:
    text = json.dumps(settings, sort_keys=True).encode()
    folder = parent / hashlib.sha256(text).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    return folder
