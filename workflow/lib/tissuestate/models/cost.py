"""Cost of a model in seconds and memory, for the benchmark."""

import json
import resource
import sys
from pathlib import Path

from tissuestate.files import atomic


def peak_memory_mb() -> float:
    """Peak memory of this process so far (MiB, resident, libraries included)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def write_cost(path: str | Path, **cost: float) -> None:
    """Write measured costs, such as fit_seconds and peak_memory_mb, as JSON."""
    rounded = {name: round(value, 4) for name, value in cost.items()}
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(rounded, indent=2) + "\n", encoding="utf-8")


def read_cost(path: str | Path) -> dict[str, float]:
    """The costs that `write_cost` wrote."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
