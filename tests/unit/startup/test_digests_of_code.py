"""Which scripts an edit of the library makes run again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from tissuestate.startup import digests
from tissuestate.startup.digests import code_digest, code_files

SCRIPTS = ROOT / "workflow" / "scripts"
LIBRARY = ROOT / "workflow" / "lib" / "tissuestate"
# At most so many scripts run again if a module or template of the library changes.
LIMITS = {
    "labels.py": 36,
    "tables.py": 36,
    "arrays.py": 18,
    "h5ad.py": 13,
    "text.py": 12,  # also of those that read the tables of sources and of transcripts
    **dict.fromkeys(("sheet/sheet.py", "sheet/checks.py", "sheet/rows.py", "sheet/classes.py"), 6),
    "cohort/composition.py": 18,
    "cohort/split.py": 3,
    "matrices/genes.py": 5,
    "matrices/gene_map.py": 5,
    **dict.fromkeys(("models/samples.py", "models/training.py", "models/network.py"), 6),
    "models/search.py": 2,
    "evaluation/scores.py": 3,
    "evaluation/calibration.py": 2,
    "evaluation/predictions.py": 15,
    "evaluation/tandem.py": 20,
    "evaluation/sets.py": 13,
    "evaluation/abstention.py": 12,
    "report/wording.py": 13,
    "report/render.py": 9,
    "report/figures/style.py": 9,
    "report/figures/evaluation.py": 1,
    "report/templates/base.html.j2": 8,
    "report/templates/sample.html.j2": 1,
    "report/templates/model_card.md.j2": 1,
    "report/templates/tripod.md.j2": 1,
    "report/templates/summary.html.j2": 1,
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A package of a few modules and templates."""
    folder = tmp_path / "tissuestate"
    files = {
        "__init__.py": "",
        "errors.py": "class InputError(Exception): ...\n",
        "near.py": (
            '"""Near."""\nfrom typing import TYPE_CHECKING\n'
            "from tissuestate.stage.far import VALUE\n"
            "if TYPE_CHECKING:\n    from tissuestate.typed import Kind\n"
            'def f():\n    """Text."""\n    from tissuestate import late\n    return VALUE\n'
        ),
        "late.py": "from tissuestate.errors import InputError\n",
        "typed.py": "Kind = int\n",
        "unused.py": "",
        "stage/__init__.py": "",
        "stage/far.py": "VALUE = 1\n",
        "report/templates/page.html.j2": '{% extends "base.html.j2" %}',
        "report/templates/base.html.j2": '{% include "style.css" %}',
        "report/templates/style.css": "p {}",
        "report/templates/other.html.j2": "",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "script.py").write_text(
        "from tissuestate import near\nrender('page.html.j2', near.f())\n"
    )
    return folder


def digest_after(library: Path, change: Callable[[str], str] | None, file: str = "near.py") -> str:
    """The script's digest with a file changed, as a process of its own would compute it."""
    if change:
        (library / file).write_text(change((library / file).read_text()))
    for cached in (
        code_digest,
        digests._find_dependencies,
        digests._read_text,
        digests._parse_tree,
        digests._dump_code,
    ):
        cached.cache_clear()
    return code_digest(library, library.parent / "script.py")


def test_a_digest_covers_the_modules_that_a_script_runs(library: Path) -> None:
    assert code_files(library, library.parent / "script.py") == {
        *("near.py", "late.py", "stage/far.py"),
        *(f"report/templates/{name}" for name in ("page.html.j2", "base.html.j2", "style.css")),
    }


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("near.py", lambda text: text.replace("return VALUE", "return VALUE + 1")),
        ("stage/far.py", lambda text: text.replace("1", "2")),
        ("late.py", lambda text: text + "LATE = 1\n"),
        ("report/templates/page.html.j2", lambda text: text + "more"),
        ("report/templates/base.html.j2", lambda text: text + "more"),
        ("report/templates/style.css", lambda text: text + "b {}"),
    ],
)
def test_an_edit_that_may_change_results_changes_the_digest(
    library: Path, file: str, change: Callable[[str], str]
) -> None:
    before = digest_after(library, None)
    assert digest_after(library, change, file) != before


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("near.py", lambda text: text + "# A comment.\n"),
        ("near.py", lambda text: text.replace('"""Text."""', '"""Other text."""')),
        ("near.py", lambda text: text.replace('"""Near."""', '"""Nearer."""')),
        ("near.py", lambda text: text.replace("    return VALUE", "\n    return (VALUE)")),
        ("typed.py", lambda text: text + "Other = str\n"),
        ("errors.py", lambda text: text + "class Other(Exception): ...\n"),
        ("unused.py", lambda text: text + "VALUE = 1\n"),
        ("report/templates/other.html.j2", lambda text: text + "more"),
    ],
)
def test_an_edit_that_changes_no_result_leaves_the_digest(
    library: Path, file: str, change: Callable[[str], str]
) -> None:
    before = digest_after(library, None)
    assert digest_after(library, change, file) == before


def test_an_import_of_a_missing_module_is_an_error(library: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"tissuestate\.lost"):
        digest_after(library, lambda text: "from tissuestate.lost import name\n")


def scripts_of_modules() -> dict[str, set[str]]:
    """For each file of the library, the scripts that run again after an edit of it."""
    found: dict[str, set[str]] = {}
    for script in SCRIPTS.rglob("*.py"):
        for file in code_files(LIBRARY, script):
            found.setdefault(file, set()).add(script.stem)
    return found


def test_an_edit_reruns_few_scripts() -> None:
    found = scripts_of_modules()
    scripts = {script.stem for script in SCRIPTS.rglob("*.py")}
    assert len(scripts) > 40
    assert found["files.py"] == scripts, "all write whole files or none"
    counts = {module: len(scripts) for module, scripts in found.items()}
    print("\n".join(f"{count}\t{module}" for module, count in sorted(counts.items())))
    missing = sorted(LIMITS.keys() - counts.keys())
    assert missing == [], "modules that no script uses any more"
    assert {m: counts[m] for m in LIMITS if counts[m] > LIMITS[m]} == {}
