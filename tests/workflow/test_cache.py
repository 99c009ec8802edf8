"""Workflows share the reference in Snakemake's cache between workflows."""

import hashlib
from pathlib import Path

import pytest
from conftest import simulate_two, write_config

pytestmark = pytest.mark.slow


def index_genome(snakemake, folder: Path) -> dict[str, Path]:
    """Index the genome of a folder with the cache; {part of the index: the file that holds it}."""
    run = snakemake(folder, "reference", "--configfile", str(folder / "config.yaml"), "--cache")
    assert run.returncode == 0, run.stdout
    return {path.name: path.resolve() for path in (folder / "results/reference/star").iterdir()}


def test_two_folders_share_one_index(
    snakemake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        (folder / "reads").mkdir(parents=True)
        with monkeypatch.context() as inside:
            inside.chdir(folder)
            simulate_two(folder, Path("reads")).to_csv("samples.tsv", sep="\t", index=False)
        files = {
            name: {"path": file}
            for name, file in (("genome", "genome.fa"), ("annotation", "annotation.gtf"))
        }
        write_config(folder, samples="samples.tsv", demo=None, reference=files)
    first, second = (index_genome(snakemake, folder) for folder in folders)
    assert second["SA"].parent == cache and second["SA"] == first["SA"]
    assert "Log.out" in first and "Log.out" not in second  # STAR did not run again

    digest = hashlib.sha256(first["SA"].read_bytes()).digest()
    genome = folders[1] / "genome.fa"
    genome.write_text(genome.read_text().replace("ACGT", "TTTT", 5))
    assert index_genome(snakemake, folders[1])["SA"] != first["SA"]
    assert hashlib.sha256(first["SA"].read_bytes()).digest() == digest
