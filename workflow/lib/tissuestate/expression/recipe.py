"""What the config leaves to be chosen: by laboratories left out, or the usual way."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

AUTO = "auto"
USUAL = "upper-quartile"


def chosen_steps(
    normalisation: str, correction: Mapping[str, Any], recipe: str | Path | None
) -> tuple[str, dict[str, Any]]:
    """Normalisation and correction: the config's, or for what it leaves open the recipe's.

    Without a recipe the normalisation is `USUAL`, and the correction is chosen when it is fitted.
    """
    found: dict[str, Any] = {"normalisation": USUAL, "correction": {}}
    if recipe:
        found = json.loads(Path(recipe).read_text(encoding="utf-8"))
    if normalisation == AUTO:
        normalisation = found["normalisation"]
    own = found["correction"] if correction["method"] == AUTO else {}
    return normalisation, {**correction, **own}
