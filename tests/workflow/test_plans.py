"""A dry run of each shipped config plans what it should."""

import re
from pathlib import Path


def test_the_demo_plans_every_stage(snakemake, demo_folder: Path) -> None:
    planned = snakemake(demo_folder, "-n", "--quiet", "rules")
    assert planned.returncode == 0, planned.stdout
    for rule in ("simulate_cohort", "align_reads", "correct_expression", "tune_network"):
        assert re.search(rf"^{rule} +\d+$", planned.stdout, flags=re.M), rule
    assert not (demo_folder / "results").exists()


def test_the_matrices_of_rnaseqdb_need_no_reads(snakemake, root: Path, tmp_path: Path) -> None:
    config = str(root / "config" / "rnaseqdb.yaml")
    planned = snakemake(tmp_path, "-n", "--quiet", "rules", "--configfile", config)
    assert planned.returncode == 0, planned.stdout
    assert re.search(r"^fetch_rnaseqdb +52$", planned.stdout, flags=re.M), planned.stdout
    assert "align_reads" not in planned.stdout


def test_the_paper_config_plans_from_reads(snakemake, root: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    sheet = (root / "resources" / "demo.tsv").read_text()
    (tmp_path / "config" / "paper.tsv").write_text(sheet)
    for path in set(re.findall(r"results/demo/reads/\S+?\.fastq\.gz", sheet)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"@{path}\n{'ACGT'[path.count('_2.')]}\n+\nI\n")
    config = str(root / "config" / "paper.yaml")
    planned = snakemake(tmp_path, "-n", "--quiet", "rules", "--configfile", config)
    assert planned.returncode == 0, planned.stdout
    assert re.search(r"^fetch_genome +1$", planned.stdout, flags=re.M), planned.stdout
    assert "components is 2000, but the sheet has 84 samples, of which about 59" in planned.stdout


def test_the_config_of_laboratories_plans_published_models(snakemake, root, tmp_path) -> None:
    (tmp_path / "counts.tsv").write_text("gene\ts0\nTP53\t1\n")
    columns = "sample donor laboratory study source disease_state tissue subtype matrix unit"
    rows = [
        f"s{n}\ts{n}\tL{n % 4}\tS\tS\tneoplastic\tkidney\tkirc\tcounts.tsv\tcount"
        for n in range(40)
    ]
    sheet = "\n".join(["\t".join(columns.split()), *rows, ""])
    (tmp_path / "samples.tsv").write_text(sheet)
    config = str(root / "config" / "laboratories.yaml")
    planned = snakemake(tmp_path, "-n", "--quiet", "rules", "--configfile", config)
    assert planned.returncode == 0, planned.stdout
    assert re.search(r"^fit_baseline +3$", planned.stdout, flags=re.M), planned.stdout
