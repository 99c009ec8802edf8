"""Reads and alignments in the forms that occur, through the scripts: none lost, faults named."""

import gzip
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, write_config

SAMPLE = "A101-KID"
Text = list[str]  # lines, without their ends


@pytest.fixture(scope="module")
def made(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that has the demo's reads and an index of its genome."""
    folder = tmp_path_factory.mktemp("scripts")
    config = write_config(folder, demo={"pairs": 1000})
    run = snakemake(folder, "--configfile", str(config), "--quiet", "rules", "--", "reference")
    assert run.returncode == 0, run.stdout[-5000:]
    return folder


def run_script(
    name: str,
    folder: Path,
    inputs: dict[str, str],
    outputs: dict[str, str],
    terminal: Path | None = None,
    **params: object,
) -> tuple[int, str]:
    """Run a script of the workflow as Snakemake does: its exit code, and what the terminal gets."""
    folder.mkdir(exist_ok=True)
    arrays = {
        "snakemake": {"threads": 1},
        "snakemake_wildcards": {"sample": "S"},
        "snakemake_params": params,
        "snakemake_input": inputs,
        "snakemake_output": {**outputs, **dict(enumerate(outputs.values()))},
        "snakemake_log": {0: folder / "S.log"},
    }
    text = ""
    for array, items in arrays.items():
        cells = " ".join(f"[{key}]={shlex.quote(str(value))}" for key, value in items.items())
        text += f"declare -A {array}=({cells})\n"
    script = folder / "script.sh"
    script.write_text(text + (ROOT / "workflow/scripts" / name).read_text())
    shown = terminal or folder / "terminal"
    with shown.open("a") as stream:
        run = subprocess.run(["bash", script], stderr=stream, stdout=stream, check=False)
    return run.returncode, shown.read_text()


def align_script(
    made: Path, folder: Path, one: str, two: str = "", trim=False, refuse=False, terminal=None
) -> tuple[int, str]:
    """Align FASTQ files of `folder`, whose names are separated by spaces, with the script alone."""
    inputs = {"fastq_1": one, "fastq_2": two, "index": made / "results/reference/star/Genome"}
    inputs = {
        key: " ".join(str(folder / name) for name in value.split()) if key != "index" else value
        for key, value in inputs.items()
    }
    made = {"bam": ".bam", "bai": ".bam.bai", "log": ".Log.final.out"}
    made |= {"json": ".json", "html": ".html"} if trim else {}
    outputs = {key: folder / "out" / f"S{ending}" for key, ending in made.items()}
    return run_script(
        "alignment/align_reads.sh",
        folder / "out",
        inputs,
        outputs | ({} if trim else {"json": "", "html": ""}),
        terminal,
        accession="",
        trim=trim,
        refuse=refuse,
    )


def given(folder: Path) -> int:
    """How many reads STAR was given."""
    text = (folder / "out/S.Log.final.out").read_text()
    return int(text.split("Number of input reads |")[1].split()[0])


@pytest.fixture
def mates(made: Path) -> tuple[Text, Text]:
    """The lines of 400 read pairs."""
    reads = made / "results/demo/reads"
    one, two = (
        gzip.decompress((reads / f"{SAMPLE}_{mate}.fastq.gz").read_bytes()).decode().splitlines()
        for mate in (1, 2)
    )
    return one[:1600], two[:1600]


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.fq").write_bytes(gzip.compress(text.encode(), 1))


def lines(text: Text) -> str:
    return "".join(f"{line}\n" for line in text)


def fasta(reads: Text, width: int) -> str:
    """The same as FASTA, sequences broken into lines."""
    return "".join(
        f">{reads[i][1:]}\n{reads[i + 1][:width]}\n{reads[i + 1][width:]}\n\n"
        for i in range(0, len(reads), 4)
    )


FILES = {"genome": "genome.fa", "annotation": "annotation.gtf"}
LAYOUTS = {
    "empty line at the end": lambda reads: [lines(reads) + "\n"],
    "four empty lines at the end": lambda reads: [lines(reads) + 4 * "\n"],
    "four empty lines in the middle": lambda reads: [
        lines(reads[:800]) + 4 * "\n" + lines(reads[800:])
    ],
    "blanks at the beginning": lambda reads: ["\n  \n" + lines(reads)],
    "no last line end": lambda reads: [lines(reads)[:-1]],
    "a lane that ends with an empty line": lambda reads: [
        lines(reads[:800]) + "\n",
        lines(reads[800:]),
    ],
    "a lane without a last line end": lambda reads: [lines(reads[:800])[:-1], lines(reads[800:])],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["paired", "single", "trimmed"])
def test_no_read_is_lost_to_empty_lines_and_line_ends(
    made: Path, mates: tuple[Text, Text], tmp_path: Path, layout: str, kind: str
) -> None:
    names: list[list[str]] = [[], []]
    for mate, reads in enumerate(mates if kind != "single" else mates[:1]):
        for lane, text in enumerate(LAYOUTS[layout](reads)):
            names[mate].append(f"L{lane}_{mate}.fq")
            write(tmp_path, f"L{lane}_{mate}", text)
    one, two = map(" ".join, names)
    code, said = align_script(made, tmp_path, one, two, trim=kind == "trimmed")
    assert (code, said) == (0, "")
    if kind == "trimmed":
        report = json.loads((tmp_path / "out/S.json").read_text())["summary"]
        assert report["before_filtering"]["total_reads"] == 800
        assert given(tmp_path) * 2 == report["after_filtering"]["total_reads"]
    else:
        assert given(tmp_path) == 400


@pytest.mark.parametrize("width", [1000, 30], ids=["one line", "several"])
def test_fasta_is_read_to_its_end(
    made: Path, mates: tuple[Text, Text], tmp_path: Path, width: int
) -> None:
    for mate, reads in enumerate(mates):
        write(tmp_path, f"r{mate}", fasta(reads, width))
    assert align_script(made, tmp_path, "r0.fq", "r1.fq") == (0, "")
    assert given(tmp_path) == 400
    code, said = align_script(made, tmp_path, "r0.fq", "r1.fq", trim=True)
    assert code == 1 and "is FASTA, which cannot be trimmed" in said


def interleaved(one: Text, two: Text, suffix: bool) -> Text:
    found = []
    for i in range(0, len(one), 4):
        for mate, reads in ((1, one), (2, two)):
            found += [reads[i] + (f"/{mate}" if suffix else ""), *reads[i + 1 : i + 4]]
    return found


BROKEN = {
    "interleaved": (lambda a, b: lines(interleaved(a, b, False)), None, "(interleaved)"),
    "interleaved /1 /2": (lambda a, b: lines(interleaved(a, b, True)), None, "(interleaved)"),
    "page": (lambda a, b: "<!DOCTYPE html>\n<p>\n", None, "line 1: it is '<!DOCTYPE html>'"),
    "no reads": (lambda a, b: "", lambda a, b: "", "hold no reads"),
    "sent twice": (lambda a, b: lines(a), lambda a, b: lines(a), "hold the same reads"),
    "no plus": (
        lambda a, b: lines([*a[:402], "x", *a[403:]]),
        None,
        "no FASTQ at line 403: it is 'x'",
    ),
    "no at sign": (
        lambda a, b: lines([*a[:400], a[400][1:], *a[401:]]),
        None,
        "no FASTQ at line 401",
    ),
    "fewer qualities": (
        lambda a, b: lines([*a[:403], a[403][:-3], *a[404:]]),
        None,
        "75 bases, but 72 qualities in line 404",
    ),
    "no bases": (lambda a, b: lines([*a[:401], "", *a[402:]]), None, "no bases in line 402"),
    "Windows in the middle": (
        lambda a, b: lines(a[:800]) + lines(a[800:]).replace("\n", "\r\n"),
        None,
        "ends line 803 as Windows does",
    ),
    "Macintosh": (lambda a, b: "\r".join(a), None, "as old Macintosh computers did"),
    "binary": (lambda a, b: "BAM\1\r\n\0\2\n", None, "it is binary, or no plain text"),
    "cut off": (lambda a, b: lines(a)[:-20], None, "qualities in line 1600"),
    "second mate": (
        lambda a, b: lines(a),
        lambda a, b: lines([*b[:402], "x", *b[403:]]),
        "b.fq is no FASTQ at line 403",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_faults_of_reads_are_named_with_their_line(
    made: Path, mates: tuple[Text, Text], tmp_path: Path, name: str
) -> None:
    one, two, words = BROKEN[name]
    write(tmp_path, "a", one(*mates))
    if two:
        write(tmp_path, "b", two(*mates))
    code, said = align_script(made, tmp_path, "a.fq", "b.fq" if two else "")
    assert code == 1 and words in said, said
    assert said.startswith("Error: sample S: ") and said.count("\n") == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("S.log", "script.sh", "terminal")
    }


def test_mates_that_diverge_within_the_file_are_refused(
    made: Path, mates: tuple[Text, Text], tmp_path: Path
) -> None:
    """One read is missing in the middle of the first file, another at the end of the second."""
    one, two = ([f"{line}x" if i % 4 == 0 else line for i, line in enumerate(m * 4)] for m in mates)
    for reads in (one, two):
        reads[::4] = [f"@read{number}:" for number in range(1600)]
    write(tmp_path, "a", lines(one[:1600] + one[1604:]))
    write(tmp_path, "b", lines(two[:-4]))
    code, said = align_script(made, tmp_path, "a.fq", "b.fq")
    assert code == 1 and "read 1001 of" in said and "is another than" in said, said


def test_mates_named_as_lanes_and_repeated_lanes_are_refused(
    made: Path, mates: tuple[Text, Text], tmp_path: Path
) -> None:
    for mate, name in enumerate("ab"):
        reads = mates[mate].copy()
        reads[::4] = [f"@A:1:F:1:1:{i}:9 {mate + 1}:N:0:A" for i in range(len(reads) // 4)]
        write(tmp_path, name, lines(reads))
    code, said = align_script(made, tmp_path, "a.fq b.fq")
    assert code == 1 and "begin with read A:1:F:1:1:0:9, both" in said, said
    code, said = align_script(made, tmp_path, "a.fq a.fq", "b.fq b.fq")
    assert code == 1 and "a lane is named twice" in said, said
    assert align_script(made, tmp_path, "a.fq", "b.fq")[0] == 0


def test_a_refused_sample_has_a_refusal_in_all_outputs(made: Path, tmp_path: Path) -> None:
    write(tmp_path, "a", "<html>\n")
    log = tmp_path / "run.log"
    log.write_text("what stood before\n")
    code, said = align_script(made, tmp_path, "a.fq", refuse=True, terminal=log)
    assert code == 0 and said.startswith("what stood before\nError: sample S: ")
    expected = f"refused: {tmp_path}/a.fq is no FASTQ at line 1"
    for ending in (".bam", ".bam.bai", ".Log.final.out"):
        assert (tmp_path / f"out/S{ending}").read_text().startswith(expected)
    assert count_script(made, tmp_path, tmp_path / "out/S.bam", "auto", refuse=True)[0] == 0
    for name in ("S.tsv", "S.tsv.summary"):
        assert (tmp_path / "counts" / name).read_text().startswith(expected)


def count_script(
    made: Path,
    folder: Path,
    bam: Path,
    strandedness: str,
    refuse: bool = False,
    sequences: Path | str = "",
) -> tuple[int, str]:
    reference = made / "results/reference"
    inputs = {
        "bam": bam,
        "annotation": reference / "annotation.gtf",
        "chromosomes": reference / "chromosomes.tsv",
        "sequences": sequences,
    }
    outputs = {
        "counts": folder / "counts/S.tsv",
        "summary": folder / "counts/S.tsv.summary",
    }
    shutil.rmtree(folder / "counts", ignore_errors=True)
    return run_script(
        "counts/count_reads.sh",
        folder / "counts",
        inputs,
        outputs,
        strandedness=strandedness,
        refuse=refuse,
    )


@pytest.fixture(scope="module")
def alignments(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BAM files of one sample: as it is, and with the reads of one strand alone ("reverse")."""
    folder = tmp_path_factory.mktemp("bam")
    reads = made / "results/demo/reads"
    for mate in (1, 2):
        shutil.copy(reads / f"{SAMPLE}_{mate}.fastq.gz", folder / f"{mate}.fq")
    code, said = align_script(made, folder, "1.fq", "2.fq")
    assert code == 0, said
    genes = (made / "results/reference/annotation.gtf").read_text().splitlines()
    for strand in "+-":
        rows = [line.split("\t") for line in genes if "\tgene\t" in line]
        bed = [f"{r[0]}\t{int(r[3]) - 1}\t{r[4]}" for r in rows if r[6] == strand]
        (folder / f"{strand}.bed").write_text("\n".join(bed) + "\n")
    # A reverse library: the first mate lies on the strand that the gene does not.
    keep = {"+": "(flag.read1 && flag.reverse) || (flag.read2 && !flag.reverse)"}
    keep["-"] = "(flag.read1 && !flag.reverse) || (flag.read2 && flag.reverse)"
    for strand, flags in keep.items():
        command = ["samtools", "view", "-b", "-L", folder / f"{strand}.bed", "-e", flags]
        command += ["-o", folder / f"{strand}.bam", folder / "out/S.bam"]
        subprocess.run(command, check=True)
    parts = [folder / "+.bam", folder / "-.bam"]
    subprocess.run(["samtools", "merge", "-f", folder / "reverse.bam", *parts], check=True)
    shutil.copy(folder / "out/S.bam", folder / "both.bam")
    return folder


def test_a_stated_strand_is_compared_with_the_alignments(
    made: Path, alignments: Path, tmp_path: Path
) -> None:
    code, said = count_script(made, tmp_path, alignments / "reverse.bam", "forward")
    assert code == 1 and "strandedness forward" in said and "write reverse, or auto" in said, said
    for right in ("reverse", "auto", "none"):
        assert count_script(made, tmp_path, alignments / "reverse.bam", right) == (0, "")
    code, said = count_script(made, tmp_path, alignments / "both.bam", "forward")
    assert code == 0 and said.startswith("Warning: sample S: ") and "'none' counts both" in said
    header = (tmp_path / "counts/S.tsv.summary").read_text().splitlines()[0]
    assert header == "Status\tS", "the name that MultiQC shows"


def test_bam_files_of_another_build_or_damaged_are_refused_before_counting(
    made: Path, alignments: Path, tmp_path: Path
) -> None:
    whole = alignments / "both.bam"
    header = subprocess.run(
        ["samtools", "view", "-H", whole], check=True, capture_output=True, text=True
    ).stdout
    size = header.split("SN:chr1\tLN:")[1].split()[0]
    longer = header.replace(f"LN:{size}", f"LN:{int(size) + 5000}", 1)
    for name, text in (("build", longer), ("names", header.replace("SN:chr", "SN:"))):
        (tmp_path / f"{name}.sam").write_text(text)
        with (tmp_path / f"{name}.bam").open("wb") as out:
            command = ["samtools", "reheader", tmp_path / f"{name}.sam", whole]
            subprocess.run(command, check=True, stdout=out)
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "damaged.bam").write_bytes(content)
    for name, words in (
        ("build", f"its chr1 has {int(size) + 5000} bases, that of the reference {size}"),
        ("names", "none of its chromosomes is in the reference"),
        ("damaged", "damaged.bam: damaged: samtools cannot read it to its end"),
    ):
        code, said = count_script(made, tmp_path, tmp_path / f"{name}.bam", "none")
        assert code == 1 and words in said, said
        assert not (tmp_path / "counts/S.tsv").exists()


@pytest.fixture(scope="module")
def sequences(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checksums of the genome, as the workflow has them made."""
    path = tmp_path_factory.mktemp("dict") / "genome.dict"
    genome = made / "results/reference/genome.fa"
    subprocess.run(["samtools", "dict", "-o", path, genome], check=True)
    return path


def to_cram(bam: Path, cram: Path, genome: Path) -> Path:
    """The CRAM of a BAM, whose genome is gone once it is made."""
    copied = shutil.copy(genome, cram.with_suffix(".fa"))
    subprocess.run(["samtools", "view", "-C", "-T", copied, "-o", cram, bam], check=True)
    for file in cram.parent.glob(f"{cram.stem}.fa*"):
        file.unlink()
    return cram


def other_genome(genome: Path) -> str:
    """A genome whose chromosomes have the same names and lengths, but other bases."""
    text = genome.read_text().splitlines()
    return lines([line if line[0] == ">" else line[::-1] for line in text])


@pytest.mark.parametrize("kind", ["paired", "single"])
def test_the_counts_of_a_cram_are_those_of_its_bam(
    made: Path, alignments: Path, sequences: Path, tmp_path: Path, kind: str, reference_server
) -> None:
    bam = alignments / "both.bam"
    if kind == "single":
        bam = tmp_path / "single.bam"
        command = ["samtools", "view", "-b", "-f", "64", "--remove-flags", "0xEB", "-o", bam]
        subprocess.run([*command, alignments / "both.bam"], check=True)
    cram = to_cram(bam, tmp_path / "S.cram", made / "results/reference/genome.fa")
    for strand in ("none", "auto"):
        found = []
        for file, known in ((bam, ""), (cram, sequences)):
            assert count_script(made, tmp_path, file, strand, sequences=known) == (0, "")
            counts, summary = (
                (tmp_path / "counts" / name).read_text() for name in ("S.tsv", "S.tsv.summary")
            )
            header, _, rows = counts.partition("\n")
            assert header == f"Geneid\t{file}"
            found.append((rows, summary))
        assert found[0] == found[1]
        assert sum(int(line.split()[1]) for line in found[0][0].splitlines()) > 200
    assert reference_server == []


def test_the_workflow_reads_cram_as_it_reads_bam(
    snakemake, made: Path, alignments: Path, tmp_path: Path, reference_server
) -> None:
    """A CRAM is known by its content, whatever its name; one of another genome stops its sample."""
    reference = made / "results/reference"
    shutil.copy(alignments / "both.bam", tmp_path / "b.bam")
    to_cram(tmp_path / "b.bam", tmp_path / "c", reference / "genome.fa")
    (tmp_path / "other.fa").write_text(other_genome(reference / "genome.fa"))
    to_cram(tmp_path / "b.bam", tmp_path / "o.cram", tmp_path / "other.fa")
    labels = {"study": "A", "source": "A", "disease_state": "neoplastic", "tissue": "liver"}
    sheet = pd.DataFrame({"sample": list("bco"), "donor": list("bco"), "subtype": ""})
    sheet = sheet.assign(**labels, bam=["b.bam", "c", "o.cram"])
    sheet.to_csv(tmp_path / "samples.tsv", sep="\t", index=False)
    paths = {key: {"path": str(reference / name), "checksum": None} for key, name in FILES.items()}
    config = write_config(tmp_path, samples="samples.tsv", demo=None, reference=paths)
    results = tmp_path / "results"
    arguments = ["--configfile", str(config), "--keep-going", "--quiet", "rules", "--"]

    def run(samples: str) -> subprocess.CompletedProcess[str]:
        targets = ("results/counts/{}.tsv", "results/integrity/profiles/{}.npz")
        return snakemake(tmp_path, *arguments, *(t.format(s) for s in samples for t in targets))

    assert run("b").returncode == 0
    assert not (results / "reference/genome.dict").exists()
    failed = run("co")
    assert failed.returncode == 1
    assert failed.stdout.count("o.cram: ") >= 2, "from counts and profile"
    assert not (results / "counts/o.tsv").exists()
    counts = [(results / f"counts/{s}.tsv").read_text().partition("\n")[2] for s in "bc"]
    assert counts[0] == counts[1]
    profiles = [np.load(results / f"integrity/profiles/{s}.npz") for s in "bc"]
    for key in profiles[0]:
        np.testing.assert_array_equal(*(profile[key] for profile in profiles))
    assert profiles[0]["reads"] > 1000
    assert reference_server == []


@pytest.mark.parametrize("refuse", [False, True])
def test_a_cram_of_another_genome_is_refused_by_its_checksums(
    made: Path, alignments: Path, sequences: Path, tmp_path: Path, refuse: bool, reference_server
) -> None:
    """Its chromosomes have the names and lengths of the reference."""
    (tmp_path / "other.fa").write_text(other_genome(made / "results/reference/genome.fa"))
    cram = to_cram(alignments / "both.bam", tmp_path / "S.cram", tmp_path / "other.fa")
    header = subprocess.run(["samtools", "head", cram], check=True, capture_output=True, text=True)
    expected, found = (
        text.split("SN:chr1\t")[1].split("M5:")[1].split()[0]
        for text in (sequences.read_text(), header.stdout)
    )
    assert expected != found
    code, said = count_script(made, tmp_path, cram, "none", refuse, sequences)
    assert code == (0 if refuse else 1)
    assert all(fact in said for fact in (str(cram), "chr1", found, expected)), said
    assert said.startswith("Error: ") and said.count("\n") == 1 and "htslib" not in said
    counts = tmp_path / "counts/S.tsv"
    assert counts.read_text().startswith(f"refused: {cram}") if refuse else not counts.exists()
    assert reference_server == []


def test_a_cram_that_is_cut_off_is_refused(
    made: Path, alignments: Path, sequences: Path, tmp_path: Path
) -> None:
    genome = made / "results/reference/genome.fa"
    cram = to_cram(alignments / "both.bam", tmp_path / "S.cram", genome)
    whole = cram.read_bytes()
    for part in (0.0001, 0.5, 0.9999):
        cram.write_bytes(whole[: int(len(whole) * part)])
        code, said = count_script(made, tmp_path, cram, "none", sequences=sequences)
        assert code == 1 and said.startswith(f"Error: {cram}: ") and said.count("\n") == 1, said


def test_killed_tools_are_reported_and_the_next_run_starts_again(
    made: Path, mates: tuple[Text, Text], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    star = shutil.which("STAR")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/STAR").write_text("#!/bin/bash\nkill -9 $$\n")
    (tmp_path / "bin/STAR").chmod(0o755)
    write(tmp_path, "a", lines(mates[0]))
    reference = made / "results/reference"
    index = tmp_path / "star"
    (index / ".tmp").mkdir(parents=True)  # what STAR leaves when it is killed

    def make_index() -> tuple[int, str]:
        inputs = {key: reference / name for key, name in FILES.items()}
        outputs = {"Genome": index / "Genome"}
        return run_script(
            "reference/index_genome.sh", index, inputs, outputs, sparsity=1, overhang=74
        )

    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        code, said = align_script(made, tmp_path, "a.fq", refuse=True)
        assert code == 1 and "STAR was killed" in said and "memory" in said, said
        assert not (tmp_path / "out/S.bam").exists(), "no sample is refused for it"
        code, said = make_index()
        assert code == 137 and "STAR was killed" in said and "star_sparsity" in said, said
    assert star and make_index()[0] == 0
    assert (index / "SA").stat().st_size > 0 and not (index / ".tmp").exists()
