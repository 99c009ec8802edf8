"""The config, checked before anything runs: against its schema, and where keys must agree."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from tissuestate.errors import InputError, nearest

# What is told first: a misspelt key is also a missing one.
_FIRST = ("additionalProperties", "required")
_TYPES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number (YAML reads 1e-4 as text: write 1.0e-4)",
    "string": "text",
    "array": "a list",
    "object": "keys below it",
}


def check_config(config: Mapping[str, Any], schema: str | Path) -> None:
    """Raise InputError for the first mistake: key, what was found, what was expected.

    Keys that do not exist or are missing, values of another type or outside their bounds,
    fractions that do not sum to 1, ranges upside down, a network to bundle that is not trained.
    """
    validator = Draft202012Validator(yaml.safe_load(Path(schema).read_text(encoding="utf-8")))
    errors = list(validator.iter_errors(config))
    if errors:
        first = min(errors, key=lambda error: [error.validator != kind for kind in _FIRST])
        raise InputError(f"config: {_sentence(first)} See config/README.md.")
    fractions = config["split"]["fractions"]
    if abs(sum(fractions) - 1) > 1e-6:
        raise InputError(
            f"config: split: fractions is {fractions}, which sum to {sum(fractions):g}; the shares "
            "of training, validation and test sum to 1."
        )
    for name, entry in config["tuning"]["space"].items():
        if name not in ("optimizer", "activation") and entry[0] > entry[1]:
            raise InputError(
                f"config: tuning: space: {name} is {entry}; give the lower end first, then the "
                "upper one."
            )
    kinds, bundled = config["features"]["kinds"], config["bundle_features"]
    if bundled not in kinds:
        raise InputError(
            f"config: bundle_features is {bundled!r}, but features: kinds trains networks on "
            f"{', '.join(kinds)} alone; add it there or bundle one of those."
        )


def _sentence(error: ValidationError) -> str:
    place = ": ".join(part for part in error.absolute_path if isinstance(part, str))
    below = f" under '{place}'" if place else ""
    match error.validator:
        case "additionalProperties":
            known = error.schema["properties"]
            unknown = next(key for key in error.instance if key not in known)
            hint = nearest(str(unknown), [key for key in known if key not in error.instance])
            return f"there is no key {unknown!r}{below}.{hint}"
        case "required":
            missing = next(key for key in error.validator_value if key not in error.instance)
            return f"the key {missing!r}{below} is missing."
        case "enum":
            allowed = ", ".join(map(str, error.validator_value))
            return f"{place} has {error.instance!r}; expected one of {allowed}."
        case "type":
            kinds = error.validator_value
            kinds = [kinds] if isinstance(kinds, str) else kinds
            expected = " or ".join(_TYPES.get(kind, kind) for kind in kinds)
            return f"{place} has {error.instance!r}; expected {expected}."
        case "contains":
            return f"{place} is {error.instance!r}; {error.validator_value['const']} belongs there."
    reasons = [part.message for part in error.context or ()] or [error.message]
    return f"{place}: {', and '.join(reasons)}."
