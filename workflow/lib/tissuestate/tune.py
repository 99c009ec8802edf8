"""Tuning: hyperopt's TPE, one trial at a time or in rounds, from a history that can be resumed."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp, tpe

from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.tasks import TaskData
from tissuestate.train import Diverged, Hyperparameters, Recipe, fit_task

logger = logging.getLogger(__name__)

N_HIDDEN = 5  # hidden layers, as in the paper
_RANGES = {
    "learning_rate": "loguniform",
    "batch_size": "randint",
    "width": "randint",
    "dropout": "uniform",
    "weight_decay": "loguniform",
}
_CHOICES = ("optimizer", "activation")


@dataclass(frozen=True)
class Trial:
    """One evaluation: what was tried (`point` as TPE drew it) and what came of it."""

    number: int
    point: dict[str, float | int]
    parameters: dict[str, Any]
    loss: float | None
    status: str
    seconds: float


class SearchSpace:
    """What TPE draws from, as a config states it.

    space: `learning_rate` [low, high] (log-uniform), `batch_size` and `width` [low, high]
    (randint, both ends included; one draw a hidden layer), `dropout` [low, high] (uniform),
    `optimizer` and `activation` (lists to choose from), and optionally `weight_decay` [low, high]
    (log-uniform). Where both ends are equal, or a list has one entry, nothing is drawn.
    """

    def __init__(self, space: Mapping[str, Sequence[Any]]) -> None:
        unknown = set(space) - {*_RANGES, *_CHOICES}
        missing = {*_RANGES, *_CHOICES} - {"weight_decay"} - set(space)
        if unknown or missing:
            raise InputError(
                f"search space: unknown {sorted(unknown)}, missing {sorted(missing)}; "
                f"it states {', '.join((*_RANGES, *_CHOICES))}."
            )
        self._space = {name: tuple(entry) for name, entry in space.items()}
        for name, entry in self._space.items():
            lowest = 0 if name == "dropout" else 1 if _RANGES.get(name) == "randint" else 1e-300
            if not entry or (
                name in _RANGES and not (len(entry) == 2 and lowest <= entry[0] <= entry[1])
            ):
                raise InputError(
                    f"search space: {name} is {list(entry)}; expected "
                    + ("[low, high]." if name in _RANGES else "a list to choose from.")
                )
        expressions = {}
        for label, name in self._labels():
            entry = self._space[name]
            if entry[0] == entry[-1]:
                continue
            match _RANGES.get(name):
                case "randint":
                    expressions[label] = hp.randint(label, int(entry[0]), int(entry[1]) + 1)
                case "uniform":
                    expressions[label] = hp.uniform(label, *entry)
                case "loguniform":
                    expressions[label] = hp.loguniform(label, *np.log(entry))
                case _:
                    expressions[label] = hp.choice(label, list(range(len(entry))))
        self.labels = tuple(expressions)
        # hyperopt refuses a space without anything to draw; `propose` does not ask it then.
        self.domain: Any = hyperopt.Domain(lambda point: 0.0, expressions) if expressions else None

    def _labels(self) -> list[tuple[str, str]]:
        names = [name for name in self._space if name != "width"]
        layers = [f"width_{number}" for number in range(1, N_HIDDEN + 1)]
        return [(name, name) for name in names] + [(layer, "width") for layer in layers]

    def parameters(self, point: Mapping[str, float | int]) -> dict[str, Any]:
        """The hyper-parameters, ready for JSON, that a point drawn by hyperopt stands for."""
        values = {}
        for label, name in self._labels():
            draw = point.get(label)
            if name in _CHOICES:
                values[label] = self._space[name][int(draw or 0)]
            else:
                value = self._space[name][0] if draw is None else draw
                values[label] = int(value) if _RANGES[name] == "randint" else float(value)
        widths = [values.pop(label) for label, name in self._labels() if name == "width"]
        return {**values, "widths": widths}


def _rebuild(history: Sequence[Trial], space: SearchSpace) -> hyperopt.Trials:
    """The hyperopt trials that a search would hold after `history`."""
    trials = hyperopt.Trials()
    docs = []
    for trial in history:
        ids = {label: [trial.number] for label in space.labels}
        values = {label: [trial.point[label]] for label in space.labels}
        misc = {"tid": trial.number, "cmd": space.domain.cmd, "workdir": None}
        result = {"status": trial.status, **({} if trial.loss is None else {"loss": trial.loss})}
        doc = trials.new_trial_docs(
            [trial.number], [None], [result], [{**misc, "idxs": ids, "vals": values}]
        )[0]
        docs.append({**doc, "state": hyperopt.JOB_STATE_DONE})
    trials.insert_trial_docs(docs)
    trials.refresh()
    return trials


def propose(
    history: Sequence[Trial], n: int, seed: int, space: SearchSpace, first: int | None = None
) -> list[dict[str, float | int]]:
    """The next `n` points to try after `history`, from trial number `first` (or the next) on.

    Trial number i uses the i-th draw of `np.random.default_rng(seed)`, as `hyperopt.fmin` does:
    proposing and evaluating one at a time is plain sequential TPE, and a search taken up again
    goes on as if it had never stopped. Each of several points is drawn by its own seed from the
    same history, because `tpe.suggest` proposes for the first id only.
    """
    first = len(history) if first is None else first
    if not space.labels:
        return [{} for _ in range(n)]
    trials = _rebuild(history, space)
    seeds = np.random.default_rng(seed).integers(2**31 - 1, size=first + n)[first:]
    points = []
    for number, own in enumerate(seeds, start=first):
        doc = tpe.suggest([number], space.domain, trials, int(own), verbose=False)[0]
        points.append(
            {label: np.asarray(doc["misc"]["vals"][label][0]).item() for label in space.labels}
        )
    return points


def evaluate(
    number: int,
    point: Mapping[str, float | int],
    space: SearchSpace,
    data: TaskData,
    *,
    epochs: int,
    seed: int,
    recipe: Recipe,
    device: str = "auto",
    threads: int | None = None,
) -> Trial:
    """Train with the point's hyper-parameters; the loss is that on validation at the last epoch."""
    parameters = space.parameters(point)
    started = time.perf_counter()
    loss: float | None = None
    try:
        trained = fit_task(
            data,
            Hyperparameters.from_dict(parameters),
            epochs=epochs,
            seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]),
            recipe=recipe,
            device=device,
            threads=threads,
            progress=False,
        )
        if len(trained.history) == epochs:
            loss = float(trained.history["validation_loss"].iloc[-1])
    except Diverged as error:
        logger.warning("trial %d: %s", number, error)
    status = hyperopt.STATUS_FAIL if loss is None else hyperopt.STATUS_OK
    seconds = time.perf_counter() - started
    return Trial(number, dict(point), parameters, loss, status, seconds)


def fingerprint(data: TaskData, space: Mapping[str, Any], **settings: Any) -> str:
    """SHA-256 of all that a trial's outcome depends on: samples, labels, classes and settings."""
    said = {"classes": data.classes, "space": space, **settings}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=asdict).encode())
    for array in (data.x, *data.y.values(), data.x_validation, *data.y_validation.values()):
        digest.update(str((array.shape, array.dtype)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class Journal:
    """Trials on disk, each written through as soon as it is done, to be taken up after a kill.

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
            logger.warning("%s: cannot be read (%s); the search starts anew", self.path, error)
        if self.trials:
            logger.info("%s: going on after %d trials", self.path, len(self.trials))
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
        """Delete the file: its trials have found their place elsewhere."""
        self.path.unlink(missing_ok=True)


def search(
    data: TaskData,
    space: Mapping[str, Any],
    *,
    evaluations: int,
    epochs: int,
    seed: int,
    recipe: Recipe,
    device: str = "auto",
    threads: int | None = None,
    journal: Journal | None = None,
) -> list[Trial]:
    """Sequential TPE: `evaluations` trials of `epochs` each, going on from the journal's trials."""
    searched = SearchSpace(space)
    history = list(journal.trials[:evaluations]) if journal else []
    while len(history) < evaluations:
        number = len(history)
        point = propose(history, 1, seed, searched)[0]
        trial = evaluate(
            number,
            point,
            searched,
            data,
            epochs=epochs,
            seed=seed,
            recipe=recipe,
            device=device,
            threads=threads,
        )
        history.append(trial)
        if journal:
            journal.append(trial)
        losses = [t.loss for t in history if t.loss is not None]
        logger.info(
            "trial %d of %d: loss %s, best %s, %.1f s",
            number + 1,
            evaluations,
            "none (diverged)" if trial.loss is None else f"{trial.loss:.4f}",
            f"{min(losses):.4f}" if losses else "none",
            trial.seconds,
        )
    return history


def best(history: Sequence[Trial]) -> Trial:
    """The trial of least loss, the first of equals."""
    done = [trial for trial in history if trial.loss is not None]
    if not done:
        raise InputError(
            f"tuning: none of {len(history)} trials had a finite loss; lower the learning rates "
            "of the search space."
        )
    return min(done, key=lambda trial: (trial.loss, trial.number))


def write_trials(path: str | Path, history: Sequence[Trial]) -> None:
    """Write a JSON line a trial."""
    with atomic(path) as temporary:
        temporary.write_text("".join(json.dumps(asdict(trial)) + "\n" for trial in history))
