"""A dry run of each shipped config plans what it should."""

import re
from pathlib import Path

import pandas as pd


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


def test_reads_are_called_on_hg38_with_a_bundle_of_matrices(snakemake, root, tmp_path) -> None:
    for name in ("a_1", "a_2", "b"):
        (tmp_path / f"{name}.fastq").write_text(f"@{name}\nACGT\n+\nIIII\n")
    rows = ["sample\tfastq_1\tfastq_2", "a\ta_1.fastq\ta_2.fastq", "b\tb.fastq\t", ""]
    (tmp_path / "new.tsv").write_text("\n".join(rows))
    config = str(root / "config" / "hg38.yaml")
    bundle = f"bundle={root}/tests/data/bundle"
    planned = snakemake(
        *(tmp_path, "classify", "-n", "--quiet", "rules", "--configfile", config),
        *("--config", bundle, "samples=new.tsv"),
    )
    assert planned.returncode == 0, planned.stdout
    for rule, number in (("fetch_genome", 1), ("fetch_annotation", 1), ("align_reads", 2)):
        assert re.search(rf"^{rule} +{number}$", planned.stdout, flags=re.M), planned.stdout
    assert "profile_integrity" not in planned.stdout, "the bundle has no mRIN"


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


def test_the_config_of_recount3_leaves_out_its_laboratories(
    snakemake, root: Path, tmp_path: Path
) -> None:
    projects = pd.read_csv(root / "resources" / "recount3.tsv", sep="\t", dtype=str).iloc[-5:]
    sheet = projects[["matrix", "laboratory"]]
    sheet = sheet.loc[sheet.index.repeat(2)].reset_index(drop=True)
    sheet["sample"] = sheet["donor"] = [f"s{number}" for number in range(len(sheet))]
    sheet = sheet.assign(study=sheet["laboratory"], source=sheet["laboratory"], unit="count")
    sheet = sheet.assign(disease_state="neoplastic", tissue="liver", subtype="")
    (tmp_path / "config").mkdir()
    sheet.to_csv(tmp_path / "config" / "recount3.tsv", sep="\t", index=False)
    config = str(root / "config" / "recount3.yaml")
    planned = snakemake(tmp_path, "-n", "--quiet", "rules", "--configfile", config)
    assert planned.returncode == 0, planned.stdout
    for rule, number in (
        ("fetch_recount3", sheet["matrix"].nunique()),
        ("leave_out_laboratory", sheet["laboratory"].nunique()),
    ):
        assert re.search(rf"^{rule} +{number}$", planned.stdout, flags=re.M), planned.stdout
