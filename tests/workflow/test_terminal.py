"""What a run prints: few lines, words, failures last; all else in Snakemake's log file."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

LIBRARY = ROOT / "workflow" / "lib"
SNAKEFILE = """
from snakemake.logging import logger
from tissuestate.startup.progress import show_progress

show_progress(workflow, logger)


rule all:
    default_target: True
    input: expand("{n}.counts", n=range(config["jobs"])), config.get("bad", [])
    message: "Everything is made"

rule align:
    output: "{n}.bam"
    message: "Aligning the reads of {wildcards.n}"
    shell: "echo noise >&2; touch {output}"

rule count:
    input: "{n}.bam"
    output: "{n}.counts"
    message: "Counting the reads of {wildcards.n}"
    shell: "touch {output}"

rule fail:
    output: "{way}.bad"
    log: "{way}.log"
    message: "Failing by {wildcards.way}"
    script: "fail.py"

onsuccess:
    logger.info("Start here")
"""
SCRIPT = """
import os
from tissuestate.errors import InputError
from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    if snakemake.wildcards.way == "kill":
        os.kill(os.getpid(), 9)
    if snakemake.wildcards.way == "bug":
        raise KeyError("a fault of ours")
    raise InputError(f"{snakemake.wildcards.way}.tsv, row 7: found 'kidny'. Correct the cell.")
"""


def run(folder: Path, *options: str, **config: object) -> tuple[int, list[str], str]:
    """Exit code of a run of the toy workflow, its lines on the terminal, and Snakemake's log."""
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "fail.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *options, "--config"]
    command += [f"{key}={value}" for key, value in config.items()]
    done = subprocess.run(
        command,
        cwd=folder,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(LIBRARY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    logs = sorted((folder / ".snakemake" / "log").glob("*.log"))
    return done.returncode, done.stdout.splitlines(), logs[-1].read_text() if logs else ""


def test_many_jobs_are_told_in_tenths_and_all_of_them_in_the_log(tmp_path: Path) -> None:
    code, lines, log = run(tmp_path, jobs=60)
    assert code == 0
    assert f"121 jobs in {tmp_path}; log of Snakemake: .snakemake/log/" in lines[0]
    assert len(lines) == 1 + 10 + 10 + 1 + 1
    aligned = [line for line in lines if "Aligning" in line]
    assert [line.partition("(")[2] for line in aligned] == [f"{n} of 60)" for n in range(1, 60, 6)]
    assert re.fullmatch(r"\d\d:\d\d:\d\d 120 of 121  Everything is made", lines[-2])
    assert lines[-1] == "Start here"
    assert log.count("output: ") == 120 and log.count("reason: ") == 121, "as before"
    assert log.count("    message: Aligning the reads of ") == 60
    assert log.count("noise\n") == 60 and "Start here" in log


@pytest.mark.parametrize("options", [["--printshellcmds"], ["-n"]])
def test_what_a_user_asks_of_snakemake_is_as_it_documents(
    tmp_path: Path, options: list[str]
) -> None:
    code, lines, _ = run(tmp_path, *options, jobs=1)
    text = "\n".join(lines)
    assert code == 0
    assert "Building DAG of jobs..." in text and "    output: 0.bam" in text
    assert ("touch 0.bam" in text) == (options[0] == "--printshellcmds")


def test_a_second_run_says_that_nothing_is_to_be_done(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.counts").touch()
    _, lines, _ = run(tmp_path, jobs=2)
    assert len(lines) == 1 and "Nothing to be done" in lines[0]


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("sheet", "sheet.tsv, row 7: found 'kidny'. Correct the cell."),
        ("bug", "fail (way bug) failed."),
        ("kill", "fail (way kill) was killed, most often because memory ran out."),
    ],
)
def test_a_failure_ends_with_its_sentence_and_log(tmp_path: Path, way: str, sentence: str) -> None:
    code, lines, log = run(tmp_path, jobs=0, bad=f"{way}.bad")
    assert code == 1
    assert lines[-2:] == [f"Error: {sentence}", f"Log: {way}.log"]
    assert lines.count(lines[-2]) == 1
    assert ("KeyError: 'a fault of ours'" in lines) == (way == "bug")
    assert "CalledProcessError" in log and "At least one job did not complete" in log


def test_failures_are_told_at_once_and_again_at_the_end(tmp_path: Path) -> None:
    bad = "['a.bad','b.bad']"
    code, lines, _ = run(tmp_path, "--keep-going", "--retries", "1", jobs=9, bad=bad)
    assert code == 1
    sentences = [line for line in lines if line.startswith("Error: ")]
    assert {line[7] for line in sentences} == {"a", "b"}
    assert len([line for line in lines if "Trying fail (way a) again" in line]) == 1
    assert {lines[-4][7], lines[-2][7]} == {"a", "b"}, "both are among the last lines"
    assert {lines[-3], lines[-1]} == {"Log: a.log", "Log: b.log"}
