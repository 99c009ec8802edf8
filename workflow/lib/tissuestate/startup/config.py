"""The config: merged with its defaults, and checked before anything runs."""

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from tissuestate.errors import InputError, suggest_nearest

_SEE = "See docs/configuration.md."
_ABSENT = object()
# Reported first: a misspelt key is also a missing one.
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


def read_layers(*paths: str | Path) -> dict[str, Any]:
    """The config from YAML files, each of which overrides those before it."""
    config: dict[str, Any] = {}
    for path in paths:
        layer: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        config = overlay(config, layer)
    return config


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`below` overridden by `above`: mappings key by key, other values as a whole."""
    merged = dict(below)
    for key, value in above.items():
        covered = merged.get(key)
        if isinstance(covered, Mapping) and isinstance(value, Mapping):
            value = overlay(covered, value)
        merged[key] = value
    return merged


def complete_config(
    config: Mapping[str, Any], defaults: str | Path, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """The config as the rules read it: with defaults, and short forms expanded.

    overrides: the values of the command line, which `config` has already.
    """
    return overlay(
        read_layers(defaults), expand_short_forms(_parse_overrides(config, overrides), overrides)
    )


def expand_short_forms(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the command line's `bundle`, `samples` and `explain` in section `classify`.

    Beside a bundle `samples` names the new samples, unless the section itself does so in a file.
    """
    section = config.get("classify", {})
    if not isinstance(section, Mapping):
        return dict(config)
    section = dict(section)
    section |= {key: config[key] for key in ("bundle", "explain") if key in config}
    if section.get("bundle") and ("samples" in overrides or not section.get("samples")):
        section["samples"] = config.get("samples")
    written = {key: value for key, value in config.items() if key not in ("bundle", "explain")}
    return written | ({"classify": section} if section else {})


def check_config(
    config: Mapping[str, Any],
    schema: str | Path,
    files: Sequence[str | Path] = (),
    overrides: Mapping[str, Any] | None = None,
) -> None:
    """Raise InputError for the first mistake: file, line, key, what was found, what was expected.

    Numbers that are NaN or infinite, keys that do not exist or are missing, values of another type
    (2.0 is no whole number) or outside their bounds, fractions that do not sum to 1, ranges upside
    down, a network to bundle that is not trained.

    config: complete. files, overrides: the user's files and command line that it is made from.
    """
    for place, sentence in _find_mistakes(config, schema):
        raise InputError(f"{_describe_origin(place, files, overrides or {})}: {sentence}")


def _find_mistakes(
    config: Mapping[str, Any], schema: str | Path
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the keys that lead to a mistake, and its sentence; the first may cause the others."""
    for place, number in _find_numbers(config):
        if not math.isfinite(number):
            yield (
                place,
                f"{': '.join(place)} has {_format_value(number)}; expected a finite number. {_SEE}",
            )
    validator = _Validator(yaml.safe_load(Path(schema).read_text(encoding="utf-8")))
    errors = list(validator.iter_errors(config))
    if errors:
        first = min(errors, key=lambda error: [error.validator != kind for kind in _FIRST])
        yield _keys_to_mistake(first), f"{_describe_mistake(first)} {_SEE}"
    fractions = config["split"]["fractions"]
    if abs(sum(fractions) - 1) > 1e-6:
        yield (
            ("split", "fractions"),
            f"split: fractions is {fractions}, which sum to {sum(fractions):g}; the shares of "
            "training, validation and test sum to 1.",
        )
    for name, entry in config["tuning"]["space"].items():
        if name not in ("optimizer", "activation") and entry[0] > entry[1]:
            yield (
                ("tuning", "space", name),
                f"tuning: space: {name} is {entry}; give the lower end first, then the upper one.",
            )
    kinds, bundled = config["features"]["kinds"], config["bundle_features"]
    if bundled not in kinds:
        yield (
            ("bundle_features",),
            f"bundle_features is {bundled!r}, but features: kinds trains networks on "
            f"{', '.join(kinds)} alone; add it there or bundle one of those.",
        )


def check_yaml(path: str | Path) -> None:
    """Raise InputError for values that YAML silently reads as something else than is written.

    YAML keeps the last of two equal keys, and reads 010 as 8 and 1:30 as 90. Other faults of a
    config file are reported by those who read it.
    """
    root = _compose_yaml(path)
    todo = [root] if root else []
    while todo:
        node = todo.pop()
        if isinstance(node, yaml.MappingNode):
            _check_repeated_keys(path, [key for key, _ in node.value])
            todo += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif node.tag.endswith((":int", ":float")) and _OTHER_BASE.fullmatch(node.value):
            raise InputError(
                f"{path}, line {node.start_mark.line + 1}: YAML reads {node.value} as "
                f"{yaml.safe_load(node.value)}; write the number in decimal digits."
            )


def _compose_yaml(path: str | Path) -> yaml.Node | None:
    """The YAML of a file with its lines; None if it cannot be read."""
    try:
        return yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def _check_repeated_keys(path: str | Path, keys: Sequence[yaml.Node]) -> None:
    lines: dict[str, int] = {}
    for key in keys:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and key.value in lines:
            raise InputError(
                f"{path}, line {line}: the key {key.value!r} is already in line "
                f"{lines[key.value]}; remove one of the two."
            )
        if isinstance(key, yaml.ScalarNode):
            lines[key.value] = line


def _parse_overrides(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the command line's values read as YAML; Snakemake leaves most as text."""
    typed = dict(config)
    for key, raw in overrides.items():
        value = typed.get(key)
        if isinstance(raw, Mapping) and isinstance(value, Mapping):
            typed[key] = _parse_overrides(value, raw)
        elif value == raw:
            typed[key] = _parse_scalar(raw)
    return typed


def _parse_scalar(raw: Any) -> Any:
    """A text as the number, truth value or null that YAML reads in it, also within a list."""
    if isinstance(raw, list):
        return [_parse_scalar(item) for item in raw]
    if not isinstance(raw, str) or _OTHER_BASE.fullmatch(raw):
        return raw
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError:
        return raw
    return value if value is None or isinstance(value, bool | int | float) else raw


def _describe_origin(
    place: Sequence[str], files: Sequence[str | Path], overrides: Mapping[str, Any]
) -> str:
    """The place where a key was written: command line, line of a file, or the config as a whole."""
    found: Any = overrides
    for key in place:
        found = found.get(key, _ABSENT) if isinstance(found, Mapping) else _ABSENT
    if found is not _ABSENT:
        return "--config"
    for path in reversed(files):
        line = _find_line(path, place)
        if line:
            own = Path(path).absolute().is_relative_to(Path.cwd())
            return f"{os.path.relpath(path) if own else path}, line {line}"
    return "config"


def _find_line(path: str | Path, place: Sequence[str]) -> int | None:
    """The line of a file in which a key is written, if it is."""
    node, line = _compose_yaml(path), None
    for key in place:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next((pair for pair in pairs if pair[0].value == key), None)
        if not found:
            return None
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _find_numbers(
    value: Any, place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], float]]:
    """The numbers with a point in a config, each with the keys that lead to it."""
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _find_numbers(below, (*place, str(key)))
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _find_numbers(below, place)


def _keys_to_mistake(error: ValidationError) -> tuple[str, ...]:
    """The keys that lead to a mistake, the unknown one included."""
    place = tuple(part for part in error.absolute_path if isinstance(part, str))
    return (
        (*place, str(_find_unknown_key(error)))
        if error.validator == "additionalProperties"
        else place
    )


def _find_unknown_key(error: ValidationError) -> Any:
    return next(key for key in error.instance if key not in error.schema["properties"])


def _describe_mistake(error: ValidationError) -> str:
    place = ": ".join(part for part in error.absolute_path if isinstance(part, str))
    below = f" under '{place}'" if place else ""
    found = _format_value(error.instance)
    for part in error.context or ():  # of several kinds allowed, the one that it tries to be
        if part.validator == "pattern":
            return _describe_mistake(part)
    match error.validator:
        case "additionalProperties":
            unknown = _find_unknown_key(error)
            hint = suggest_nearest(str(unknown), error.schema["properties"])
            return f"there is no key {unknown!r}{below}.{hint}"
        case "required":
            missing = next(key for key in error.validator_value if key not in error.instance)
            return f"the key {missing!r}{below} is missing."
        case "enum":
            allowed = ", ".join(map(str, error.validator_value))
            return f"{place} has {found}; expected one of {allowed}."
        case "type":
            return f"{place} has {found}; expected {_describe_expected(error)}."
        case "contains":
            return f"{place} is {found}; {error.validator_value['const']} belongs there."
        case "pattern":
            return f"{place} has {found}; {_describe_characters(error)}."
        case "anyOf" if all(part.validator in ("type", "const") for part in error.context or ()):
            kinds = " or ".join(_describe_expected(part) for part in error.context or ())
            return f"{place} has {found}; expected {kinds}."
    reasons = [part.message for part in error.context or ()] or [error.message]
    return f"{place}: {', and '.join(reasons)}."


def _describe_expected(error: ValidationError) -> str:
    """The type that a value should have, with a hint on how YAML reads what was written."""
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


def _describe_characters(error: ValidationError) -> str:
    """A sentence on the characters that the pattern of a schema forbids."""
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


def _format_value(value: Any) -> str:
    """A value as YAML writes it."""
    if value is None or isinstance(value, bool):
        return "nothing (null)" if value is None else str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return f".{value}".replace(".-", "-.")
    return repr(value)
