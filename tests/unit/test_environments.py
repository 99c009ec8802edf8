"""Environments, without a channel at hand: they parse, are exact, and hold what their rules use."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rattler import MatchSpec, PackageRecord
from rattler.package import BuildString

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "workflow/lib/tissuestate"
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
CHANNELS = ["conda-forge", "bioconda", "nodefaults"]

# Command or Python module → the conda packages that bring it, any of them.
COMMANDS = {
    "STAR": {"star"},
    "samtools": {"samtools"},
    "featureCounts": {"subread"},
    "fastp": {"fastp"},
    "multiqc": {"multiqc"},
    "prefetch": {"sra-tools"},
    "fasterq-dump": {"sra-tools"},
    "Rscript": {"r-base"},
}
MODULES = {
    "sklearn": {"scikit-learn"},
    "torch": {"pytorch-cpu", "pytorch-gpu"},
    "matplotlib": {"matplotlib-base"},
    "isal": {"python-isal"},
    "yaml": {"pyyaml"},
    "PIL": {"pillow"},
    "markupsafe": {"jinja2"},
    "markdown_it": {"markdown-it-py"},
}
R_PACKAGES = {"sva": "bioconductor-sva", "org.Hs.eg.db": "bioconductor-org.hs.eg.db"}


@dataclass(frozen=True)
class Rule:
    """What a rule's text says of its environments and its code."""

    name: str
    conda: tuple[Path, ...]
    scripts: tuple[Path, ...]
    shell: str


def packages(path: Path) -> dict[str, str]:
    """Name → version specification of an environment's conda and pip packages."""
    found = {}
    for entry in yaml.safe_load(path.read_text())["dependencies"]:
        if isinstance(entry, dict):
            requirements = map(Requirement, entry["pip"])
            found |= {canonicalize_name(r.name): str(r.specifier) for r in requirements}
        else:
            spec = MatchSpec(entry, strict=True)
            found[str(entry).split()[0]] = str(spec.version)
    return found


def rules_in(path: Path) -> Iterator[Rule]:
    """The rules of a file, recognised by `rule name:` and directives one level deeper."""
    head = re.compile(r"^( *)rule ?(\w*):\s*$")
    lines = path.read_text().splitlines()
    starts = [i for i, line in enumerate(lines) if head.match(line)]
    for start in starts:
        indent, name = head.match(lines[start]).groups()
        directive, texts = "", {}
        for line in lines[start + 1 :]:
            if line.strip() and not line.startswith(indent + " "):
                break
            opened = re.match(rf"^{indent}    (\w+):(.*)$", line)
            directive, line = opened.groups() if opened else (directive, line)
            if not line.strip().startswith("#"):
                texts[directive] = texts.get(directive, "") + line + "\n"

        def paths(key: str, texts: dict[str, str] = texts) -> tuple[Path, ...]:
            named = re.findall(r'"([^"]+\.\w+)"', texts.get(key, ""))
            return tuple((path.parent / name).resolve() for name in named)

        yield Rule(
            name or re.findall(r'"(.+)"', texts["name"])[0],
            paths("conda"),
            paths("script"),
            texts.get("shell", ""),
        )


def module_files(name: str) -> list[Path]:
    """The file of `tissuestate.a.b`, or of what defines a name `b`; none for a module of others."""
    if not name.startswith("tissuestate."):
        return []
    path = LIBRARY.joinpath(*name.split(".")[1:])
    places = (path.with_suffix(".py"), path / "__init__.py", path.parent.with_suffix(".py"))
    found = [place for place in places if place.is_file()][:1]
    assert found, f"{name} is no module of the library"
    return found


def is_typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(node: ast.AST) -> set[str]:
    """Modules, and names of the library, that an import statement names; none for other code."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if not isinstance(node, ast.ImportFrom):
        return set()
    if (node.module or "").startswith("tissuestate"):
        return {f"{node.module}.{alias.name}" for alias in node.names}
    return {node.module or ""}


@cache
def read_code(path: Path) -> tuple[ast.AST, set[str]]:
    """A file's code, and what it calls the modules of others that it imports: `np`, `json`, ..."""
    tree = ast.parse(path.read_text())
    aliases = [
        alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    ]
    return tree, {alias.asname or alias.name.partition(".")[0] for alias in aliases}


def used_in(part: ast.AST, foreign: set[str]) -> tuple[set[str], set[str], list[ast.AST]]:
    """Modules that a piece of code imports, names that it uses, and definitions within it.

    What is used of a module of others (`np.load`) names nothing of the library.
    """
    modules, names, definitions = set(), set(), []
    todo = list(ast.iter_child_nodes(part))
    while todo:
        node = todo.pop()
        if is_typing_only(node):
            continue
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions.append(node)
            todo += node.decorator_list
            continue
        modules |= imported(node)
        if isinstance(node, ast.Name):
            names.add(node.id)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") not in foreign:
            names.add(node.attr)
        todo += ast.iter_child_nodes(node)
    return modules, names, definitions


@cache
def needed_modules(script: Path) -> set[str]:
    """Foreign modules that a Python script needs, by way of the library and inside functions, too.

    A function or class counts if the code that can run uses its name.
    """
    seen, needed, names = {script}, set(), set()
    waiting: list[tuple[ast.AST, set[str]]] = []  # definitions, each with its file's foreign names
    todo = [read_code(script)]
    while todo:
        part, foreign = todo.pop()
        modules, used, definitions = used_in(part, foreign)
        names |= used
        waiting += [(definition, foreign) for definition in definitions]
        for module in modules:
            for path in set(module_files(module)) - seen:
                seen.add(path)
                todo.append(read_code(path))
        needed |= {module.partition(".")[0] for module in modules}
        if not todo:
            is_used = [one.name in names or one.name.startswith("__") for one, _ in waiting]
            todo = [one for one, use in zip(waiting, is_used, strict=True) if use]
            waiting = [one for one, use in zip(waiting, is_used, strict=True) if not use]
    return needed - {"tissuestate", "snakemake", *sys.stdlib_module_names}


def called(text: str) -> set[str]:
    """Known commands that a shell text calls, without comments."""
    code = re.sub(r"(?m)(^|\s)#.*$", "", text)
    starts = r"(?:^|[|&;({!\"`]|\b(?:if|then|else|do|while|until)\b)\s*"
    return {
        name for name in COMMANDS if re.search(rf"(?m){starts}{re.escape(name)}(?=[\s\"]|$)", code)
    }


def needs(rule: Rule) -> dict[str, set[str]]:
    """What a rule uses → the conda packages that bring it, any of them."""
    found = {name: COMMANDS[name] for name in called(rule.shell)}
    for script in rule.scripts:
        text = script.read_text()
        if script.suffix == ".sh":
            found |= {name: COMMANDS[name] for name in called(text)}
            continue
        modules = needed_modules(script)
        found |= {name: MODULES.get(name, {name}) for name in modules}
        named = {name for node in ast.walk(ast.parse(text)) for name in imported(node)}
        sources = [
            text,
            *(p.read_text() for m in named for p in module_files(m)),
        ]
        constants = {
            node.value
            for source in sources
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        found |= {name: COMMANDS[name] for name in COMMANDS.keys() & constants}
        found |= {
            name: {package}
            for name, package in R_PACKAGES.items()
            if any(f'"{name}"' in value or value == name for value in constants)
            and ("rpy2" in modules or "Rscript" in constants)
        }
    return found


RULES = [
    rule for path in sorted((ROOT / "workflow/rules").glob("*.smk")) for rule in rules_in(path)
]


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_every_environment_is_exact(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert content["channels"] == CHANNELS
    assert content.keys() == {"channels", "dependencies"}
    found = packages(path)
    assert len(found) >= len(content["dependencies"]) - 1, "a package is named twice"
    for name, version in found.items():
        assert re.fullmatch(r"==\d[\w.+]*", version), f"{name} {version} is not one exact version"
    if any(isinstance(entry, dict) for entry in content["dependencies"]):
        assert "pip" in found, "conda wants pip named if there is a pip section"


def test_a_package_has_one_version_in_all_environments() -> None:
    versions: dict[str, set[str]] = {}
    for path in ENVIRONMENTS:
        for name, version in packages(path).items():
            versions.setdefault(name, set()).add(version)
    assert {name for name, found in versions.items() if len(found) > 1} == set()


def test_what_a_script_imports_is_followed_through_the_packages() -> None:
    needed = needed_modules(ROOT / "workflow/scripts/models/train_network.py")
    assert {"torch", "numpy", "safetensors"} <= needed


def test_imports_inside_functions_count_if_the_functions_can_run() -> None:
    # Both import the correction, whose functions import rpy2; only one of them fits it.
    fitted, applied = (
        needed_modules(ROOT / "workflow/scripts" / script)
        for script in ("expression/correct_expression.py", "classification/classify_samples.py")
    )
    assert "rpy2" in fitted - applied


def test_rules_are_found() -> None:
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert len(RULES) == len(re.findall(r"(?m)^ *rule\b", text)) > 0
    assert all(rule.scripts or rule.shell for rule in RULES if rule.conda)
    assert sum(bool(rule.conda) for rule in RULES) > 40
    assert len({script for rule in RULES for script in rule.scripts}) > 40


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_has_its_environment_and_its_tools_in_it(rule: Rule) -> None:
    if not rule.scripts and not rule.shell:
        return  # a target: it runs nothing
    assert rule.conda, f"rule {rule.name} names no environment"
    for script in rule.scripts:
        assert script.is_file(), f"rule {rule.name}: no script {script}"
    for environment in rule.conda:
        assert environment in ENVIRONMENTS, f"rule {rule.name}: no environment {environment}"
        present = packages(environment).keys()
        for tool, brought_by in needs(rule).items():
            assert brought_by & present, (
                f"rule {rule.name} uses {tool}, but {environment.name} has none of {brought_by}"
            )


def test_every_environment_serves_a_rule() -> None:
    used = {environment for rule in RULES for environment in rule.conda}
    assert [path.name for path in ENVIRONMENTS if path not in used] == []


def test_the_gpu_environment_can_stand_in_for_the_cpu_one() -> None:
    cpu, gpu = (packages(ROOT / "envs" / name) for name in ("torch.yaml", "torch-gpu.yaml"))
    assert gpu.keys() - cpu.keys() == {"pytorch-gpu", "cuda-version"}
    assert cpu.keys() - gpu.keys() == {"pytorch-cpu"}


def check_pin(pin: Path, environment: Path) -> None:
    """Raise unless each line of the pin file parses and every conda package meets its pin."""
    lines = pin.read_text().splitlines()
    assert "@EXPLICIT" in lines
    records = {}
    for line in lines[lines.index("@EXPLICIT") + 1 :]:
        address = line.partition("#")[0]
        spec = MatchSpec(address)
        assert str(spec.name), line
        channel, subdir, file = address.rsplit("/", 3)[-3:]
        assert channel in CHANNELS, line
        assert subdir in {"linux-64", "noarch"}, line
        stem = file.removesuffix(".conda").removesuffix(".tar.bz2")
        name, version, build = stem.rsplit("-", 2)
        number = int(re.search(r"\d+$", build)[0])
        records[name] = PackageRecord(name, version, BuildString(build), number, subdir)
    for entry in yaml.safe_load(environment.read_text())["dependencies"]:
        if isinstance(entry, str):
            record = records[entry.split()[0]]
            assert MatchSpec(entry, strict=True).matches(record), f"{entry}: {record} is pinned"


def test_pins_belong_to_their_environments() -> None:
    for pin in sorted((ROOT / "envs").glob("*.pin.txt")):
        check_pin(pin, pin.with_name(pin.name.replace(".linux-64.pin.txt", ".yaml")))


def test_an_outdated_pin_is_noticed(tmp_path: Path) -> None:
    environment = tmp_path / "star.yaml"
    environment.write_text("dependencies: [star ==2.7.11b, samtools ==1.21]\n")
    pin = tmp_path / "star.linux-64.pin.txt"
    lines = [
        "@EXPLICIT",
        "https://host/bioconda/linux-64/star-2.7.11b-h5ca1c30_5.tar.bz2#0123",
        "https://host/bioconda/linux-64/samtools-1.21-h50ea8bc_0.tar.bz2#0123",
    ]
    pin.write_text("\n".join(lines))
    check_pin(pin, environment)
    environment.write_text("dependencies: [star ==2.7.11a, samtools ==1.21]\n")
    with pytest.raises(AssertionError, match="is pinned"):
        check_pin(pin, environment)


def requirements(name: str) -> dict[str, Requirement]:
    lines = (ROOT / name).read_text().splitlines()
    found = [Requirement(line) for line in lines if line and line[0] not in "#-"]
    assert all(re.fullmatch(r"==\d[\w.+]*", str(r.specifier)) for r in found), name
    return {canonicalize_name(r.name): r for r in found}


def test_python_packages_are_exact_and_within_the_constraints() -> None:
    constraints = requirements("constraints.txt")
    named = requirements("requirements.txt") | requirements("requirements-dev.txt")
    for name, requirement in named.items():
        assert constraints[name].specifier == requirement.specifier, name


def test_whatever_a_script_imports_is_installed_by_the_set_up() -> None:
    installed = requirements("requirements.txt")
    distributions = packages_distributions()
    scripts = [script for rule in RULES for script in rule.scripts if script.suffix == ".py"]
    for script in scripts:
        for module in needed_modules(script):
            names = {canonicalize_name(name) for name in distributions.get(module, [module])}
            assert names & installed.keys(), f"{script.name} imports {module}"
