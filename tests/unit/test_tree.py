"""The tree is the architecture: one noun a stage, imports in the order of stages, small files."""

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT

LIBRARY = ROOT / "workflow" / "lib" / "tissuestate"
RULES = ROOT / "workflow" / "rules"
SCRIPTS = ROOT / "workflow" / "scripts"
# A package imports the ground (files beside the packages) and the packages before it.
PACKAGES = (
    *("sheet", "startup", "demo"),
    *("reference", "alignment", "integrity", "counts", "quality", "matrices", "cohort"),
    *("expression", "features", "models", "evaluation", "benchmark", "protocols"),
    *("laboratories", "bundle", "classification", "report", "command"),
)
WITHOUT_RULES = {"sheet", "startup", "command"}
FACE = "classify"  # what other programs import
LONGEST_FILE, LONGEST_FUNCTION = 400, 60

MODULES = sorted(LIBRARY.rglob("*.py"))
NAMES = [module.relative_to(LIBRARY).as_posix() for module in MODULES]


def package_of(module: Path) -> str:
    """The package in which a module stands, '' for the ground."""
    parts = module.relative_to(LIBRARY).parts
    return parts[0] if len(parts) > 1 else ""


def rank(package: str) -> int:
    """Later packages may import earlier ones."""
    return PACKAGES.index(package) if package else -1


def imported_packages(file: Path) -> set[str]:
    """The packages of the library that a file imports, also lazily; '' is the ground."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tissuestate"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("tissuestate")]
        for name in names:
            first = name.split(".")[1]
            found.add(first if (LIBRARY / first).is_dir() else "")
    return found


def test_packages_and_modules_are_found() -> None:
    assert len(MODULES) > 80
    assert {package_of(module) for module in MODULES} <= {"", *PACKAGES}
    assert len(list(SCRIPTS.rglob("*.py"))) > 40
    assert len(list(RULES.glob("*.smk"))) > 15


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_a_module_imports_the_ground_and_earlier_packages_alone(module: Path) -> None:
    if module.stem == FACE and not package_of(module):
        return
    own = rank(package_of(module))
    later = {name for name in imported_packages(module) if rank(name) > own}
    assert later == set()


def test_scripts_import_their_stage_and_earlier_ones_and_documents_the_renderer() -> None:
    wrong = {}
    for script in SCRIPTS.rglob("*.py"):
        stage = script.parent.name
        later = {name for name in imported_packages(script) if rank(name) > rank(stage)}
        if later - {"report"}:
            wrong[script.name] = later
    assert wrong == {}


@pytest.mark.parametrize(
    "file",
    [*MODULES, *sorted(RULES.glob("*.smk"))],
    ids=lambda file: f"{file.parent.name}/{file.name}",
)
def test_files_have_at_most_400_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("module", MODULES, ids=NAMES)
def test_functions_have_at_most_60_lines(module: Path) -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, functions) and node.end_lineno is not None
    }
    assert {name: lines for name, lines in long.items() if lines > LONGEST_FUNCTION} == {}


def test_packages_run_nothing_when_they_are_imported() -> None:
    folders = {module.parent for module in MODULES}
    assert all((folder / "__init__.py").read_text() == "" for folder in folders)


def test_stages_have_one_name_everywhere() -> None:
    rules = {file.stem for file in RULES.glob("*.smk")}
    shared = {"common", "ending", "given", "inputs", "resources"}
    assert rules - shared <= set(PACKAGES) - WITHOUT_RULES
    assert {folder.name for folder in SCRIPTS.iterdir() if folder.is_dir()} <= rules
    tests = {folder.name for folder in (ROOT / "tests" / "unit").iterdir() if folder.is_dir()}
    assert tests - {"__pycache__"} <= set(PACKAGES)
    for name in rules - shared:
        text = (RULES / f"{name}.smk").read_text(encoding="utf-8")
        folders = set(re.findall(r'"\.\./scripts/(\w+)/', text))
        earlier = set(PACKAGES[: rank(name) + 1])
        assert folders <= earlier, f"{name}.smk runs scripts of a later stage"
