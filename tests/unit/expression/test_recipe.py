"""What the config fixes stays; the rest is what laboratories left out chose, or as usual."""

import json

import pytest
from tissuestate.expression.recipe import chosen_steps

AUTO = {"method": "auto", "n_sv": "auto", "engine": "native"}
FIXED = {"method": "two-step", "n_sv": 3, "engine": "native"}


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.json"
    chosen = {"normalisation": "cpm", "correction": {"method": "supervised", "n_sv": 10}}
    path.write_text(json.dumps(chosen | {"sets": {}}))
    return path


def test_without_a_recipe_the_usual_steps_are_taken():
    for none in (None, "", []):
        assert chosen_steps("auto", AUTO, none) == ("upper-quartile", AUTO)
    assert chosen_steps("tmm", FIXED, None) == ("tmm", FIXED)


def test_a_recipe_fills_in_what_is_left_open(recipe):
    supervised = {"method": "supervised", "n_sv": 10, "engine": "native"}
    assert chosen_steps("auto", AUTO, recipe) == ("cpm", supervised)
    assert chosen_steps("tmm", AUTO, recipe) == ("tmm", supervised)
    assert chosen_steps("auto", FIXED, recipe) == ("cpm", FIXED)
