"""Digests of the code that a script runs: an edit that may change results changes them."""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Modules whose edits change no result.
WITHOUT_RESULTS = frozenset({"errors", "logs"})
_TEMPLATES = "report/templates"
_TEMPLATE = re.compile(r"[\w./-]+\.(?:j2|css|js)")


@cache
def code_digest(library: Path, script: Path) -> str:
    """Digest of the library's code that a script imports, directly or not, and of its templates.

    `library` is the folder of the package `tissuestate`. The script's own text is left out:
    Snakemake compares that by itself. Docstrings, comments and layout of the code do not count.
    Raises FileNotFoundError for an imported module that does not exist.
    """
    digest = hashlib.sha256()
    for name, text in sorted(_read_contents(library, script).items()):
        digest.update(f"{name}\n{text}\n".encode())
    return digest.hexdigest()[:16]


def code_files(library: Path, script: Path) -> set[str]:
    """The library's modules and templates that count for a script, as paths in the library."""
    return set(_read_contents(library, script))


def _read_contents(library: Path, script: Path) -> dict[str, str]:
    """{path in the library: content} of each file that counts for a script."""
    found: dict[str, str] = {}
    todo = [*_find_dependencies(library, script)]
    while todo:
        path = todo.pop()
        name = path.relative_to(library).as_posix()
        if name not in found and name.removesuffix(".py") not in WITHOUT_RESULTS:
            found[name] = _dump_code(path) if path.suffix == ".py" else _read_text(path)
            todo += _find_dependencies(library, path)
    return found


@cache
def _find_dependencies(library: Path, file: Path) -> list[Path]:
    """The modules that a Python file imports and the templates that a file names."""
    if file.suffix != ".py":
        templates = set(_TEMPLATE.findall(_read_text(file)))
        return [path for name in templates if (path := library / _TEMPLATES / name).is_file()]
    found = []
    for node in _walk_code(_parse_tree(file)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [library / _TEMPLATES / node.value] if node.value.endswith(".j2") else []
            continue
        else:
            continue
        found += [_find_module(library, name) for name in names if name.startswith("tissuestate.")]
    return found


def _walk_code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node except those that only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and _names_type_checking(child.test)):
            yield from _walk_code(child)


def _names_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _find_module(library: Path, name: str) -> Path:
    """The file of `tissuestate.a.b`, or of the module that defines a name `b`."""
    path = library.joinpath(*name.split(".")[1:])
    if (module := path.with_suffix(".py")).is_file():
        return module
    if (package := path / "__init__.py").is_file():
        return package
    if path.parent == library:
        raise FileNotFoundError(f"{name} is no module of {library}")
    return _find_module(library, name.rpartition(".")[0])


@cache
def _read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def _parse_tree(file: Path) -> ast.Module:
    """A file's syntax without docstrings."""
    tree = ast.parse(_read_text(file), str(file))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


@cache
def _dump_code(file: Path) -> str:
    return ast.dump(_parse_tree(file))
