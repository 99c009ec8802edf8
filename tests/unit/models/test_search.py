"""Tuning: equality with hyperopt's TPE, and continuation after a kill."""

import json
from types import SimpleNamespace

import hyperopt
import numpy as np
import pandas as pd
import pytest
from hyperopt.fmin import generate_trials_to_calculate
from tissuestate.errors import InputError
from tissuestate.models import search as tune
from tissuestate.models import trials
from tissuestate.models.samples import TaskData
from tissuestate.models.training import Recipe

pytestmark = pytest.mark.slow

SPACE = {
    "learning_rate": [1e-4, 1e-1],
    "batch_size": [8, 32],
    "width": [4, 12],
    "dropout": [0.0, 0.5],
    "optimizer": ["adam", "sgd"],
    "activation": ["relu", "tanh"],
}
OPTIONS = {"epochs": 2, "seed": 4, "recipe": Recipe(), "device": "cpu", "threads": 1}


@pytest.fixture
def data() -> TaskData:
    rng = np.random.default_rng(0)
    parts = []
    for n in (60, 30):
        codes = rng.integers(0, 2, n)
        x = rng.normal(size=(n, 4)) + 3 * codes[:, None]
        parts += [x.astype(np.float32), {"tissue": codes}]
    return TaskData({"tissue": ("liver", "lung")}, *parts)


def outcome(history):
    return [(t.number, t.parameters, t.loss, t.status) for t in history]


def loss_of(point) -> float:
    return (np.log(point["learning_rate"]) + 5) ** 2 + point["dropout"] + point["width_3"] / 10


def trial_of(number, point, space) -> trials.Trial:
    """A trial as a training would give it; every seventh one diverges."""
    if number % 7 == 3:
        return trials.Trial(number, point, space.parameters(point), None, "fail", 0.0)
    return trials.Trial(number, point, space.parameters(point), loss_of(point), "ok", 0.0)


def expressions():
    """SPACE as one would write it for hyperopt."""
    return {
        "learning_rate": hyperopt.hp.loguniform("learning_rate", *np.log([1e-4, 1e-1])),
        "batch_size": hyperopt.hp.randint("batch_size", 8, 33),
        "dropout": hyperopt.hp.uniform("dropout", 0.0, 0.5),
        "optimizer": hyperopt.hp.choice("optimizer", [0, 1]),
        "activation": hyperopt.hp.choice("activation", [0, 1]),
        **{f"width_{i}": hyperopt.hp.randint(f"width_{i}", 4, 13) for i in range(1, 6)},
    }


def test_sequential_trials_equal_those_of_hyperopt():
    space = tune.SearchSpace(SPACE)
    kept = hyperopt.Trials()

    def objective(point):
        number = len(kept.trials) - 1
        trial = trial_of(number, point, space)
        return {"status": trial.status, **({} if trial.loss is None else {"loss": trial.loss})}

    hyperopt.fmin(
        objective,
        expressions(),
        algo=hyperopt.tpe.suggest,
        max_evals=35,
        trials=kept,
        rstate=np.random.default_rng(11),
        show_progressbar=False,
        verbose=False,
    )
    history = []
    for number in range(35):
        point = tune.propose_point(history, number, 11, space)
        history.append(trial_of(number, point, space))
    expected = [
        {label: values[0] for label, values in trial["misc"]["vals"].items()}
        for trial in kept.trials
    ]
    assert [trial.point for trial in history] == expected


def test_a_guided_search_equals_that_of_hyperopt_from_the_default(data, monkeypatch):
    def fit(data, hyperparameters, **options):
        loss = np.log(hyperparameters.learning_rate) ** 2 + hyperparameters.widths[2]
        losses = {"epoch": [1, 2], "validation_loss": [loss, loss + 9]}
        return SimpleNamespace(history=pd.DataFrame(losses))

    monkeypatch.setattr(tune, "fit_task", fit)
    widths = {f"width_{number}": 12 for number in range(1, 6)}  # the default's, as near as may be
    default = {"learning_rate": 1e-3, "batch_size": 32, "dropout": 0.2, **widths}
    kept = generate_trials_to_calculate([{**default, "optimizer": 0, "activation": 0}])
    hyperopt.fmin(
        lambda point: np.log(point["learning_rate"]) ** 2 + point["width_3"],
        expressions(),
        algo=hyperopt.tpe.suggest,
        max_evals=29,  # beside the one given
        trials=kept,
        rstate=np.random.default_rng(OPTIONS["seed"]),
        show_progressbar=False,
        verbose=False,
    )
    options = {**OPTIONS, "recipe": Recipe(is_guided=True)}
    found = tune.run_search(data, SPACE, numbers=range(30), **options)
    assert found[0].parameters == {
        "learning_rate": 1e-3,
        "batch_size": 32,
        "dropout": 0.2,
        "optimizer": "adam",
        "activation": "relu",
        "widths": [12] * 5,
    }
    # A trial's loss is that of its best epoch, the first here.
    assert [trial.loss for trial in found] == kept.losses()


def test_points_of_one_round_differ_and_repeat():
    space = tune.SearchSpace(SPACE)
    history = [trial_of(n, tune.propose_point([], n, 1, space), space) for n in range(25)]
    points = [tune.propose_point(history, number, 1, space) for number in range(25, 33)]
    assert len({json.dumps(point) for point in points}) == 8
    assert points[3] == tune.propose_point(history, 28, 1, space)


def searched_in_rounds(schedule, data, folder):
    """All trials of a search whose workers know of each other what the files of rounds tell."""
    files = []
    for round_ in range(1, schedule.rounds + 1):
        earlier = trials.read_trials(files)
        for worker in range(1, schedule.workers + 1):
            numbers = schedule.numbers(round_, worker)
            found = tune.run_search(data, SPACE, numbers=numbers, earlier=earlier, **OPTIONS)
            files.append(folder / f"{round_}.{worker}.jsonl")
            trials.write_trials(files[-1], found)
    return trials.read_trials(files)


@pytest.mark.slow
def test_one_worker_is_plain_sequential_hyperopt_in_any_number_of_rounds(
    data, tmp_path, monkeypatch
):
    def fit(data, hyperparameters, **options):
        loss = np.log(hyperparameters.learning_rate) ** 2 + hyperparameters.widths[2]
        losses = {"epoch": [1, 2], "validation_loss": [loss, loss]}
        return SimpleNamespace(history=pd.DataFrame(losses))

    monkeypatch.setattr(tune, "fit_task", fit)
    kept = hyperopt.Trials()
    hyperopt.fmin(
        lambda point: np.log(point["learning_rate"]) ** 2 + point["width_3"],
        expressions(),
        algo=hyperopt.tpe.suggest,
        max_evals=30,
        trials=kept,
        rstate=np.random.default_rng(OPTIONS["seed"]),
        show_progressbar=False,
        verbose=False,
    )
    for rounds in (1, 7):
        found = searched_in_rounds(trials.Schedule(30, 1, rounds), data, tmp_path)
        assert [trial.number for trial in found] == list(range(30))
        assert [trial.loss for trial in found] == kept.losses()
    # Four workers do not know of each other's trials within a round, and still repeat.
    shared = searched_in_rounds(trials.Schedule(30, 4, 6), data, tmp_path)
    assert [trial.number for trial in shared] == list(range(30))
    assert [trial.loss for trial in shared] != kept.losses()
    assert outcome(shared) == outcome(searched_in_rounds(trials.Schedule(30, 4, 6), data, tmp_path))


@pytest.mark.parametrize("shape", [(100, 10, 10), (100, 4, 25), (100, 1, 1), (8, 3, 2), (7, 1, 3)])
def test_every_evaluation_belongs_to_one_worker_of_one_round(shape):
    schedule = trials.Schedule(*shape)
    shares = [
        schedule.numbers(round_, worker)
        for round_ in range(1, schedule.rounds + 1)
        for worker in range(1, schedule.workers + 1)
    ]
    assert [number for share in shares for number in share] == list(range(shape[0]))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_more_workers_than_evaluations_are_refused():
    with pytest.raises(InputError, match="8 evaluations among 3 rounds of 3 workers"):
        trials.Schedule(8, 3, 3)


def test_a_damaged_file_of_trials_is_named(tmp_path):
    (tmp_path / "1.1.jsonl").write_text('{"number": 0')
    with pytest.raises(InputError, match=r"1\.1\.jsonl: not a file of trials"):
        trials.read_trials([tmp_path / "1.1.jsonl"])


def test_proposals_stay_within_the_space():
    space = tune.SearchSpace(SPACE)
    for number in range(40):
        found = space.parameters(tune.propose_point([], number, 3, space))
        assert 1e-4 <= found["learning_rate"] <= 1e-1
        assert 8 <= found["batch_size"] <= 32 and isinstance(found["batch_size"], int)
        assert len(found["widths"]) == 5 and all(4 <= width <= 12 for width in found["widths"])
        assert 0 <= found["dropout"] <= 0.5
        assert found["optimizer"] in ("adam", "sgd") and found["activation"] in ("relu", "tanh")


def test_equal_bounds_are_fixed_values():
    fixed = {**{name: [entry[0], entry[0]] for name, entry in SPACE.items()}, "activation": ["elu"]}
    space = tune.SearchSpace(fixed)
    assert tune.propose_point([], 0, 0, space) == {}
    assert space.parameters({}) == {
        "learning_rate": 1e-4,
        "batch_size": 8,
        "widths": [4] * 5,
        "dropout": 0.0,
        "optimizer": "adam",
        "activation": "elu",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": [0.0, 0.1]},
        {"width": [12, 4]},
        {"batch_size": [0, 4]},
        {"dropout": [0.1]},
        {"optimizer": []},
        {"momentum": [0, 1]},
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(change):
    with pytest.raises(InputError, match=next(iter(change))):
        tune.SearchSpace({**SPACE, **change})


def test_an_interrupted_search_gives_the_same_trials(data, tmp_path):
    whole = tune.run_search(data, SPACE, numbers=range(6), **OPTIONS)
    path = tmp_path / "trials.journal"
    tune.run_search(data, SPACE, numbers=range(4), journal=trials.Journal(path, "mark"), **OPTIONS)
    # The kill came in the middle of writing the fourth trial.
    path.write_bytes(path.read_bytes()[:-30])
    journal = trials.Journal(path, "mark")
    assert len(journal.trials) == 3
    resumed = tune.run_search(data, SPACE, numbers=range(6), journal=journal, **OPTIONS)
    assert outcome(resumed) == outcome(whole)
    assert outcome(trials.Journal(path, "mark").trials) == outcome(whole)


def test_a_complete_journal_leaves_nothing_to_do(data, tmp_path, monkeypatch):
    path = tmp_path / "trials.journal"
    done = tune.run_search(
        data, SPACE, numbers=range(2), journal=trials.Journal(path, "mark"), **OPTIONS
    )
    monkeypatch.setattr(tune, "fit_task", None)
    journal = trials.Journal(path, "mark")
    assert tune.run_search(data, SPACE, numbers=range(2), journal=journal, **OPTIONS) == done
    journal.remove()
    assert not path.exists()


def test_a_journal_of_other_data_is_discarded(tmp_path):
    space = tune.SearchSpace(SPACE)
    journal = trials.Journal(tmp_path / "journal", "mark")
    journal.append(trial_of(0, tune.propose_point([], 0, 0, space), space))
    assert len(trials.Journal(tmp_path / "journal", "mark").trials) == 1
    assert trials.Journal(tmp_path / "journal", "another").trials == []
    (tmp_path / "journal").write_bytes(b"\x00\xff\nnonsense\n")
    assert trials.Journal(tmp_path / "journal", "mark").trials == []


def test_the_fingerprint_depends_on_data_and_settings(data):
    same = tune.fingerprint(data, SPACE, epochs=2, recipe=Recipe())
    assert same == tune.fingerprint(data, dict(SPACE), epochs=2, recipe=Recipe())
    assert same != tune.fingerprint(data, SPACE, epochs=3, recipe=Recipe())
    assert same != tune.fingerprint(data, {**SPACE, "width": [4, 9]}, epochs=2, recipe=Recipe())
    data.x[0, 0] += 1
    assert same != tune.fingerprint(data, SPACE, epochs=2, recipe=Recipe())


def test_a_trial_that_diverges_fails_and_the_search_goes_on(data):
    space = {**SPACE, "learning_rate": [1e20, 1e20], "optimizer": ["sgd"], "activation": ["relu"]}
    history = tune.run_search(data, space, numbers=range(2), **OPTIONS)
    assert [(t.loss, t.status) for t in history] == [(None, "fail")] * 2
    with pytest.raises(InputError, match="none of 2 trials"):
        trials.best_trial(history)


def test_the_best_trial_is_that_of_least_loss(tmp_path):
    history = [
        trials.Trial(number, {}, {}, loss, "fail" if loss is None else "ok", 0.0)
        for number, loss in enumerate([None, 0.5, 0.2, 0.2, 0.9])
    ]
    assert trials.best_trial(history).number == 2
    trials.write_trials(tmp_path / "trials.jsonl", history)
    lines = (tmp_path / "trials.jsonl").read_text().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == [None, 0.5, 0.2, 0.2, 0.9]
