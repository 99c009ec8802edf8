"""The trials of a search: their schedule, their files, and the best of them."""

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tissuestate.errors import InputError
from tissuestate.files import atomic

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One evaluation: its hyper-parameters (`point` as TPE drew it) and its outcome."""

    number: int
    point: dict[str, float | int]
    parameters: dict[str, Any]
    loss: float | None
    status: str
    seconds: float


@dataclass(frozen=True)
class Schedule:
    """The division of a search's evaluations among workers that meet after each round.

    In a round each worker goes on by itself from the trials of all workers in the rounds before.
    """

    evaluations: int
    workers: int = 1
    rounds: int = 1

    def __post_init__(self) -> None:
        if self.workers * self.rounds > self.evaluations:
            raise InputError(
                f"config: tuning shares {self.evaluations} evaluations among {self.rounds} rounds "
                f"of {self.workers} workers; give each worker at least one per round."
            )

    def numbers(self, round_: int, worker: int) -> range:
        """The numbers of the trials that a worker evaluates in a round; both count from 1.

        Numbers are consecutive from round to round and, within a round, from worker to worker;
        shares differ by one at most.
        """
        share = (round_ - 1) * self.workers + worker - 1
        shares = self.rounds * self.workers
        return range(self.evaluations * share // shares, self.evaluations * (share + 1) // shares)


class Journal:
    """Trials on disk, each synced when it is done, from which a killed search continues.

    A journal of other data or settings (another fingerprint) is discarded; a last line that was
    cut short is dropped.
    """

    def __init__(self, path: str | Path, fingerprint: str) -> None:
        self.path = Path(path)
        self.trials: list[Trial] = []
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        try:
            if lines and json.loads(lines[0]) == {"fingerprint": fingerprint}:
                self.trials = [Trial(**json.loads(line)) for line in lines[1:]]
        except (ValueError, TypeError) as error:
            log.warning("%s: cannot be read (%s); the search starts again", self.path, error)
        if self.trials:
            log.info("%s: going on after %d trials", self.path, len(self.trials))
        with atomic(self.path) as temporary:
            kept = [{"fingerprint": fingerprint}, *map(asdict, self.trials)]
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))

    def append(self, trial: Trial) -> None:
        """Add a trial; when this returns, it is on the disk."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(trial)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self.trials.append(trial)

    def remove(self) -> None:
        """Delete the file, whose trials are kept elsewhere."""
        self.path.unlink(missing_ok=True)


def best_trial(history: Sequence[Trial]) -> Trial:
    """The trial with the smallest loss, the first of equals."""
    done = [trial for trial in history if trial.loss is not None]
    if not done:
        raise InputError(
            f"tuning: none of {len(history)} trials had a finite loss; lower the learning rates "
            "of the search space."
        )
    return min(done, key=lambda trial: (trial.loss, trial.number))


def write_trials(path: str | Path, history: Sequence[Trial]) -> None:
    """Write one line of JSON per trial."""
    with atomic(path) as temporary:
        temporary.write_text("".join(json.dumps(asdict(trial)) + "\n" for trial in history))


def read_trials(paths: Iterable[str | Path]) -> list[Trial]:
    """The trials of several files that `write_trials` wrote, in the order of their numbers."""
    trials = []
    for path in paths:
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
            trials += [Trial(**json.loads(line)) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path}: not a file of trials ({error}); tune again.") from error
    return sorted(trials, key=lambda trial: trial.number)
