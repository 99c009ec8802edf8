"""Which jobs a change of data, config or code runs again: those that it touches, and no others.

The run that is changed is a stand-in: every output is a small file, and `snakemake --touch` has
recorded it as made by the code, the parameters and the inputs of now.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, write_config

HEADER = "sample donor study source disease_state tissue subtype fastq_1 fastq_2 matrix unit"
LABELS = [
    *("TCGA A neoplastic kidney kirc", "TCGA A neoplastic kidney kirc"),
    *("TCGA A peri-neoplastic kidney -", "TCGA A peri-neoplastic kidney -"),
    *("GTEx A non-neoplastic liver -", "GTEx A non-neoplastic liver -"),
]
FAKE_CONDA = """#!/bin/bash
case "$*" in
*--version*) echo conda 25.1.0 ;;
*info*) echo '{"platform": "linux-64", "conda_prefix": "/opt/conda", "env_vars": {}}' ;;
*config*) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
"""
PER_SAMPLE = ("align_reads", "count_reads", "profile_integrity")


def row(name: str, labels: str) -> str:
    return f"{name} D-{name} {labels} reads/{name}_1.fastq.gz reads/{name}_2.fastq.gz - -"


SHEET = [row(f"S{number}", labels) for number, labels in enumerate(LABELS, start=1)]
SHEET += [f"M{n} D-M{n} GTEx B non-neoplastic liver - - - counts.tsv count" for n in (1, 2)]


def tsv(rows: list[str]) -> str:
    cells = [[("" if cell == "-" else cell) for cell in line.split(" ")] for line in rows]
    return "\n".join("\t".join(line) for line in [HEADER.split(" "), *cells]) + "\n"


def fastq(word: str) -> str:
    """One read whose sequence no other word has."""
    bases = "".join("ACGT"[ord(letter) >> shift & 3] for letter in word for shift in (0, 2, 4))
    return f"@{word}\n{bases}\n+\n{'I' * len(bases)}\n"


class Run:
    """A finished run in a folder that holds the workflow, too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("config", "workflow", "envs", "resources", "profiles"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "Snakefile", folder)
        (folder / "samples.tsv").write_text(tsv(SHEET))
        (folder / "reads").mkdir()
        for file in ("genome.fa", "genes.gtf", "counts.tsv"):
            (folder / file).write_text(file)
        for name in (f"S{n}" for n in range(1, 8)):
            for mate in (1, 2):
                (folder / f"reads/{name}_{mate}.fastq.gz").write_text(fastq(f"{name}{mate}"))
        reference = {
            "genome": {"path": "genome.fa", "checksum": None},
            "annotation": {"path": "genes.gtf", "checksum": None},
        }
        self.config = write_config(
            folder,
            demo=None,
            samples="samples.tsv",
            reference=reference,
            features={"kinds": ["pca", "rf"]},
            benchmark={"models": ["logreg"]},
            protocols={"seeds": 0, "leave_out": []},
        )
        self.jobs = parse(self.snakemake("-n", "--forceall"))
        for job in self.jobs.values():
            for output in job["output"]:
                path = folder / output
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.name.endswith((".bam", ".bai")):  # temporary
                    path.write_text(output)
        self.snakemake("--touch", "--forceall")

    def snakemake(self, *options: str) -> str:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--directory"]
        command += [str(self.folder), "--snakefile", str(self.folder / "Snakefile")]
        command += ["--configfile", str(self.config), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def planned(self, *options: str) -> set[str]:
        """The jobs that would run now."""
        return set(parse(self.snakemake("-n", *options))) - {"all"}

    def after(self, *first: str) -> set[str]:
        """These jobs (a rule stands for all of its jobs) and all that use their outputs."""
        found = {job for job in self.jobs if job in first or job.split(" ")[0] in first}
        assert {job.split(" ")[0] for job in found} == {name.split(" ")[0] for name in first}
        while True:
            outputs = {file for job in found for file in self.jobs[job]["output"]}
            more = {job for job, files in self.jobs.items() if outputs & set(files["input"])}
            if more <= found:
                return found - {"all"}
            found |= more

    def needed_by(self, last: str) -> set[str]:
        """This job and all whose outputs it needs."""
        found = {last}
        while True:
            inputs = {file for job in found for file in self.jobs[job]["input"]}
            more = {job for job, files in self.jobs.items() if inputs & set(files["output"])}
            if more <= found:
                return found
            found |= more

    @contextmanager
    def changed(self, file: str, change: Callable[[str], str]) -> Iterator[None]:
        """With another content of a file; content and time are as before afterwards."""
        path = self.folder / file
        text, times = path.read_text(), path.stat()
        path.write_text(change(text))
        try:
            yield
        finally:
            path.write_text(text)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    @contextmanager
    def configured(self, section: str, **values: object) -> Iterator[None]:
        def change(text: str) -> str:
            config = yaml.safe_load(text)
            config[section] |= values
            return yaml.safe_dump(config)

        with self.changed("config.yaml", change):
            yield


def copied(run: Run, folder: Path) -> Run:
    """The same run in another folder, with the times of its files."""
    shutil.copytree(run.folder, folder)
    other = copy(run)
    other.folder, other.config = folder, folder / run.config.name
    return other


def parse(output: str) -> dict[str, dict[str, list[str]]]:
    """The jobs of a dry run, by rule and wildcards, with their inputs and outputs."""
    jobs = {}
    for name, body in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", output, flags=re.M):
        fields = dict(re.findall(r"^    (\w+): (.*)$", body, flags=re.M))
        key = f"{name} {fields.get('wildcards', '')}".strip()
        jobs[key] = {
            kind: [file for file in fields.get(kind, "").split(", ") if file]
            for kind in ("input", "output")
        }
    return jobs


def of_sample(name: str) -> set[str]:
    return {f"{rule} sample={name}" for rule in PER_SAMPLE}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("run"))


def test_nothing_runs_if_nothing_changed(run: Run) -> None:
    assert run.planned() == set()
    assert len(run.jobs) > 50, "or the run would be no stand-in for a real one"


def test_a_copy_in_another_folder_runs_describe_run_alone(run: Run, tmp_path: Path) -> None:
    other = copied(run, tmp_path / "elsewhere")
    for module in (other.folder / "workflow" / "lib").rglob("*.py"):
        os.utime(module)  # as a fresh checkout has it
    assert other.planned() == {"describe_run"}, "which keeps a copy of its Snakefile"


def test_an_added_sample_is_aligned_alone(run: Run) -> None:
    with run.changed("samples.tsv", lambda _: tsv([*SHEET, row("S7", LABELS[0])])):
        assert run.planned() == of_sample("S7") | run.after("split_samples")


def test_a_removed_sample_leaves_the_others_aligned(run: Run) -> None:
    kept = [line for line in SHEET if not line.startswith("S6")]
    with run.changed("samples.tsv", lambda _: tsv(kept)):
        assert run.planned() == run.after("split_samples")


def test_another_label_aligns_nothing(run: Run) -> None:
    relabelled = [line.replace("liver", "lung") for line in SHEET]
    with run.changed("samples.tsv", lambda _: tsv(relabelled)):
        assert run.planned() == run.after("split_samples")


def test_replaced_reads_are_aligned_again(run: Run) -> None:
    with run.changed("reads/S3_2.fastq.gz", lambda _: fastq("other")):
        assert run.planned() == run.after("align_reads sample=S3")


def test_small_touched_reads_are_compared_by_content(run: Run) -> None:
    with run.changed("reads/S3_2.fastq.gz", str):
        assert run.planned() == set()
        large = run.planned("--max-checksum-file-size", "0")
        assert large == run.after("align_reads sample=S3")


@pytest.mark.parametrize(
    ("file", "change", "first"),
    [
        ("reads/S3_2.fastq.gz", lambda _: fastq("other"), "align_reads sample=S3"),
        ("counts.tsv", lambda _: "other counts", "assemble_cohort"),
        ("samples.tsv", lambda text: text.replace("liver", "lung"), "split_samples"),
    ],
)
def test_a_file_that_an_older_one_replaces_counts_as_changed(
    run: Run, file: str, change: Callable[[str], str], first: str
) -> None:
    with run.changed(file, change):
        os.utime(run.folder / file, (0, 0))
        assert run.planned() == run.after(first)


def test_a_matrix_updated_upstream_is_merged_again(run: Run) -> None:
    with run.changed("counts.tsv", lambda _: "other counts"):
        assert run.planned() == run.after("assemble_cohort")


def test_another_trim_setting_aligns_again(run: Run) -> None:
    with run.changed("config.yaml", lambda text: text.replace("trim: false", "trim: true")):
        assert run.planned() == run.after("align_reads")


def test_a_threshold_is_applied_again(run: Run) -> None:
    for limit in ({"min_aligned": 0.5}, {"min_mrin": -0.2}):
        with run.configured("quality", **limit):
            assert run.planned() == run.after("decide_quality")


def test_another_class_table_starts_at_the_split(run: Run) -> None:
    with run.changed("resources/classes.tsv", lambda text: text + "spleen\t\t\n"):
        assert run.planned() == run.after("split_samples", "assemble_cohort")


def test_more_components_leave_the_other_features(run: Run) -> None:
    with run.configured("features", components=10):
        assert run.planned() == run.after("extract_features features=pca")
    with run.configured("features", forest_genes=10):
        kept = "build_bundle"  # which keeps the config that made it
        assert run.planned() == run.after("extract_features features=rf", kept)


def test_hyper_parameters_of_one_network_train_that_one(run: Run) -> None:
    folder = "results/models/subtype.rf"
    with run.changed(f"{folder}/hyperparameters.json", lambda _: "chosen by hand"):
        assert run.planned() == run.after("train_network task=subtype, features=rf")


def test_another_search_space_tunes_again(run: Run) -> None:
    with run.configured("tuning", epochs=3):
        assert run.planned() == run.after("tune_network")


def test_an_edited_module_reruns_the_rules_that_import_it(run: Run) -> None:
    def edit(text: str) -> str:
        return text + "EDITED = True\n"

    library = "workflow/lib/tissuestate/models"
    with run.changed(f"{library}/trials.py", edit):
        assert run.planned() == run.after("tune_network", "choose_hyperparameters")
    with run.changed(f"{library}/training.py", edit):
        assert run.planned() == run.after("tune_network", "train_network", "predict_network")
    with run.changed("workflow/lib/tissuestate/logs.py", edit):
        assert run.planned() == set(), "how logs are kept changes no result"


def test_an_edited_script_reruns_its_rule(run: Run) -> None:
    with run.changed(
        "workflow/scripts/expression/normalise_expression.py", lambda text: text + "# edited\n"
    ):
        assert run.planned() == run.after("normalise_expression")


def test_documents_name_every_stage_and_its_rules(run: Run) -> None:
    section = (ROOT / "docs/reruns.md").read_text().split("## One stage")[1].split("\n## ")[0]
    table = re.findall(r"^\| `(\w+)` \| (.*) \|$", section, flags=re.M)
    named = {stage: set(re.findall(r"`(\w+)`", rules)) for stage, rules in table}
    files = {path.stem: path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")}
    own = {name: set(re.findall(r"^ *rule (\w+):", text, re.M)) for name, text in files.items()}
    targets = {name for name, rules in own.items() if name in rules}
    assert set(named) == targets
    assert len(targets) > 10
    for stage, rules in named.items():
        downloads = {rule for rule in own[stage] if rule.startswith(("fetch_", "list_"))}
        assert rules - downloads <= own[stage] - {stage}
    planned = {job.split(" ")[0] for job in run.planned("--forceall", *sorted(named))}
    not_in_this_run = own["matrices"] | own["protocols"] | own["laboratories"]
    not_in_this_run |= {"digest_sequences", "describe_laboratories"}
    assert set.union(*named.values()) - not_in_this_run <= planned
    assert "map_genes" in planned


def test_a_stage_can_be_forced_or_be_the_last(run: Run) -> None:
    assert run.planned("-R", "tune_network") == run.after("tune_network")
    forced = run.planned("--forceall", "cohort") - {"cohort"}
    until = run.planned("--forceall", "--until", "assemble_cohort")
    assert forced == until == run.needed_by("assemble_cohort")


def test_an_edited_environment_reruns_its_rules_with_conda(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules of one environment; conda itself is a stand-in that is asked for its version."""
    edit = "envs/orgdb.yaml", lambda text: text.replace("channels:", "name: other\nchannels:")
    with run.changed(*edit):
        assert run.planned() == set(), "without conda the file describes nothing that is in use"
    conda = tmp_path / "conda"
    conda.write_text(FAKE_CONDA)
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with_conda = ("--software-deployment-method", "conda")
    # From here on the run is one of conda's: this test stands last.
    run.snakemake("--touch", "--forceall", *with_conda)
    assert run.planned(*with_conda) == set()
    with run.changed(*edit):
        assert run.planned(*with_conda) == run.after("map_genes")
