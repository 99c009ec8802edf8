"""The command `tissuestate` and `snakemake classify` call the same samples in the same way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

BUNDLE = ROOT / "tests" / "data" / "bundle"


def test_the_command_writes_what_the_workflow_writes(snakemake, tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "data" / "counts.tsv", tmp_path)
    names = (tmp_path / "counts.tsv").read_text().splitlines()[0].split("\t")[1:]
    rows = "".join(f"{name}\tcounts.tsv\n" for name in names)
    (tmp_path / "new.tsv").write_text(f"sample\tmatrix\n{rows}")
    config = ("--config", f"bundle={BUNDLE}", "samples=new.tsv", "explain=false")
    run = snakemake(tmp_path, "classify", *config)
    assert run.returncode == 0, run.stdout[-3000:]
    command = [sys.executable, "-m", "tissuestate.command", "classify", "counts.tsv"]
    subprocess.run(
        [*command, "--bundle", str(BUNDLE), "--out", "calls"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "lib")},
        check=True,
    )
    ours, theirs = tmp_path / "calls", tmp_path / "results" / "classification"
    files = [path.relative_to(ours) for path in ours.rglob("*") if path.is_file()]
    assert len(files) == len(names) + 3
    for file in files:
        assert (ours / file).read_bytes() == (theirs / file).read_bytes(), file
