"""The documents: every link leads somewhere, every command names what there is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from tissuestate.startup.config_docs import config_table, insert_table, read_schema, sheet_table

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path for folder in (".", "config", "docs") for path in (ROOT / folder).glob("*.md")
)
PAGES = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]
SHIPPED = ("config", "docs", "envs", "profiles", "resources", "tests", "workflow", "benchmarks")
# Files that the documents ask readers to write themselves.
OWN_CONFIG = "config/mine.yaml"
OWN_SHEET = "config/samples.tsv"

every_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS]
)
every_page = pytest.mark.parametrize(
    "path", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES]
)


def prose(text: str) -> str:
    """A document without its code blocks."""
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", text)


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command in the code blocks that are no other language's."""
    for block in re.findall(r"(?ms)^ *```(?:bash|sh)?\n(.*?)^ *```$", text):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    found: set[str] = set()
    for heading in re.findall(r"(?m)^#+ +(.*?) *$", prose(path.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        repeats = sum(bool(re.fullmatch(rf"{re.escape(anchor)}(-\d+)?", other)) for other in found)
        found.add(f"{anchor}-{repeats}" if repeats else anchor)
    return found


def make_targets() -> set[str]:
    return set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))


def rules() -> set[str]:
    """The rules of the workflow, by name."""
    files = [*ROOT.glob("workflow/rules/*.smk"), ROOT / "Snakefile", ROOT / "workflow/Snakefile"]
    texts = [path.read_text() for path in files if path.is_file()]
    assert len(texts) > 10
    return {name for text in texts for name in re.findall(r"(?m)^ *rule (\w+):", text)}


def named_after(words: list[str], option: str) -> list[str]:
    """The values of an option that takes several, up to the next option."""
    if option not in words:
        return []
    values = words[words.index(option) + 1 :]
    end = next((i for i, word in enumerate(values) if word.startswith("-")), len(values))
    return values[:end]


@every_document
def test_links_lead_to_files_and_headings_that_exist(path: Path) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = unquote(link).partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@every_page
def test_files_that_a_page_names_exist(path: Path) -> None:
    named = re.findall(rf"`((?:{'|'.join(SHIPPED)})/[\w./-]+)`", prose(path.read_text()))
    placeholders = [name for name in named if re.search(r"/(N|NAME)\b|verb_noun", name)]
    own = {OWN_CONFIG, OWN_SHEET, *placeholders}
    assert [name for name in named if name not in own and not (ROOT / name).exists()] == []


@every_document
def test_make_targets_that_a_document_names_exist(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r"`make ([a-z-]+)", prose(text)))
    named |= {words[1] for words in commands(text) if words[0] == "make"}
    assert named <= make_targets()


@every_page
def test_commands_name_targets_and_config_files_that_exist(path: Path) -> None:
    known = rules()
    for words in commands(path.read_text()):
        if words[0] != "snakemake":
            continue
        targets = []
        for word in words[1:]:
            if word.startswith("-"):
                break
            targets.append(word)
        for target in targets:
            assert target in known or target.startswith("results/"), words
        forced = [*named_after(words, "-R"), *named_after(words, "--until")]
        assert set(forced) <= known, words
        for config in named_after(words, "--configfile"):
            assert config == OWN_CONFIG or (ROOT / config).is_file(), words
        for profile in named_after(words, "--profile"):
            assert (ROOT / profile).is_dir(), words


@every_page
def test_options_that_take_several_values_do_not_swallow_a_target(path: Path) -> None:
    for words in commands(path.read_text()):
        assert len(named_after(words, "--configfile")) <= 1, words
        assert all("=" in value for value in named_after(words, "--config")), words


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/*.md")), ids=lambda path: path.name)
def test_each_page_has_one_question_as_its_title_and_a_link_in_the_readme(path: Path) -> None:
    titles = re.findall(r"(?m)^# (.*)$", prose(path.read_text()))
    assert len(titles) == 1
    assert titles[0].endswith("?")
    assert f"(docs/{path.name}" in (ROOT / "README.md").read_text()


def test_readme_fits_on_a_few_screens() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_picture_is_readable_at_its_own_width() -> None:
    text = (ROOT / "docs/pipeline.svg").read_text()
    picture = ElementTree.fromstring(text)
    assert picture.get("width") == picture.get("viewBox", "").split()[2] == "800"
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)px", text)]
    assert sizes
    assert min(sizes) >= 12
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize(
    ("page", "schema", "table"),
    [
        ("configuration.md", "config.schema.yaml", config_table),
        ("sample-sheet.md", "samples.schema.yaml", sheet_table),
    ],
)
def test_tables_of_the_documents_are_those_of_the_schemas(page, schema, table) -> None:
    text = (ROOT / "docs" / page).read_text()
    made = table(read_schema(ROOT / "workflow" / "schemas" / schema))
    assert text == insert_table(text, schema, made), "run make docs"
    rows = [line.split(" | ") for line in made.splitlines()]
    assert len(rows) > 15 and {len(row) for row in rows} == {len(rows[0])}


def test_ci_stops_at_the_first_failure() -> None:
    assert "set -euo pipefail" in (ROOT / ".ci/run").read_text().splitlines()
