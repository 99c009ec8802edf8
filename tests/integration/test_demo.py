"""The demo from raw reads to the report, held to the truth that was simulated."""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import anndata
import pandas as pd
import pytest
from conftest import ROOT
from second_build import write_second_build
from tissuestate.bundle.format import CARD, read_bundle, write_bundle


@pytest.fixture(scope="module")
def demo(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete run."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "config", folder / "config")
    run = snakemake(folder)
    assert run.returncode == 0, run.stdout[-5000:]
    (folder / "terminal.txt").write_text(run.stdout)
    return folder


def table(path: Path, **options: object) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", **options)


def test_the_run_is_told_in_few_lines_and_ends_with_what_to_read(demo: Path) -> None:
    lines = (demo / "terminal.txt").read_text().splitlines()
    print(len(lines), "lines")
    assert len(lines) <= 150 and max(map(len, lines)) <= 300
    said = r"on simulated test samples: tumour or not \d+ of \d+, tissue of origin \d+ of \d+"
    assert re.search(said, lines[-3])
    assert lines[-1] == "Start with results/report/summary.html"


def test_degraded_and_empty_samples_are_excluded_and_no_others(demo: Path) -> None:
    truth = table(demo / "results/demo/truth_samples.tsv").set_index("sample")
    qc = table(demo / "results/quality/samples.tsv").set_index("sample")
    spoiled = set(truth.index[truth["degraded"] | truth["empty"]])
    dropped = set(qc.index[~qc["kept"]])
    print(f"degraded {truth['degraded'].sum()}, empty {truth['empty'].sum()}, dropped {dropped}")
    assert truth["degraded"].sum() == 6 and truth["empty"].sum() == 1
    assert dropped == spoiled
    assert qc.loc[list(dropped), "reason"].str.len().min() > 0
    degraded = truth.index[truth["degraded"]]
    assert qc.loc[degraded, "reason"].str.contains("mRIN").all()


def test_the_batch_effect_shrinks_and_biology_stays(demo: Path) -> None:
    rows = table(demo / "results/expression/diagnostics.tsv", dtype=str)
    rows = rows[rows["stage"].isin(["before", "after"])]
    found = rows.pivot(index="measure", columns="stage", values="value").astype(float)
    print(found.to_string())
    before, after = found["before"], found["after"]
    assert after["variance_source"] < 0.5 * before["variance_source"]
    assert after["predicted_source"] < before["predicted_source"] - 0.2
    assert after["concordance"] >= 0.9 > before["concordance"]
    assert after["predicted_tissue"] >= before["predicted_tissue"] - 0.02
    assert after["predicted_disease_state"] >= before["predicted_disease_state"] - 0.02


def test_calls_on_test_samples_are_right_well_above_chance(demo: Path) -> None:
    classes = json.loads((demo / "results/cohort/classes.json").read_text())
    metrics = table(demo / "results/evaluation/dl_pca/metrics.tsv")
    found = metrics[metrics["metric"] == "balanced_accuracy"].set_index("head")["value"]
    for head in ("disease_state", "tissue", "subtype"):
        chance = 1 / len(classes[head])
        print(f"{head}: balanced accuracy {found[head]:.3f}, chance {chance:.3f}")
        assert found[head] >= chance + 0.6 * (1 - chance)


def test_how_far_to_trust_a_call_is_measured_and_frozen_in_the_bundle(demo: Path) -> None:
    sets = table(demo / "results/evaluation/dl_pca/sets.tsv")
    whole = sets[sets["tissue"].isna()].set_index("head")
    print(whole[["samples", "coverage", "size", "empty"]].to_string())
    assert whole.loc[["disease_state", "tissue"], "coverage"].min() >= 0.6
    missing = table(demo / "results/evaluation/dl_pca/missing_genes.tsv")
    fifth = missing[(missing["missing"] == 0.2) & (missing["split"] == "test")]
    assert fifth["loss"].max() < 0.15
    bundle = json.loads((demo / "results/bundle/bundle.json").read_text())
    assert 0 < bundle["thresholds"]["genes"] < 1
    assert set(bundle["sets"]["thresholds"]) == {"disease_state", "tissue", "subtype"}


def test_training_and_test_share_no_donor(demo: Path) -> None:
    samples = table(demo / "results/cohort/samples.tsv", dtype=str)
    assert samples.groupby("donor")["split"].nunique().max() == 1
    assert set(samples["split"]) == {"train", "validation", "test"}


def test_all_models_are_compared(demo: Path) -> None:
    benchmark = table(demo / "results/benchmark/benchmark.tsv")
    assert set(benchmark["model"]) == {
        *("dl_pca", "dl_rf", "dl_all", "dt", "et", "svm", "sgd", "knn"),
        *("logreg", "linear_svm", "boosting"),
    }
    assert benchmark[["balanced_accuracy", "fit_seconds", "peak_memory_mb"]].notna().all(axis=None)


def test_cross_validation_and_the_studies_left_out_are_scored(demo: Path) -> None:
    folder = demo / "results/protocols"
    folds = table(folder / "crossvalidation.tsv")
    kept = table(demo / "results/quality/samples.tsv")["kept"].sum()
    assert (folds.loc[folds["head"] == "tissue", "n"] == kept).all()
    outside = table(folder / "outside.tsv")
    assert set(outside["part"]) == {"atlas", "oncology"}
    print(outside[outside["metric"] == "balanced_accuracy"].to_string())


def test_the_bundle_repeats_the_call_of_training(snakemake, demo: Path) -> None:
    """Reads of test samples, sent through `classify` without labels, give the numbers they had."""
    predictions = table(demo / "results/evaluation/dl_pca/predictions.tsv")
    chosen = predictions[predictions["split"] == "test"].head(3).set_index("sample")
    sheet = table(ROOT / "resources/demo.tsv", dtype=str, keep_default_na=False)
    sheet = sheet.set_index("sample").loc[chosen.index, ["fastq_1", "fastq_2"]]
    sheet.to_csv(demo / "new.tsv", sep="\t")
    config = ["--config", "bundle=results/bundle", "samples=new.tsv"]
    run = snakemake(demo, "classify", "--quiet", "rules", *config)
    assert run.returncode == 0, run.stdout[-5000:]
    calls = table(demo / "results/classification/calls.tsv").set_index("sample").loc[chosen.index]
    columns = [name for name in chosen.columns if name.startswith("tissue:")]
    difference = (calls[columns] - chosen[columns]).abs().to_numpy().max()
    print(f"largest difference of a probability: {difference:.2e}")
    assert difference < 1e-5
    novelty = table(demo / "results/evaluation/dl_pca/novelty.tsv").set_index("sample")["score"]
    assert (calls["novelty"] - novelty.loc[chosen.index]).abs().max() < 1e-4
    answered = calls["tissue_abstained"].isna()
    assert (calls["tissue"] == chosen["tissue_call"])[answered].all()
    assert calls.loc[~answered, "tissue"].isna().all()
    genes = table(demo / "results/classification/genes.tsv", dtype={"sample": str})
    for sample in chosen.index:
        page = (demo / f"results/classification/pages/{sample}.html").read_text()
        assert (
            "Tissue of origin" in page and "of the training cohort" in page and "Simulated" in page
        )
        assert ("Genes that weigh most" in page) == (sample in set(genes["sample"]))
    index = (demo / "results/classification/pages/index.html").read_text()
    assert all(f'href="{sample}.html"' in index for sample in chosen.index)


def plate(demo: Path, name: str, split: str, first: int = 0) -> pd.DataFrame:
    """Counts of two samples of the cohort under the names P1 and P2, in files called `name`."""
    cohort = anndata.read_h5ad(demo / "results/cohort/cohort.h5ad")
    chosen = cohort[(cohort.obs["split"] == split).to_numpy()][first : first + 2]
    counts = pd.DataFrame(chosen.X.T.astype(int), cohort.var_names, ["P1", "P2"])
    counts.to_csv(demo / f"{name}.tsv", sep="\t")
    sheet = f"sample\tmatrix\tunit\nP1\t{name}.tsv\tcount\nP2\t{name}.tsv\tcount\n"
    (demo / f"{name}_samples.tsv").write_text(sheet)
    return counts


def classified(
    snakemake,
    demo: Path,
    sheet: str,
    *more: str,
    bundle: str = "results/bundle",
    explain: bool = True,
) -> tuple[subprocess.CompletedProcess[str], pd.DataFrame | None]:
    """The run and its table of calls (None: no calls), in a folder of their own."""
    options = [f"bundle={bundle}", f"samples={sheet}", "pathvars={results: results/tried}"]
    options += [] if explain else ["explain=false"]
    arguments = ("classify", "--quiet", "rules", *more, "--config", *options)
    run = snakemake(demo, *arguments)
    calls = demo / "results/tried/calls.tsv"
    if not calls.exists():
        return run, None
    return run, table(calls, dtype=str, keep_default_na=False).set_index("sample")


def test_a_call_names_its_bundle_and_its_input(snakemake, demo: Path) -> None:
    plate(demo, "march", "test")
    run, calls = classified(snakemake, demo, "march_samples.tsv")
    assert run.returncode == 0, run.stdout[-3000:]
    assert "2 of 2 samples called" in run.stdout
    bundle = json.loads((demo / "results/bundle/bundle.json").read_text())["checksum"]
    checksum = hashlib.sha256((demo / "march.tsv").read_bytes()).hexdigest()
    assert set(calls["bundle_fingerprint"]) == {bundle}
    assert set(calls["input"]) == {"march.tsv"} and set(calls["input_sha256"]) == {checksum}
    genes = table(demo / "results/tried/genes.tsv", dtype=str)
    assert set(genes["bundle_fingerprint"]) == {bundle}
    assert set(genes["input_sha256"]) == {checksum}
    record = json.loads((demo / "results/tried/calls.json").read_text())[0]
    about = {"name": "results/bundle", "folder": "results/bundle", "fingerprint": bundle}
    assert record["bundle"] == about
    assert record["input"] == [{"file": "march.tsv", "sha256": checksum}]
    page = (demo / "results/tried/pages/P1.html").read_text()
    assert bundle in page and checksum in page


def test_a_call_is_made_from_the_present_file(snakemake, demo: Path) -> None:
    """Whatever is replaced by whatever, and whatever Snakemake remembers of it."""
    plate(demo, "march", "test")
    plate(demo, "april", "train")
    march = (demo / "march.tsv").read_bytes()
    for name in ("april.tsv", "april_samples.tsv"):
        os.utime(demo / name, (1, 1))
    mtime = ("--rerun-triggers", "mtime")

    def calls(sheet: str, *more: str) -> pd.DataFrame:
        run, found = classified(snakemake, demo, sheet, *more, explain=False)
        assert run.returncode == 0, run.stdout[-3000:]
        return found.drop(columns="input")

    of_april, of_march = calls("april_samples.tsv"), calls("march_samples.tsv")
    assert (of_april["input_sha256"] != of_march["input_sha256"]).all()
    pd.testing.assert_frame_equal(calls("april_samples.tsv", *mtime), of_april)
    pd.testing.assert_frame_equal(calls("march_samples.tsv", *mtime), of_march)
    shutil.copy2(demo / "april.tsv", demo / "march.tsv")
    pd.testing.assert_frame_equal(calls("march_samples.tsv"), of_april)
    (demo / "march.tsv").write_bytes(march)
    os.utime(demo / "march.tsv", (1, 1))
    shutil.rmtree(demo / ".snakemake/metadata")
    pd.testing.assert_frame_equal(calls("march_samples.tsv"), of_march)
    again, _ = classified(snakemake, demo, "march_samples.tsv", *mtime, explain=False)
    assert "Nothing to be done" in again.stdout


def test_an_older_bundle_in_the_place_of_a_newer_one_makes_new_calls(snakemake, demo: Path) -> None:
    plate(demo, "march", "test")
    shutil.copytree(demo / "results/bundle", demo / "used")
    first = classified(snakemake, demo, "march_samples.tsv", bundle="used", explain=False)[1]
    another_bundle(demo / "results/bundle", demo / "older", temperature=3.0)
    shutil.rmtree(demo / "used")
    (demo / "older").rename(demo / "used")
    for path in (demo / "used").rglob("*"):
        os.utime(path, (1, 1))
    mtime = ("--rerun-triggers", "mtime")
    second = classified(snakemake, demo, "march_samples.tsv", *mtime, bundle="used", explain=False)[
        1
    ]
    shutil.rmtree(demo / "used")
    assert (first["bundle_fingerprint"] != second["bundle_fingerprint"]).all()
    assert (first["tissue_probability"] != second["tissue_probability"]).all()


def another_bundle(source: Path, folder: Path, temperature: float, reads: bool = True) -> None:
    """The same bundle with other temperatures, and without what only reads give it."""
    found = read_bundle(source)
    description = {key: value for key, value in found.description.items() if key != "files"}
    description["temperatures"] = dict.fromkeys(description["temperatures"], temperature)
    names = [name for name in found.description["files"] if name != CARD]
    left_out = () if reads else ("integrity.npz", "transcripts.bed")
    files = {name: source / name for name in names if name not in left_out}
    write_bundle(folder, files, description)


def test_a_failed_run_leaves_no_calls_of_another_sheet(snakemake, demo: Path) -> None:
    plate(demo, "march", "test")
    plate(demo, "april", "train")
    assert classified(snakemake, demo, "march_samples.tsv")[0].returncode == 0
    (demo / "broken").mkdir(exist_ok=True)
    (demo / "broken/bundle.json").write_text((demo / "results/bundle/bundle.json").read_text())
    run, calls = classified(snakemake, demo, "april_samples.tsv", bundle="broken")
    assert run.returncode == 1 and "missing" in run.stdout
    assert calls is None
    left = [path.name for path in (demo / "results/tried").iterdir()]
    assert not {"calls.json", "genes.tsv", "pages"} & set(left), left


def test_calls_are_not_written_into_a_folder_of_another_program(snakemake, demo: Path) -> None:
    plate(demo, "march", "test")
    (demo / "diary/pages").mkdir(parents=True)
    (demo / "diary/pages/monday.html").write_text("mine")
    options = ["bundle=results/bundle", "samples=march_samples.tsv", "pathvars={results: diary}"]
    run = snakemake(demo, "classify", "--config", *options)
    assert run.returncode == 1 and "diary holds pages" in run.stdout
    assert (demo / "diary/pages/monday.html").read_text() == "mine"
    run = snakemake(demo, "classify", "--config", "bundle=results/bundle")
    assert run.returncode == 1 and "samples=SHEET" in run.stdout


def test_genes_of_other_calls_are_removed(snakemake, demo: Path) -> None:
    plate(demo, "march", "test")
    plate(demo, "april", "train")
    classified(snakemake, demo, "march_samples.tsv")
    assert (demo / "results/tried/genes.tsv").exists()
    run, calls = classified(snakemake, demo, "april_samples.tsv", explain=False)
    assert run.returncode == 0 and set(calls["input"]) == {"april.tsv"}, run.stdout[-3000:]
    assert not (demo / "results/tried/genes.tsv").exists()


def test_one_bad_sample_is_refused_and_the_others_are_called(snakemake, demo: Path) -> None:
    counts = plate(demo, "march", "test")
    alone = classified(snakemake, demo, "march_samples.tsv")[1]
    spoilt = counts.astype(object)
    spoilt.iloc[5, 1] = "n.d."
    spoilt.to_csv(demo / "march.tsv", sep="\t")
    sheet = (demo / "march_samples.tsv").read_text()
    (demo / "march_samples.tsv").write_text(f"{sheet}P3\tnot_a_table.tsv\tcount\n")
    (demo / "not_a_table.tsv").write_text("this is no table\n")
    run, calls = classified(snakemake, demo, "march_samples.tsv")
    assert run.returncode == 1
    assert "2 of 3 samples refused: 'P2'" in run.stdout.splitlines()[-1]
    assert "n.d." in calls.at["P2", "refused"] and "not_a_table" in calls.at["P3", "refused"]
    heads = [name for name in alone.columns if name.startswith(("tissue", "disease", "novelty"))]
    assert calls.at["P1", "refused"] == ""
    assert calls.loc["P1", heads].tolist() == alone.loc["P1", heads].tolist()
    assert (calls.loc[["P2", "P3"], "tissue"] == "").all()
    assert "n.d." in (demo / "results/tried/pages/P2.html").read_text()
    records = json.loads((demo / "results/tried/calls.json").read_text())
    assert [bool(record["refused"]) for record in records] == [False, True, True]


def reads_sheet(demo: Path, name: str, sample: str) -> str:
    """A sheet whose P1 has copies of the reads of a sample of the cohort, in reads of its own."""
    (demo / "own").mkdir(exist_ok=True)
    for mate in (1, 2):
        source = demo / f"results/demo/reads/{sample}_{mate}.fastq.gz"
        shutil.copy2(source, demo / f"own/{name}_{mate}.fastq.gz")
    files = f"own/{name}_1.fastq.gz\town/{name}_2.fastq.gz"
    (demo / f"{name}_samples.tsv").write_text(f"sample\tfastq_1\tfastq_2\nP1\t{files}\n")
    return f"{name}_samples.tsv"


def test_reads_are_called_by_a_bundle_of_matrices_which_knows_no_integrity(
    snakemake, demo: Path
) -> None:
    another_bundle(demo / "results/bundle", demo / "of_matrices", 1.0, reads=False)
    sheet = reads_sheet(demo, "reads", "A104-KID")
    first = classified(snakemake, demo, sheet, explain=False)[1]
    assert first.at["P1", "mrin"] != ""
    run, calls = classified(snakemake, demo, sheet, bundle="of_matrices", explain=False)
    assert run.returncode == 0, run.stdout[-3000:]
    assert calls.at["P1", "mrin"] == "" and calls.at["P1", "tissue"] == first.at["P1", "tissue"]
    assert "no mRIN to compare with" in calls.at["P1", "warnings"]
    assert float(calls.at["P1", "aligned"]) > 0.9 and float(calls.at["P1", "assigned"]) > 0.5
    assert "the bundle has no reference" in (demo / "results/tried/pages/P1.html").read_text()


def test_reads_on_another_build_of_the_genome_are_called_alike(snakemake, demo: Path) -> None:
    """Other coordinates, names of chromosomes and ids, as hg38 after training on hg19."""
    given = demo / "results/demo"
    write_second_build(given / "genome.fa", given / "annotation.gtf", demo / "second")
    reads_sheet(demo, "one", "A104-KID")
    reads_sheet(demo, "two", "A204-LIV")
    files = [
        f"P{n}\town/{name}_1.fastq.gz\town/{name}_2.fastq.gz"
        for n, name in ((1, "one"), (2, "two"))
    ]
    (demo / "second.tsv").write_text("\n".join(["sample\tfastq_1\tfastq_2", *files, ""]))
    first = classified(snakemake, demo, "second.tsv", explain=False)[1]
    reference = "{genome: {path: second/genome.fa}, annotation: {path: second/annotation.gtf}}"
    options = ["bundle=results/bundle", "samples=second.tsv", "explain=false"]
    options += [
        f"reference={reference}",
        "pathvars={results: second/calls, reference: second/made}",
    ]
    run = snakemake(demo, "classify", "--quiet", "rules", "--config", *options)
    assert run.returncode == 0, run.stdout[-3000:]
    second = table(demo / "second/calls/calls.tsv", dtype=str, keep_default_na=False)
    second = second.set_index("sample")
    figures = ["mrin", "mrin_transcripts", "genes_found"]
    print(pd.concat([first[figures], second[figures]], axis=1).to_string())
    heads = ["tumour", "disease_state", "tissue", "subtype", "refused"]
    assert second[heads].equals(first[heads])
    apart = first["mrin"].astype(float) - second["mrin"].astype(float)
    assert apart.abs().max() < 0.02
    assert (second["mrin_transcripts"].astype(float) >= 100).all()
    log = (demo / "second/calls/logs/check_reference.log").read_text()
    assert re.search(r"mRIN looks at 2\d\d of the bundle's 300 transcripts", log), log


def test_other_reads_in_place_of_a_sample_are_aligned_whatever_their_time(
    snakemake, demo: Path
) -> None:
    sheet = reads_sheet(demo, "reads", "A104-KID")
    classified(snakemake, demo, sheet, explain=False)
    assert reads_sheet(demo, "reads", "A204-LIV") == sheet
    for mate in (1, 2):
        os.utime(demo / f"own/reads_{mate}.fastq.gz", (1, 1))
    run, calls = classified(snakemake, demo, sheet, "--rerun-triggers", "mtime", explain=False)
    assert run.returncode == 0, run.stdout[-3000:]
    sums = [(demo / f"own/reads_{mate}.fastq.gz").read_bytes() for mate in (1, 2)]
    expected = ",".join(hashlib.sha256(content).hexdigest() for content in sums)
    assert calls.at["P1", "input_sha256"] == expected
    assert float(calls.at["P1", "tissue:liver"]) > 0.5


def test_reads_below_the_thresholds_of_training_are_refused(snakemake, demo: Path) -> None:
    sheet = reads_sheet(demo, "few", "A104-KID")
    for mate in (1, 2):
        path = demo / f"own/few_{mate}.fastq.gz"
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        for record in range(len(lines) // 4):
            if record % 10:
                lines[4 * record + 1] = "N" * len(lines[4 * record + 1])
        path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    run, calls = classified(snakemake, demo, sheet, explain=False)
    assert run.returncode == 1
    assert "aligned" in calls.at["P1", "refused"] and calls.at["P1", "tissue"] == ""
    assert 0.05 < float(calls.at["P1", "aligned"]) < 0.15


def test_the_simulated_markers_support_their_classes(demo: Path) -> None:
    truth = table(demo / "results/demo/truth_genes.tsv").set_index("symbol")["marker_of"].fillna("")
    genes = table(demo / "results/report/genes.tsv")
    shares = {}
    for (head, name), rows in genes[genes["rank"] <= 10].groupby(["head", "class"]):
        if (truth == f"{head}:{name}").any():
            shares[f"{head}:{name}"] = (truth[rows["gene"]] == f"{head}:{name}").mean()
    print(shares)
    assert min(share for name, share in shares.items() if name.startswith("tissue")) >= 0.6
    assert sum(shares.values()) / len(shares) >= 0.6


def test_a_second_run_runs_no_job(snakemake, demo: Path) -> None:
    run = snakemake(demo)
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout


def test_the_report_is_one_file_with_every_category(snakemake, demo: Path) -> None:
    run = snakemake(demo, "--report", "report.html")
    assert run.returncode == 0, run.stdout[-3000:]
    text = (demo / "report.html").read_text()
    for category in ("Summary", "Quality", "Cohort", "Correction", "Training", "Evaluation"):
        assert category in text, category
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="https?://', text)


def pages_of(demo: Path) -> list[Path]:
    """The pages that this workflow writes itself, for the run and for three new samples."""
    folders = ("report", "report/run", "protocols", "bundle", "classification/pages")
    return [page for name in folders for page in sorted((demo / "results" / name).glob("*.html"))]


def test_every_page_is_simulated_stands_alone_and_is_open_to_all_readers(
    demo: Path, browser, accessibility
) -> None:
    pages = pages_of(demo)
    names = {page.name for page in pages}
    expected = ("summary", "paper", "genes", "protocols", "MODEL_CARD", "TRIPOD-AI", "index")
    assert {f"{name}.html" for name in expected} <= names
    for path in pages:
        assert path.stat().st_size < 2_000_000, path
        context = browser.new_context(offline=True, viewport={"width": 390, "height": 844})
        page = context.new_page()
        requests: list[str] = []
        page.on("request", lambda request, seen=requests: seen.append(request.url))
        page.goto(path.as_uri())
        assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
        assert "Simulated" in page.inner_text("main"), path
        assert accessibility(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        context.close()
