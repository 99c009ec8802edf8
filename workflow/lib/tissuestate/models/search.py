"""Tuning by hyperopt's TPE, from a history of trials that other processes may have run."""

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp, tpe

from tissuestate.errors import InputError
from tissuestate.models.samples import TaskData
from tissuestate.models.training import DivergenceError, Hyperparameters, Recipe, fit_task
from tissuestate.models.trials import Journal, Trial

log = logging.getLogger(__name__)

N_HIDDEN = 5  # hidden layers, as in the paper
_RANGES = {
    "learning_rate": "loguniform",
    "batch_size": "randint",
    "width": "randint",
    "dropout": "uniform",
}
_CHOICES = ("optimizer", "activation")


class SearchSpace:
    """The space that TPE draws from, as a config states it.

    space: `learning_rate` [low, high] (log-uniform), `batch_size` and `width` [low, high] (randint,
    both ends included; one draw per hidden layer), `dropout` [low, high] (uniform), `optimizer` and
    `activation` (lists to choose from). If both ends are equal, or a list has one entry, nothing is
    drawn.
    """

    def __init__(self, space: Mapping[str, Sequence[Any]]) -> None:
        unknown = set(space) - {*_RANGES, *_CHOICES}
        missing = {*_RANGES, *_CHOICES} - set(space)
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
        # hyperopt refuses a space without anything to draw; `propose_point` does not call it then.
        self.domain: Any = hyperopt.Domain(lambda point: 0.0, expressions) if expressions else None

    def _labels(self) -> list[tuple[str, str]]:
        names = [name for name in self._space if name != "width"]
        return [(name, name) for name in names] + [(layer, "width") for layer in self._layers()]

    @staticmethod
    def _layers() -> list[str]:
        return [f"width_{number}" for number in range(1, N_HIDDEN + 1)]

    def default(self) -> dict[str, float | int]:
        """The default hyper-parameters, or the nearest to them in the space, as a point."""
        chosen = Hyperparameters()
        values = {**asdict(chosen), **dict(zip(self._layers(), chosen.widths, strict=True))}
        point: dict[str, float | int] = {}
        for label, name in self._labels():
            entry = self._space[name]
            if label not in self.labels:
                continue
            if name in _CHOICES:
                point[label] = entry.index(values[label]) if values[label] in entry else 0
            else:
                point[label] = min(max(values[label], entry[0]), entry[1])
        return point

    def parameters(self, point: Mapping[str, float | int]) -> dict[str, Any]:
        """The hyper-parameters, ready for JSON, of a point drawn by hyperopt."""
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


def _hyperopt_trials(history: Sequence[Trial], space: SearchSpace) -> hyperopt.Trials:
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


def propose_point(
    history: Sequence[Trial], number: int, seed: int, space: SearchSpace, *, is_guided: bool = False
) -> dict[str, float | int]:
    """The point of trial `number`, proposed from the trials of `history`.

    Trial i uses the i-th draw of `np.random.default_rng(seed)`, as `hyperopt.fmin` does: with each
    trial proposed from all before it, this is plain sequential TPE. A guided search begins with
    the default, as fmin's `points_to_evaluate` does. Trials proposed from one history differ by
    their draws (`tpe.suggest` itself proposes for the first id only).
    """
    if not space.labels:
        return {}
    if is_guided and number == 0:
        return space.default()
    place = number - is_guided
    draw = int(np.random.default_rng(seed).integers(2**31 - 1, size=place + 1)[place])
    trials = _hyperopt_trials(history, space)
    values = tpe.suggest([number], space.domain, trials, draw, verbose=False)[0]["misc"]["vals"]
    return {label: np.asarray(values[label][0]).item() for label in space.labels}


def run_trial(
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
    """Train with the point's hyper-parameters.

    The loss is that on validation samples at the last epoch; in a guided search, at the best epoch.
    """
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
        if trained.history["epoch"].iloc[-1] == epochs:
            losses = trained.history["validation_loss"]
            loss = float(losses.min() if recipe.is_guided else losses.iloc[-1])
    except DivergenceError as error:
        log.warning("trial %d: %s", number, error)
    status = hyperopt.STATUS_FAIL if loss is None else hyperopt.STATUS_OK
    seconds = time.perf_counter() - started
    return Trial(number, dict(point), parameters, loss, status, seconds)


def _to_json(value: Any) -> Any:
    return list(value) if isinstance(value, range) else asdict(value)


def fingerprint(data: TaskData, space: Mapping[str, Any], **settings: Any) -> str:
    """SHA-256 of all inputs of a trial: samples, labels, classes and settings."""
    said = {"classes": data.classes, "space": space, **settings}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=_to_json).encode())
    for array in (data.x, *data.y.values(), data.x_validation, *data.y_validation.values()):
        digest.update(str((array.shape, array.dtype)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def run_search(
    data: TaskData,
    space: Mapping[str, Any],
    *,
    numbers: range,
    earlier: Sequence[Trial] = (),
    epochs: int,
    seed: int,
    recipe: Recipe,
    device: str = "auto",
    threads: int | None = None,
    journal: Journal | None = None,
) -> list[Trial]:
    """Run the trials of `numbers` by TPE, after those in the journal.

    Each is proposed from the `earlier` trials, those of other workers included, and from the trials
    of this search.
    """
    searched = SearchSpace(space)
    done = list(journal.trials[: len(numbers)]) if journal else []
    for number in numbers[len(done) :]:
        point = propose_point([*earlier, *done], number, seed, searched, is_guided=recipe.is_guided)
        trial = run_trial(
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
        done.append(trial)
        if journal:
            journal.append(trial)
        losses = [t.loss for t in (*earlier, *done) if t.loss is not None]
        log.info(
            "trial %d (%d of %d here): loss %s, best %s, %.1f s",
            number + 1,
            len(done),
            len(numbers),
            "none (diverged)" if trial.loss is None else f"{trial.loss:.4f}",
            f"{min(losses):.4f}" if losses else "none",
            trial.seconds,
        )
    return done
