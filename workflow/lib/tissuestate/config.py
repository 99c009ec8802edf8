"""The config, checked before anything runs: against its schema, and where keys must agree."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from tissuestate.errors import InputError, nearest

# What is told first: a misspelt key is also a missing one.
_FIRST = ("additionalProperties", "required")
_TYPES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "keys below it",
    "null": "null",
}
_OTHER_BASE = re.compile(r"[-+]?(0[0-9_]+|0[xb].*|.*:.*)")
# JSON Schema takes 2.0 for a whole number, most of what the config reaches does not.
_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, found: isinstance(found, int) and not isinstance(found, bool)
    ),
)


def check_config(config: Mapping[str, Any], schema: str | Path) -> None:
    """Raise InputError for the first mistake: key, what was found, what was expected.

    Numbers that are NaN or infinite, keys that do not exist or are missing, values of another type
    (2.0 is no whole number) or outside their bounds, fractions that do not sum to 1, ranges upside
    down, a network to bundle that is not trained.
    """
    for place, number in _numbers(config):
        if not math.isfinite(number):
            raise InputError(
                f"config: {place} has {_shown(number)}; expected a number that is finite. "
                "See config/README.md."
            )
    validator = _Validator(yaml.safe_load(Path(schema).read_text(encoding="utf-8")))
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


def check_yaml(path: str | Path) -> None:
    """Raise InputError for what YAML reads as something else than is written, without a word.

    Of a key that stands twice it keeps the last, 010 is 8 to it and 1:30 is 90. Whatever else may
    be wrong with a config file is left to those who read it.
    """
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    todo = [root] if root else []
    while todo:
        node = todo.pop()
        if isinstance(node, yaml.MappingNode):
            _check_twice(path, [key for key, _ in node.value])
            todo += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif node.tag.endswith((":int", ":float")) and _OTHER_BASE.fullmatch(node.value):
            raise InputError(
                f"{path}, line {node.start_mark.line + 1}: YAML reads {node.value} as "
                f"{yaml.safe_load(node.value)}; write the number in decimal digits."
            )


def _check_twice(path: str | Path, keys: Sequence[yaml.Node]) -> None:
    lines: dict[str, int] = {}
    for key in keys:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and key.value in lines:
            raise InputError(
                f"{path}, line {line}: the key {key.value!r} stands in line {lines[key.value]} "
                "already; remove one of the two."
            )
        if isinstance(key, yaml.ScalarNode):
            lines[key.value] = line


def _numbers(value: Any, place: str = "") -> Iterator[tuple[str, float]]:
    """The numbers with a point in a config, each with the keys that lead to it."""
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _numbers(below, f"{place}: {key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _numbers(below, place)


def _sentence(error: ValidationError) -> str:
    place = ": ".join(part for part in error.absolute_path if isinstance(part, str))
    below = f" under '{place}'" if place else ""
    found = _shown(error.instance)
    for part in error.context or ():  # of several kinds allowed, the one that it tries to be
        if part.validator == "pattern":
            return _sentence(part)
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
            return f"{place} has {found}; expected one of {allowed}."
        case "type":
            return f"{place} has {found}; expected {_expected(error)}."
        case "contains":
            return f"{place} is {found}; {error.validator_value['const']} belongs there."
        case "pattern":
            return f"{place} has {found}; {_characters(error)}."
        case "anyOf" if all(part.validator in ("type", "const") for part in error.context or ()):
            kinds = " or ".join(_expected(part) for part in error.context or ())
            return f"{place} has {found}; expected {kinds}."
    reasons = [part.message for part in error.context or ()] or [error.message]
    return f"{place}: {', and '.join(reasons)}."


def _expected(error: ValidationError) -> str:
    """What a value of another type should be, with a word on how YAML reads what was written."""
    if error.validator == "const":
        return str(error.validator_value)
    kinds = error.validator_value
    kinds = [kinds] if isinstance(kinds, str) else kinds
    expected = " or ".join(_TYPES.get(kind, kind) for kind in kinds)
    if not {"integer", "number"} & set(kinds):
        return expected
    if isinstance(error.instance, float) and error.instance.is_integer():
        return f"{expected} (without a point: {error.instance:.0f})"
    if isinstance(error.instance, str) and _is_number(error.instance):
        return f"{expected}, not text (leave quotes off; YAML reads 1e-4 as text: write 1.0e-4)"
    return expected


def _characters(error: ValidationError) -> str:
    """Which characters of a text are not allowed, by the pattern of its schema."""
    allowed = re.fullmatch(r"\^\[(.+)\]\+\$", error.validator_value)
    if not allowed:
        return f"expected {error.schema.get('description', error.validator_value)}"
    other = sorted({mark for mark in error.instance if not re.match(f"[{allowed[1]}]", mark)})
    shown = ", ".join(map(repr, other))
    return (
        f"{shown} may not stand there: rename it with letters from A to Z, digits, spaces and "
        ". _ / : + @ % ~ = , - alone"
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _shown(value: Any) -> str:
    """A value as YAML writes it."""
    if value is None or isinstance(value, bool):
        return "nothing (null)" if value is None else str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return f".{value}".replace(".-", "-.")
    return repr(value)
