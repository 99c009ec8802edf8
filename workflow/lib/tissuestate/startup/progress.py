"""What a run shows: a line per rule and tenth of its jobs, warnings, and failures last.

All that Snakemake itself says is in its log file, with what jobs on this machine print; it is on
the terminal with --verbose, --quiet, --printshellcmds, --dry-run or --logger.
"""

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

# Beginnings of what Snakemake says that a person waits for or has asked for.
SHOWN = (
    "Nothing to be done",
    "Creating conda environment",
    "Pulling singularity image",
    "Terminating processes on user request",
    "Will exit after finishing",
)
# Beginnings of what Snakemake says of a failure beside the failure itself.
GENERAL = ("Exiting because a job execution failed", "WorkflowError:\nAt least one job did not")
LISTED = 5  # failures that the last lines list


class Failure(NamedTuple):
    """A job that failed: what its rule said or, without a sentence, the end of its log."""

    job: str
    sentence: str
    tail: tuple[str, ...]
    logs: tuple[str, ...]

    def lines(self) -> list[str]:
        """The lines that tell it: the sentence, then the place of the log."""
        logs = f"Log: {', '.join(self.logs)}" if self.logs else "It left no log."
        return [*self.tail, f"Error: {self.sentence or f'{self.job} failed.'}", logs]


def read_failure(job: str, logs: Iterable[str], message: str = "") -> Failure:
    """The sentence of a job that failed, from its logs; else what was said of the job elsewhere."""
    found = {log: Path(log).read_text(errors="replace") for log in logs if Path(log).is_file()}
    for log, text in found.items():
        said = [line for line in text.splitlines() if line.startswith("Error: ")]
        if said:
            return Failure(job, said[-1].removeprefix("Error: "), (), (log,))
    last = [line for text in found.values() for line in text.splitlines() if line.strip()]
    return Failure(job, message and f"{job} {message}", tuple(last[-10:]), tuple(found))


class Progress(logging.Handler):
    """The terminal of a run, in the place of Snakemake's handler, which it uses to write.

    Nothing changes before a run starts, so that --unlock, --lint, ... are as Snakemake has them.
    """

    def __init__(self, terminal: Any, log: str, is_touched: Callable[[], bool]) -> None:
        super().__init__(terminal.level)
        self.terminal, self.log, self.is_touched = terminal, log, is_touched
        self.running = self.cancelled = False
        self.done = self.total = 0
        self.jobs: dict[str, int] = {}  # of each rule
        self.started: Counter[str] = Counter()
        self.names: dict[int, str] = {}  # of the jobs that started, in words
        self.failures: dict[int, Failure] = {}
        self.last: set[int] = set()  # the failures that the last lines tell
        self.killed: int | None = None  # the thread whose job was killed last
        self.stderr = -1  # a copy of the descriptor while a run has another

    def emit(self, record: logging.LogRecord) -> None:
        """Write what a person needs of a record of Snakemake's log."""
        event = getattr(record, "event", None)
        if event == "workflow_started":
            self.start()
        try:
            if self.running:
                self.show(event, record)
            elif self.terminal.filter(record) and record.funcName != "execute_workflow":
                self.terminal.emit(record)
        except Exception:
            self.handleError(record)

    def show(self, event: str | None, record: logging.LogRecord) -> None:
        if event in (None, "error"):
            self.show_sentence(record)
        elif hasattr(self, f"show_{event}"):
            getattr(self, f"show_{event}")(record)

    def start(self) -> None:
        """Send all else that this process and its jobs print to Snakemake's log file."""
        self.running = not self.is_touched()
        if self.running and self.terminal.stream is sys.stderr:
            sys.stderr.flush()
            self.stderr = os.dup(2)
            self.terminal.stream = os.fdopen(self.stderr, "w", encoding="utf-8")
            with Path(self.log).open("ab") as log:
                os.dup2(log.fileno(), 2)

    def show_run_info(self, record: Any) -> None:
        self.jobs = record.stats
        self.total = self.jobs["total"]
        jobs = "1 job" if self.total == 1 else f"{self.total} jobs"
        self.write(f"{jobs} in {Path.cwd()}; log of Snakemake: {os.path.relpath(self.log)}")

    def show_job_info(self, record: Any) -> None:
        """One line for the first job of a rule and for every tenth of its jobs."""
        if record.jobid in self.names:
            if self.failures.pop(record.jobid, None):
                self.write_step(f"Trying {self.names[record.jobid]} again")
            return
        rule = record.rule_name
        values = ", ".join(f"{key} {value}" for key, value in record.wildcards.items())
        self.names[record.jobid] = f"{rule} ({values})" if values else rule
        number, jobs = self.started[rule], self.jobs.get(rule, 1)
        self.started[rule] += 1
        if number % max(5, -(-jobs // 10)) == 0:
            count = f" ({number + 1} of {jobs})" if jobs > 1 else ""
            self.write_step(f"{record.rule_msg or rule}{count}")

    def show_progress(self, record: Any) -> None:
        self.done = record.done

    def show_job_error(self, record: Any) -> None:
        if not record.indent:  # else a member of a group, which has told it
            job = self.names.get(record.jobid, record.rule_name)
            message = f"failed: {record.rule_msg}" if record.rule_msg else ""
            if record.thread == self.killed:
                message = "was killed, most often because memory ran out."
            self.show_failure(record.jobid, read_failure(job, record.log, message))

    def show_group_error(self, record: Any) -> None:
        """The members of a group that left a sentence, or the group as a whole."""
        found = {}
        for job in record.job_error_info:
            name = self.names.get(job["jobid"], job["rule_name"])
            found[job["jobid"]] = read_failure(name, job["log"])
        with_sentence = {key: failure for key, failure in found.items() if failure.sentence}
        if not with_sentence and found:
            logs = [*record.aux_logs, *(log for failure in found.values() for log in failure.logs)]
            names = ", ".join(failure.job for failure in found.values())
            with_sentence = {min(found): read_failure(names, logs)}
        for key, failure in with_sentence.items():
            self.show_failure(key, failure)

    def show_failure(self, job: int, failure: Failure) -> None:
        """Tell it now, for others may run for hours; `close` has it last."""
        if not self.cancelled:
            self.failures[job] = failure
            last = self.last | {job}
            self.write(*failure.lines(), level=logging.ERROR)
            self.last = last

    def show_sentence(self, record: logging.LogRecord) -> None:
        """Sentences of the workflow's own, warnings, errors and what a person waits for."""
        text = record.getMessage() if record.msg else ""
        if record.levelno < logging.WARNING:
            self.cancelled |= text.startswith(("Terminating", "Will exit"))
            if text.startswith(SHOWN) or not is_of_snakemake(record):
                self.write(text)
        elif getattr(record, "exception", "") == "RuleException":  # the job's error follows
            self.killed = record.thread if "SIGKILL" in text else None
        elif not text.startswith(GENERAL):
            self.write(text, level=record.levelno)

    def write_step(self, text: str) -> None:
        width = len(str(self.total))
        self.write(f"{time.strftime('%H:%M:%S')} {self.done:>{width}} of {self.total}  {text}")

    def write(self, *lines: str, level: int = logging.INFO) -> None:
        """Write lines as Snakemake does: one after the other, warnings and errors in colour."""
        text = "\n".join(lines)
        if level >= logging.WARNING:
            record = logging.LogRecord("", level, "", 0, text, None, None)
            text = self.terminal.decorate(record, text)
        self.terminal.stream.write(f"{text}\n")
        self.terminal.flush()
        self.last = set()

    def close(self) -> None:
        """Failures are the last lines, also if other jobs went on after them."""
        if not self.last >= self.failures.keys():
            failures = list(self.failures.values())
            if len(failures) > LISTED:
                self.write(f"{len(failures)} jobs failed; the last {LISTED}:", level=logging.ERROR)
            for failure in failures[-LISTED:]:
                self.write(*failure._replace(tail=()).lines(), level=logging.ERROR)
        self.failures = {}
        if self.stderr >= 0:
            os.dup2(self.stderr, 2)
            self.stderr = -1
        super().close()


def is_of_snakemake(record: logging.LogRecord) -> bool:
    """Whether Snakemake or a plugin of it logged a record, not the rules."""
    return not record.pathname.endswith((".smk", "Snakefile"))


def add_details(formatter: Any) -> None:
    """Let a job's message stand beside its files and resources, which Snakemake leaves out then."""
    format_details = formatter.format_job_info

    def format_job_info(job: dict[str, Any]) -> str:
        details: str = format_details({**job, "rule_msg": None})
        if not job["rule_msg"]:
            return details
        head, _, rest = details.partition(":\n")
        indent = " " * (8 if job.get("indent") else 4)
        return f"{head}:\n{indent}message: {job['rule_msg']}\n{rest}"

    formatter.format_job_info = format_job_info


def show_progress(workflow: Any, logger: logging.Logger) -> None:
    """Show the progress of a run of this workflow, unless it is another's module.

    Settings of the user that concern the output leave all to Snakemake.
    """
    if workflow.modifier.parent_modifier is not None:
        return
    for handler in logger.handlers:
        if hasattr(handler.formatter, "format_job_info"):
            add_details(handler.formatter)
    settings = workflow.output_settings
    of_user = (settings.quiet, settings.verbose, settings.printshellcmds, settings.dryrun)
    handlers = {handler.name: handler for handler in logger.handlers}
    if (
        not workflow.is_main_process
        or any(of_user)
        or settings.debug_dag
        or settings.log_handler_settings
        or not {"DefaultStreamHandler", "DefaultLogFileHandler"} <= handlers.keys()
    ):
        return
    terminal, file = handlers["DefaultStreamHandler"], handlers["DefaultLogFileHandler"]
    log = file.baseFilename  # type: ignore[attr-defined]
    logger.removeHandler(terminal)
    logger.addHandler(Progress(terminal, log, lambda: workflow.touch))
