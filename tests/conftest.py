"""Where the tests find the real data and the repository, and how they run the workflow."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import settings
from tissuestate.demo.reads import simulate_cohort
from tissuestate.startup.config import read_layers

# Threads that wait sleep: spinning ones slow the tests down if cores are shared.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The same examples each time: a run that fails can be repeated.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]


Snakemake = Callable[..., subprocess.CompletedProcess[str]]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: gzip's hold the time, and all workers must find equal names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; tests that need it are skipped if it is absent."""
    folder = Path(os.environ.get("TISSUESTATE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set TISSUESTATE_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def snakemake() -> Snakemake:
    """Run the workflow in a folder: snakemake(folder, 'target', '-n', ...), output in `.stdout`."""

    def run(folder: Path, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--directory", str(folder), "--cores", str(cores), *arguments]
        return subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def reference_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What htslib asks for of the address from which it takes the reference of a CRAM."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("REF_PATH", f"http://127.0.0.1:{server.server_port}/%s")
        monkeypatch.delenv("REF_CACHE", raising=False)
        yield asked
        server.shutdown()


@pytest.fixture
def demo_folder(tmp_path: Path) -> Path:
    """An empty folder to run in, with the demo's config and sheet."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path


def simulate_two(folder: Path, reads: Path) -> pd.DataFrame:
    """Write genome and annotation into `folder`, paired reads of two samples into `reads`.

    Returns their sheet.
    """
    sheet = pd.DataFrame({"sample": ["x", "y"], "donor": ["x", "y"], "specimen": ["x", "y"]})
    sheet = sheet.assign(study="A", source="A", disease_state="neoplastic", tissue="liver")
    sheet = sheet.assign(subtype="", strandedness="none")
    for mate in (1, 2):
        sheet[f"fastq_{mate}"] = [f"{reads}/{name}_{mate}.fastq.gz" for name in ("x", "y")]
    simulate_cohort(
        sheet,
        genome_path=folder / "genome.fa",
        annotation_path=folder / "annotation.gtf",
        genes_path=folder / "truth_genes.tsv",
        samples_path=folder / "truth_samples.tsv",
        seed=1,
        pairs=1000,
    )
    return sheet


DEFAULTS = ROOT / "config" / "defaults.yaml"


def write_config(folder: Path, base: str = "config/config.yaml", **changes: object) -> Path:
    """A config file in `folder` that states every key: one of the repository, with some changed."""
    config = read_layers(DEFAULTS, ROOT / base)
    for key, value in changes.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by playwright; tests that need it are skipped if it is absent."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed (envs/debian-dev.txt)")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=program,
            args=[
                *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
                *("--disable-background-networking", "--disable-component-update"),
                "--disable-sync",
            ],
        )
        yield found
        found.close()


@pytest.fixture(scope="session")
def accessibility() -> Callable[[Any], list[str]]:
    """What axe-core finds wrong with an open page, a line for each kind of fault."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def faults(page: Any) -> list[str]:
        page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
        found = axe.run(page).response["violations"]
        return [f"{fault['id']}: {fault['nodes'][0]['html'][:100]}" for fault in found]

    return faults
