"""What a run shows of Snakemake's records: steps, failures of jobs and groups, sentences."""

import io
import logging
from pathlib import Path

import pytest
from tissuestate.startup.progress import LISTED, Progress, add_details


class Terminal(logging.StreamHandler):
    """Stands for Snakemake's handler."""

    def decorate(self, record: logging.LogRecord, message: str) -> str:
        return f"*{message}" if record.levelno >= logging.ERROR else message


@pytest.fixture
def shown(tmp_path: Path) -> tuple[Progress, io.StringIO]:
    stream = io.StringIO()
    return Progress(Terminal(stream), str(tmp_path / "snakemake.log"), lambda: False), stream


def send(
    progress: Progress,
    event: str | None,
    message: str = "",
    level: int = logging.INFO,
    path: str = "snakemake/workflow.py",
    **values: object,
) -> None:
    """A record as Snakemake makes it."""
    record = logging.LogRecord("", level, path, 1, message, None, None)
    record.__dict__.update(event=event, **values)
    progress.handle(record)


def start(progress: Progress, rule: str, job: int, **wildcards: str) -> None:
    values = {"rule_name": rule, "rule_msg": f"Doing {rule}", "wildcards": wildcards}
    send(progress, "job_info", jobid=job, **values)


def begin(progress: Progress, **jobs: int) -> None:
    send(progress, "workflow_started")
    send(progress, "run_info", stats={**jobs, "total": sum(jobs.values())})


def fail(progress: Progress, job: int, *logs: str, indent: bool = False) -> None:
    values = {"jobid": job, "rule_name": "align", "rule_msg": None, "log": logs, "indent": indent}
    send(progress, "job_error", level=logging.ERROR, **values)


def test_nothing_changes_before_a_run_starts(shown) -> None:
    progress, stream = shown
    send(progress, None, "Unlocking working directory.")
    assert stream.getvalue() == "Unlocking working directory.\n"
    begin(progress, align=1)
    send(progress, None, "Select jobs to execute...")
    send(progress, None, "Waiting for a lock", level=logging.WARNING)
    send(progress, None, "Removed old results", path="/x/workflow/rules/given.smk")
    assert stream.getvalue().splitlines()[2:] == ["Waiting for a lock", "Removed old results"]


def test_a_group_names_the_member_with_a_sentence_alone(shown, tmp_path: Path) -> None:
    progress, stream = shown
    begin(progress, align=1, count=1)
    logs = {"align": tmp_path / "align.log", "count": tmp_path / "count.log"}
    logs["align"].write_text("all is well\n")
    logs["count"].write_text("Error: an earlier one\nError: reads.fq ends early. Copy it again.\n")
    for job, rule in enumerate(logs):
        start(progress, rule, job, sample="x")
    members = [
        {"jobid": job, "rule_name": rule, "log": [str(log)]}
        for job, (rule, log) in enumerate(logs.items())
    ]
    send(progress, "group_error", level=logging.ERROR, job_error_info=members, aux_logs=[])
    for job, log in enumerate(logs.values()):
        fail(progress, job, str(log), indent=True)
    told = ["*Error: reads.fq ends early. Copy it again.", f"Log: {logs['count']}"]
    assert stream.getvalue().splitlines()[3:] == told
    progress.close()
    assert stream.getvalue().splitlines()[3:] == told, "told once: nothing came after it"


def test_a_group_without_a_sentence_shows_the_log_of_its_executor(shown, tmp_path: Path) -> None:
    progress, stream = shown
    begin(progress, align=1)
    start(progress, "align", 7, sample="x")
    (tmp_path / "slurm.log").write_text("exceeded memory limit\n")
    members = [{"jobid": 7, "rule_name": "align", "log": ["none.log"]}]
    aux = [str(tmp_path / "slurm.log")]
    send(progress, "group_error", level=logging.ERROR, job_error_info=members, aux_logs=aux)
    assert stream.getvalue().splitlines()[2:] == [
        "*exceeded memory limit",
        "Error: align (sample x) failed.",
        f"Log: {aux[0]}",
    ]


def test_a_job_that_fails_once_is_no_failure_of_the_run(shown) -> None:
    progress, stream = shown
    begin(progress, align=1)
    start(progress, "align", 7, sample="x")
    fail(progress, 7)
    start(progress, "align", 7, sample="x")
    progress.close()
    assert stream.getvalue().splitlines()[-1].endswith("0 of 1  Trying align (sample x) again")


def test_of_many_failures_the_last_ones_end_the_run(shown, tmp_path: Path) -> None:
    progress, stream = shown
    begin(progress, align=100)
    for job in range(LISTED + 3):
        start(progress, "align", job, sample=f"x{job}")
        fail(progress, job)
    send(progress, None, "a warning", level=logging.WARNING)
    progress.close()
    lines = stream.getvalue().splitlines()
    last = lines[lines.index("a warning") + 1 :]
    assert last[0] == f"*{LISTED + 3} jobs failed; the last {LISTED}:"
    assert len(last) == 1 + 2 * LISTED
    assert last[-2] == f"*Error: align (sample x{LISTED + 2}) failed."


def test_an_early_failure_is_told_again_after_a_late_one(shown, tmp_path: Path) -> None:
    progress, stream = shown
    begin(progress, align=3)
    for job in range(3):
        (tmp_path / f"{job}.log").write_text(f"Error: sample {job}\n")
        start(progress, "align", job)
    fail(progress, 0, str(tmp_path / "0.log"))
    send(progress, None, "Waiting for a lock", level=logging.WARNING)
    fail(progress, 1, str(tmp_path / "1.log"))
    fail(progress, 2, str(tmp_path / "2.log"))
    progress.close()
    last = stream.getvalue().splitlines()[-6:]
    assert last[::2] == [f"*Error: sample {job}" for job in range(3)]


def test_jobs_that_the_user_ends_did_not_fail(shown) -> None:
    progress, stream = shown
    begin(progress, align=1)
    start(progress, "align", 7)
    send(progress, None, "Terminating processes on user request, this might take some time.")
    fail(progress, 7)
    progress.close()
    assert stream.getvalue().splitlines()[-1].startswith("Terminating")


def test_a_message_stands_beside_the_details_of_a_job() -> None:
    class Formatter:
        def format_job_info(self, job: dict) -> str:
            return f"{job['rule_msg'] or 'rule align:'}\n    input: a"

    formatter = Formatter()
    add_details(formatter)
    job = {"rule_msg": "Aligning a", "indent": False}
    assert formatter.format_job_info(job) == "rule align:\n    message: Aligning a\n    input: a"
    assert formatter.format_job_info({**job, "rule_msg": None}) == "rule align:\n    input: a"
