"""Optional trimming, on a paired, a single-end and a two-lane sample of the demo."""

import json
from pathlib import Path

from conftest import write_config

SAMPLES = {"A101-KID": 2, "A304-LUN": 1, "A103-KID": 2}
PARTS = ("trimmed", "align", "counts")  # the folders that their jobs work in


def test_trimmed_reads_are_aligned_and_counted(snakemake, demo_folder: Path) -> None:
    config = write_config(demo_folder, trim=True, demo={"pairs": 1000})
    remains = [demo_folder / f"results/{part}/.A101-KID.1a2B3c" for part in PARTS]
    for folder in remains:  # of an attempt that was killed
        (folder / "star").mkdir(parents=True)
    targets = [f"results/counts/{sample}.tsv" for sample in SAMPLES]
    run = snakemake(demo_folder, "--configfile", str(config), "--quiet", "rules", "--", *targets)
    assert run.returncode == 0, run.stdout[-5000:]
    for sample, mates in SAMPLES.items():
        report = json.loads((demo_folder / f"results/trimmed/{sample}.fastp.json").read_text())
        assert report["summary"]["before_filtering"]["total_reads"] == 1000 * mates
        summary = (demo_folder / f"results/counts/{sample}.tsv.summary").read_text()
        counted = dict(line.split("\t") for line in summary.splitlines()[1:])
        print(sample, "assigned", counted["Assigned"])
        assert int(counted["Assigned"]) > 800
    assert not [folder for folder in remains if folder.exists()]
    assert not list((demo_folder / "results/trimmed").glob("*.fastq.gz"))
