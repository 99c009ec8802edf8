"""The library as a wheel, in an environment that holds nothing else."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

DATA = ROOT / "tests" / "data"
CALL = """
import json, sys
from importlib.resources import files
import pandas as pd
import tissuestate
from tissuestate.classify import Classifier

folder, counts = sys.argv[1:]
frame = pd.read_csv(counts, sep="\\t", index_col=0).T.astype(float)
found = Classifier.load(folder).predict(frame, "count")
records = [found.record(name) for name in found.calls.index]
templates = files("tissuestate.report").joinpath("templates").iterdir()
found = {
    "records": records,
    "modules": [name for name in ("torch", "snakemake") if name in sys.modules],
    "place": tissuestate.__file__,
    "templates": [path.name for path in templates],
}
json.dump(found, sys.stdout)
"""


@pytest.mark.slow
def test_the_wheel_alone_classifies(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT / "workflow" / "lib", source / "workflow" / "lib")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path)]
    subprocess.run([*wheel, str(source)], check=True)
    (built,) = tmp_path.glob("tissuestate-*.whl")
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    install = [python, "-m", "pip", "install", "-q", "-c", constraints, built]
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(install, check=True, env=outside)
    called = subprocess.run(
        [python, "-c", CALL, DATA / "bundle", DATA / "counts.tsv"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert called.returncode == 0, called.stderr
    found = json.loads(called.stdout)
    assert found["place"].startswith(str(tmp_path / "empty"))
    assert found["modules"] == []
    shipped = {path.name for path in (ROOT / "workflow/lib").rglob("templates/*")}
    assert set(found["templates"]) == shipped
    expected = json.loads((DATA / "calls.json").read_text())
    for record, before in zip(found["records"], expected, strict=True):
        for head, answer in before["heads"].items():
            assert record["heads"][head]["call"] == answer["call"]
            shares = answer["probabilities"]
            np.testing.assert_allclose(
                [record["heads"][head]["probabilities"][name] for name in shares],
                list(shares.values()),
                rtol=0,
                atol=1e-12,
            )
    command = [python.with_name("tissuestate"), "classify", DATA / "counts.tsv"]
    command += ["--bundle", DATA / "bundle", "--out", "calls"]
    said = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    assert said.stderr == f"Start with {Path('calls/pages/index.html')}\n"
    assert "S66" in (tmp_path / "calls" / "pages" / "S66.html").read_text()
    lines = (tmp_path / "calls" / "calls.tsv").read_text().splitlines()
    assert len(lines) == len(expected) + 1
    explained = subprocess.run(
        [*command, "--explain"], cwd=tmp_path, env={}, capture_output=True, text=True, check=False
    )
    assert explained.returncode == 2
    assert "tissuestate[explain]" in explained.stderr
