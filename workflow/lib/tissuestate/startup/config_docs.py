"""The tables of docs/configuration.md and docs/sample-sheet.md, made from the schemas."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tissuestate.files import atomic

_MANY = 1_000_000  # an upper bound from here on only keeps typing errors out
_BEGIN, _END = "<!-- made from {} by make docs -->\n", "<!-- end -->\n"


def read_schema(path: str | Path) -> dict[str, Any]:
    """A schema, with each `$ref` replaced by what it names."""
    schema = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return _resolve_references(schema, schema.get("$defs", {}))


def keys(
    schema: Mapping[str, Any], place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield every key of a resolved schema: the keys that lead to it, and its subschema."""
    for name, key in schema.get("properties", {}).items():
        yield (*place, name), key
        yield from keys(key, (*place, name))


def config_table(schema: Mapping[str, Any]) -> str:
    """The keys of the config as Markdown; a section's name stands in bold."""
    rows = []
    for place, key in keys(schema):
        is_section = key.get("type") == "object" and "properties" in key
        name = f"`{': '.join(place)}`"
        rows.append(
            (
                f"**{name}**" if is_section else name,
                "" if "default" not in key else f"`{_format_default(key['default'])}`",
                "" if is_section else _describe_values(key),
                key["description"],
            )
        )
    return _markdown_table(("key", "default", "values", "meaning"), rows)


def sheet_table(schema: Mapping[str, Any]) -> str:
    """The columns of the sample sheet as Markdown, without those that are not in the file."""
    rows = [
        (f"`{place[0]}`", _describe_values(key) if "enum" in key else "", key["description"])
        for place, key in keys(schema)
        if not key.get("readOnly")
    ]
    return _markdown_table(("column", "values", "meaning"), rows)


def insert_table(page: str, schema: str, table: str) -> str:
    """The page with `table` in the place marked with the name of the schema."""
    begin = _BEGIN.format(schema)
    before, rest = page.split(begin)
    return f"{before}{begin}{table}{_END}{rest.split(_END, 1)[1]}"


def write_tables(docs: str | Path, schemas: str | Path) -> None:
    """Write the tables again in a folder of documents."""
    for name, schema, table in (
        ("configuration.md", "config.schema.yaml", config_table),
        ("sample-sheet.md", "samples.schema.yaml", sheet_table),
    ):
        page = (Path(docs) / name).read_text(encoding="utf-8")
        page = insert_table(page, schema, table(read_schema(Path(schemas) / schema)))
        with atomic(Path(docs) / name) as temporary:
            temporary.write_text(page, encoding="utf-8")


def _resolve_references(part: Any, defs: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_resolve_references(item, defs) for item in part]
    if not isinstance(part, dict):
        return part
    named = part.get("$ref", "").removeprefix("#/$defs/")
    own = {key: _resolve_references(value, defs) for key, value in part.items() if key != "$ref"}
    return _resolve_references(defs[named], defs) | own if named else own


def _describe_values(key: Mapping[str, Any]) -> str:
    """The values that a key may have, in a few words."""
    if "enum" in key:
        return ", ".join(f"`{value}`" if value else "empty" for value in key["enum"])
    if "const" in key:
        return f"`{key['const']}`"
    if "anyOf" in key:
        return " or ".join(_describe_values(part) for part in key["anyOf"])
    kinds = key["type"] if isinstance(key["type"], list) else [key["type"]]
    return " or ".join(_describe_kind(kind, key) for kind in kinds)


def _describe_kind(kind: str, key: Mapping[str, Any]) -> str:
    if kind == "array":
        items = key["items"]
        listed = _describe_values(items) if "enum" in items else "numbers"
        length = f"{key['minItems']} " if key.get("minItems") == key.get("maxItems", -1) else ""
        return f"{length}numbers" if listed == "numbers" else f"a list of {listed}"
    if kind in ("integer", "number"):
        upper = f" to {key['maximum']:,}" if key.get("maximum", _MANY) < _MANY else ""
        lower = f" from {key['minimum']:,}" if "minimum" in key else ""
        return ("a whole number" if kind == "integer" else "a number") + lower + upper
    return {"boolean": "`true`, `false`", "null": "`null`", "object": "keys"}.get(kind, "text")


def _format_default(value: Any) -> str:
    """A default as YAML writes it."""
    return json.dumps(value).replace('"', "")


def _markdown_table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    write_tables(*sys.argv[1:])
