"""The rules as declarations: complete, and clear if misused."""

import re
import shutil
from pathlib import Path

import pytest
import yte
from conftest import ROOT, write_config

SECTIONS = ("log", "conda", "threads", "resources")


def rules(root: Path) -> dict[str, str]:
    """The text of every rule, by name."""
    found = {}
    for file in sorted((root / "workflow" / "rules").glob("*.smk")):
        parts = re.split(r"^ *rule (\w*):\n", file.read_text(), flags=re.M)
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            found[f"{file.stem}:{name}"] = body
    return found


def test_every_rule_that_runs_something_states_its_needs(root: Path) -> None:
    for name, body in rules(root).items():
        if not re.search(r"^ *(script|shell|run):", body, flags=re.M):
            continue
        missing = [s for s in SECTIONS if not re.search(rf"^ *{s}:", body, flags=re.M)]
        assert not missing, f"{name} lacks {missing}"
        assert "mem_mb=memory(" in body and "runtime=minutes(" in body, name


def test_every_result_in_the_report_has_labels_and_a_caption_of_its_own_file(root: Path) -> None:
    captions = root / "workflow" / "report"
    used = {"workflow"}
    for file in sorted((root / "workflow" / "rules").glob("*.smk")):
        text = file.read_text()
        for item in re.findall(r"(?<!rule )\breport\(\n(.*?)\n *\)", text, flags=re.S):
            assert "labels=" in item, f"{file.name}: {item}"
            used |= set(re.findall(r'caption=f?"../report/(\w+).rst"', item))
        used |= set(re.findall(r'\bfigure\(\s*"[^"]*\b(\w+)\.(?:svg|png)"', text))
    assert used == {file.stem for file in captions.glob("*.rst")}


def test_every_rule_says_in_a_few_words_what_it_does(root: Path) -> None:
    found = rules(root)
    assert len(found) > 60
    for name, body in found.items():
        messages = re.findall(r'^ *message:\n +f?"(.*)"$', body, flags=re.M)
        assert len(messages) == 1, name
        assert messages[0][0].isupper() and not messages[0].endswith("."), name
        assert len(re.sub(r"\{.*?\}", "", messages[0])) <= 70, name


def test_the_slurm_profile_knows_the_steps_of_a_sample(root: Path) -> None:
    profile = yte.process_yaml((root / "profiles" / "slurm" / "config.yaml").read_text())
    of_samples = {
        name.partition(":")[2]
        for name, body in rules(root).items()
        if re.search(r"output:.*?\{sample\}.*?log:", body, flags=re.S)
    }
    assert set(profile["groups"]) == of_samples
    for rule in profile["groups"]:
        assert profile["set-resources"][rule] == {"turn": 1}


def own_sheet(folder: Path) -> Path:
    """The demo's sheet as a file of the folder, which stands for the workflow's own."""
    sheet = folder / "resources" / "demo.tsv"
    sheet.parent.mkdir()
    return Path(shutil.copy(ROOT / "resources" / "demo.tsv", sheet))


def test_new_samples_may_come_from_recount3(snakemake, demo_folder: Path) -> None:
    (demo_folder / "bundle").mkdir()
    (demo_folder / "bundle" / "bundle.json").write_text("{}")
    (demo_folder / "new.tsv").write_text("sample\tmatrix\tunit\nA\trecount3://gtex/BRAIN\tcount\n")
    given = ["--config", "bundle=bundle", "samples=new.tsv"]
    planned = snakemake(demo_folder, "classify", "-n", "--quiet", "rules", *given)
    assert planned.returncode == 0, planned.stdout
    for rule in ("fetch_recount3", "classify_samples", "explain_samples", "write_pages"):
        assert re.search(rf"^{rule} +1$", planned.stdout, flags=re.M), planned.stdout


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quality": {"min_mrin": "low"}}, ["min_mrin", "low"]),
        ({"correction": {"method": "combat"}}, ["method", "combat"]),
        ({"sede": 1}, ["config.yaml, line", "'sede'", "'seed'"]),
        ({"reference": {"genome": {"path": None}}}, ["reference: genome", "--configfile"]),
        ({"samples": None}, ["samples", "sheet"]),
        ({"protocols": {"leave_out": ["project"]}}, ["leave_out", "'project'"]),
        ({"samples": "nowhere.tsv"}, ["nowhere.tsv"]),
        ({"features": {"kinds": ["pca"]}, "bundle_features": "rf"}, ["bundle_features", "'rf'"]),
    ],
)
def test_a_mistake_in_the_config_is_named(
    snakemake, demo_folder: Path, changes: dict, words: list[str]
) -> None:
    config = write_config(demo_folder, **changes)
    run = snakemake(demo_folder, "--configfile", str(config))
    assert run.returncode != 0
    assert "Traceback" not in run.stdout
    assert all(word in run.stdout for word in words), run.stdout
    assert not (demo_folder / "results").exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t + t.splitlines(keepends=True)[1], ["demo.tsv", "A101-KID", "row"]),
        (lambda t: t.replace("\tkidney\t", "\tkidny\t", 1), ["row 2", "kidny", "kidney"]),
        (lambda t: t.replace("\tneoplastic\t", "\tcancer\t", 1), ["disease_state", "cancer"]),
        (lambda t: t.replace("A101-KID\t", "$(rm -rf x)\t", 1), ["row 2", "safe name"]),
        (lambda t: t.replace("tissue", "organ", 1), ["tissue", "missing"]),
    ],
)
def test_a_mistake_in_the_sheet_is_named(snakemake, demo_folder: Path, spoil, words) -> None:
    sheet = own_sheet(demo_folder)
    sheet.write_text(spoil(sheet.read_text()))
    run = snakemake(demo_folder)
    assert run.returncode != 0
    assert "Traceback" not in run.stdout
    assert all(word in run.stdout for word in words), run.stdout
    assert not (demo_folder / "results").exists()


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(snakemake, demo_folder: Path) -> None:
    sheet = own_sheet(demo_folder)
    sheet.write_bytes(b"\xef\xbb\xbf" + sheet.read_bytes().replace(b"\n", b"\r\n"))
    planned = snakemake(demo_folder, "-n", "--quiet", "rules")
    assert planned.returncode == 0, planned.stdout


def test_a_missing_fastq_is_named_before_anything_starts(snakemake, demo_folder: Path) -> None:
    config = write_config(demo_folder, demo=None)
    run = snakemake(demo_folder, "--configfile", str(config))
    assert run.returncode != 0
    assert "Traceback" not in run.stdout
    assert "A101-KID_1.fastq.gz" in run.stdout and "there is no file" in run.stdout
    assert not (demo_folder / "results").exists()


def test_a_missing_tool_is_named_with_the_command_that_installs_it(
    snakemake, demo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = demo_folder / "bin"
    tools.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name != "STAR":
            (tools / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(tools))
    run = snakemake(demo_folder)
    assert run.returncode != 0
    assert "Traceback" not in run.stdout
    assert "STAR" in run.stdout and "rna-star" in run.stdout
    assert not (demo_folder / "results").exists()


def test_classify_without_samples_says_what_it_needs(snakemake, demo_folder: Path) -> None:
    run = snakemake(demo_folder, "classify")
    assert run.returncode != 0
    assert (
        "classify needs your samples: snakemake classify --cores 2 --config samples=SHEET"
        in run.stdout
    )
    assert "Traceback" not in run.stdout
