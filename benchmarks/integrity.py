"""How fast mRIN is: against samtools and RSeQC's tin.py on one BAM, and the step over a cohort.

    PYTHONPATH=workflow/lib python benchmarks/integrity.py --bed refGene.rep.uniq.hg19.bed.gz \\
        --tin /path/to/tin.py

writes benchmarks/integrity.tsv, one row per measurement. Everything is measured as a whole process:
wall clock, processor time, largest resident memory. The programs take turns on the same file, and
of `--repeats` turns the fastest counts (tin.py, mosdepth alone and samtools depth run once). The
BAM is simulated from the transcripts of the BED file (simulated too, if none is given): 2 × 75 nt,
spliced, expression log-normal, sequences from a random genome, base qualities from an
Illumina-like chain. tin.py comes with `pip install RSeQC`, best into an environment of its own,
mosdepth with Debian; without them their rows are missing. The profiles of mosdepth and of CRAM must
equal ours from BAM.

The rows of 2,000,000 reads in the table come from `--pairs 1000000 --repeats 1 --samples 24`, on a
machine so busy that processor time alone can be compared.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tissuestate.checksums import file_checksum
from tissuestate.integrity.profiles import Profile, save_profile
from tissuestate.reference.transcripts import Transcript, read_bed, write_bed

READ = 75
GENOME = 1 << 22  # the random sequence repeats after so many bases
SAMPLES, TRANSCRIPTS = 10_116, 18_338

OURS = """
import sys
from tissuestate.checksums import file_checksum
from tissuestate.integrity.profiles import profile_bam, save_profile
from tissuestate.reference.transcripts import read_bed
bam, bed, out, threads = sys.argv[1:]
save_profile(out, profile_bam(bam, read_bed(bed), int(threads)), file_checksum(bed))
"""
# The same profile from mosdepth's runs of equal depth. What it lacks: how many reads have passed.
MOSDEPTH = """
import subprocess
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from tissuestate.integrity import profiles
from tissuestate.integrity.intervals import read_chromosome_lengths
from tissuestate.integrity.coverage import Coverage
from tissuestate.reference.transcripts import read_bed
bam, bed, out, threads = sys.argv[1:]

def coverage_of_bam(bam, transcripts, threads, *_):
    prefix = Path(out).with_suffix(".mosdepth")
    command = ["mosdepth", "-x", "-F", "1548", "-Q", "30", "-t", str(threads - 1), prefix, bam]
    subprocess.run(command, check=True)
    runs = pd.read_csv(f"{prefix}.per-base.bed.gz", sep="\\t", header=None, engine="c",
                       names=["chrom", "start", "end", "depth"], dtype={"chrom": "category"})
    runs = runs[runs["depth"] > 0]
    chroms = list(read_chromosome_lengths(bam))
    coverage = Coverage(transcripts, chroms)
    for chrom, part in runs.groupby("chrom", observed=True):
        number = chroms.index(chrom)
        bases = coverage._bases.get(number)
        if bases is not None:
            steps = coverage._steps[number] = np.zeros(bases.count + 1, np.int32)
            depth = part["depth"].to_numpy(np.int32)
            np.add.at(steps, bases.rank(part["start"].to_numpy()), depth)
            np.subtract.at(steps, bases.rank(part["end"].to_numpy()), depth)
    return coverage

profiles.coverage_of_bam = coverage_of_bam
made = profiles.profile_bam(bam, read_bed(bed), int(threads))
profiles.save_profile(out, made, profiles.digest(bed))
"""
COHORT = """
import sys
from pathlib import Path
from tissuestate.integrity.mrin import score_cohort
folder, bed = map(Path, sys.argv[1:])
profiles = {path.stem: path for path in sorted(folder.glob("*.npz"))}
result = score_cohort(profiles, bed, set(list(profiles)[: len(profiles) * 7 // 10]))
assert result.mrin["mrin"].notna().all()
"""


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    wall: float
    cpu: float
    memory_mb: float


def measure(command: list[str | Path]) -> Cost:
    """Run a command to its end and return its cost."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    if status:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # a child starts with its parent's
    memory = usage.ru_maxrss / 1024 if usage.ru_maxrss > own else float("nan")
    return Cost(wall, usage.ru_utime + usage.ru_stime, memory)


def simulated_annotation(rng: np.random.Generator) -> list[Transcript]:
    """Transcripts with the exon numbers and sizes of human genes, one after the other."""
    transcripts, position = [], 0
    for number in range(TRANSCRIPTS):
        exons, at = [], position % 150_000_000
        for size in rng.lognormal(5, 0.6, rng.geometric(0.1)).astype(int) + 30:
            exons.append((at, at + int(size)))
            at += int(size) + int(rng.lognormal(7.3, 1.3)) + 30
        exons[-1] = (exons[-1][0], exons[-1][1] + 900)
        chrom = f"chr{position // 150_000_000 + 1}"
        transcripts.append(Transcript(f"t{number}", chrom, "+-"[number % 2], tuple(exons)))
        position += at - position % 150_000_000 + 30_000
    return transcripts


def write_bam(path: Path, transcripts: list[Transcript], pairs: int, seed: int) -> None:
    """Write a sorted, indexed BAM of read pairs from the transcripts."""
    rng = np.random.default_rng(seed)
    genome = rng.choice(np.frombuffer(b"ACGT", np.uint8), GENOME + READ).tobytes().decode()
    falls = rng.random((5000, READ)).argsort(axis=1)[:, :6]  # a few bases of lower quality
    qualities = np.full((5000, READ), ord("J"), np.uint8)
    qualities[:, -20:] -= rng.integers(0, 10, (5000, 20)).astype(np.uint8)
    np.put_along_axis(qualities, falls, rng.choice(list(b"#2<FH"), falls.shape), axis=1)
    quality = [row.tobytes().decode() for row in qualities]

    length = np.array([t.length for t in transcripts])
    weight = np.exp(rng.normal(0, 2, len(transcripts))) * length * (length > 300)
    copies = rng.multinomial(pairs, weight / weight.sum())
    chroms = sorted({t.chrom for t in transcripts})
    ends = {c: max(t.end for t in transcripts if t.chrom == c) + 10_000 for c in chroms}
    writer = subprocess.Popen(
        ["samtools", "view", "-b", "-o", str(path), "-"], stdin=subprocess.PIPE, text=True
    )
    assert writer.stdin is not None
    writer.stdin.write("@HD\tVN:1.4\tSO:coordinate\n")
    writer.stdin.writelines(f"@SQ\tSN:{chrom}\tLN:{end}\n" for chrom, end in ends.items())
    serial = 0
    for chrom in chroms:
        records: list[tuple[int, str]] = []
        for t, n in zip(transcripts, copies.tolist(), strict=True):
            if t.chrom != chrom or not n:
                continue
            size = np.clip(rng.normal(220, 40, n).astype(int), READ, t.length)
            first = (rng.random(n) * (t.length - size + 1)).astype(int)
            unique = rng.random(n) < 0.94
            for a, b, once in zip(
                first.tolist(), (first + size - READ).tolist(), unique.tolist(), strict=True
            ):
                serial += 1
                (p, cigar_p), (q, cigar_q) = aligned(t, a), aligned(t, b)
                mapq, hits = (255, 1) if once else (3, 2)
                span = q + READ - p
                for flag, at, cigar, mate, tlen, k in (
                    (99, p, cigar_p, q, span, serial),
                    (147, q, cigar_q, p, -span, serial * 7),
                ):
                    base = genome[at % GENOME : at % GENOME + READ]
                    records.append(
                        (
                            at,
                            f"SRR1039508.{serial}\t{flag}\t{chrom}\t{at + 1}\t{mapq}\t{cigar}\t=\t"
                            f"{mate + 1}\t{tlen}\t{base}\t{quality[k % 5000]}\tNH:i:{hits}\t"
                            f"HI:i:1\tAS:i:{2 * READ - 2}\tNM:i:0\tMD:Z:{READ}\n",
                        )
                    )
        records.sort()
        writer.stdin.writelines(line for _, line in records)
    writer.stdin.close()
    if writer.wait():
        sys.exit("samtools view could not write the simulated BAM")
    subprocess.run(["samtools", "index", str(path)], check=True)


def aligned(transcript: Transcript, begin: int) -> tuple[int, str]:
    """Where a read from base `begin` of a transcript lies: genomic start and CIGAR."""
    left, start, end, cigar = READ, -1, -1, ""
    for a, b in transcript.exons:
        if begin >= b - a:
            begin -= b - a
            continue
        a += begin
        begin = 0
        if start < 0:
            start = a
        else:
            cigar += f"{a - end}N"
        taken = min(left, b - a)
        cigar += f"{taken}M"
        left, end = left - taken, a + taken
        if not left:
            break
    return start, cigar


def write_cohort(folder: Path, bed: Path, samples: int, transcripts: int, seed: int) -> None:
    """Write profiles as a cohort has them: a third of the transcripts missing, some degraded."""
    rng = np.random.default_rng(seed)
    typical, bed_digest = rng.normal(0.05, 0.1, transcripts), file_checksum(bed)
    for number in range(samples):
        lean = 0.3 if number % 20 == 0 else rng.normal(0, 0.02)
        d = typical + lean + rng.normal(0, 0.05, transcripts)
        profile = Profile(d, rng.exponential(5, transcripts), np.ones(100), 1)
        save_profile(folder / f"s{number:05d}.npz", profile, bed_digest)


def profilers(folder: Path, bam: Path, bed: Path) -> dict[tuple[str, int], list[str | Path]]:
    """Commands that make our profile with another reader of BAM, and with ours from CRAM."""
    commands: dict[tuple[str, int], list[str | Path]] = {}
    if shutil.which("mosdepth"):
        commands["mosdepth profile", 1] = [
            *(sys.executable, "-c", MOSDEPTH, bam, bed, folder / "mosdepth.npz", "1"),
        ]
    cram = folder / "reads.cram"
    command = ["samtools", "view", "-C", "--output-fmt-option", "no_ref=1", "-o", cram, bam]
    subprocess.run(command, check=True)
    commands["tissuestate profile of CRAM", 1] = [
        *(sys.executable, "-c", OURS, cram, bed, folder / "cram.npz", "1"),
    ]
    return commands


def depth_tools(folder: Path, bam: Path) -> dict[tuple[str, int], list[str | Path]]:
    """Commands that write the depth of every base, and stop before a profile.

    That of samtools is without the bases of introns that reads span, which mRIN counts.
    """
    commands: dict[tuple[str, int], list[str | Path]] = {}
    commands["samtools depth", 1] = [
        *("samtools", "depth", "-J", "-g", "0x704", "-G", "1548", "-Q", "30"),
        *("-o", folder / "depth.tsv", bam),
    ]
    if shutil.which("mosdepth"):
        commands["mosdepth", 1] = [
            *("mosdepth", "-x", "-F", "1548", "-Q", "30", folder / "depth", bam),
        ]
    return commands


def check_equal(folder: Path) -> None:
    """Stop if a profile that another reader made differs from ours."""
    ours = np.load(folder / "profile.npz")
    for name in ("mosdepth.npz", "cram.npz"):
        if (folder / name).exists():
            theirs = np.load(folder / name)
            for key in ("d", "abundance", "coverage"):
                np.testing.assert_array_equal(theirs[key], ours[key], f"{name}: {key}")


def main() -> None:
    """Simulate, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bed", type=Path, help="transcripts (BED12); simulated if not given")
    parser.add_argument("--tin", default=shutil.which("tin.py"), help="RSeQC's tin.py")
    parser.add_argument("--pairs", type=int, default=3_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".tsv"))
    options = parser.parse_args()
    library = Path(__file__).resolve().parents[1] / "workflow" / "lib"
    os.environ["PYTHONPATH"] = str(library)

    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bam, bed = folder / "reads.bam", folder / "transcripts.bed"
        if options.bed:
            transcripts = read_bed(options.bed)
        else:
            transcripts = simulated_annotation(np.random.default_rng(options.seed))
        write_bed(bed, transcripts)
        write_bam(bam, transcripts, options.pairs, options.seed)

        commands: dict[tuple[str, int], list[str | Path]] = {}
        for threads in (1, 2):
            commands["samtools view -c", threads] = [
                *("samtools", "view", "-c", "-F", "1548", "-q", "30"),
                *("-@", str(threads - 1), bam),
            ]
            commands["tissuestate profile", threads] = [
                *(sys.executable, "-c", OURS, bam, bed, folder / "profile.npz", str(threads)),
            ]
            if threads == 1:
                commands |= profilers(folder, bam, bed)
        costs: dict[tuple[str, int], list[Cost]] = {key: [] for key in commands}
        for _ in range(options.repeats):
            for key, command in commands.items():
                costs[key].append(measure(command))
        check_equal(folder)
        for key, command in depth_tools(folder, bam).items():
            costs[key] = [measure(command)]
        if options.tin:
            interpreter = Path(options.tin).with_name("python")
            call = [interpreter] if interpreter.exists() else []
            os.chdir(folder)  # tin.py writes beside where it runs
            costs["tin.py", 1] = [measure([*call, options.tin, "-i", bam, "-r", bed])]
        for (step, threads), turns in costs.items():
            best = min(turns, key=lambda cost: cost.wall)
            cpu = min(cost.cpu for cost in turns)
            rows.append(
                {
                    "step": step,
                    "threads": threads,
                    "reads": 2 * options.pairs,
                    "samples": 1,
                    "transcripts": len(transcripts),
                    "wall_seconds": best.wall,
                    "cpu_seconds": cpu,
                    "peak_memory_mb": max(cost.memory_mb for cost in turns),
                }
            )
        table = pd.DataFrame(rows).set_index(["step", "threads"])
        for row in rows:
            counted = table.loc["samtools view -c", row["threads"]]
            row["wall_to_samtools"] = row["wall_seconds"] / counted["wall_seconds"]
            row["cpu_to_samtools"] = row["cpu_seconds"] / counted["cpu_seconds"]
            if options.tin:
                row["tin_wall_ratio"] = table.loc["tin.py", 1]["wall_seconds"] / row["wall_seconds"]
                row["tin_cpu_ratio"] = table.loc["tin.py", 1]["cpu_seconds"] / row["cpu_seconds"]

        profiles = folder / "profiles"
        profiles.mkdir()
        write_cohort(profiles, bed, options.samples, len(transcripts), options.seed)
        cost = measure([sys.executable, "-c", COHORT, profiles, bed])
        rows.append(
            {
                "step": "tissuestate cohort",
                "threads": 1,
                "reads": "",
                "samples": options.samples,
                "transcripts": len(transcripts),
                "wall_seconds": cost.wall,
                "cpu_seconds": cost.cpu,
                "peak_memory_mb": cost.memory_mb,
            }
        )
    table = pd.DataFrame(rows)
    table["load"] = f"{os.getloadavg()[2]:.1f} on {os.cpu_count()} cores"
    table.to_csv(options.out, sep="\t", index=False, float_format="%.2f")
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
