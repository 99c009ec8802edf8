"""Decisions on samples: alignment, assignment and integrity against their thresholds."""

import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.refusals import read_refusal

log = logging.getLogger(__name__)

COLUMNS = (
    *("sample", "reads", "aligned", "assigned", "mrin", "z", "p", "transcripts"),
    *("kept", "reason"),
)


def read_star_log(path: str | Path) -> tuple[int, float]:
    """Input reads (pairs) and the share of them aligned, uniquely or to several places.

    From STAR's Log.final.out. Reads aligned to more places than STAR's limit count as not aligned.
    Raises InputError for another file.
    """
    found = dict(
        re.findall(r"^\s*(.+?) \|\t(\S+?)%?\s*$", _read_text(path), flags=re.MULTILINE),
    )
    try:
        reads = int(found["Number of input reads"])
        aligned = int(found["Uniquely mapped reads number"])
        aligned += int(found["Number of reads mapped to multiple loci"])
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: not STAR's Log.final.out ({error} is missing).") from error
    return reads, aligned / reads if reads else 0.0


def read_count_summary(path: str | Path) -> tuple[int, float, float]:
    """Alignments in featureCounts' summary, the share not unmapped, and the share assigned.

    A pair or read that is aligned to several places counts once for each.
    Raises InputError for another file.
    """
    rows = [line.split("\t") for line in _read_text(path).splitlines()[1:]]
    try:
        counts = {name: int(number) for name, number in rows}
        assigned, unmapped = counts["Assigned"], counts["Unassigned_Unmapped"]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: not featureCounts' summary of one sample ({error}).") from error
    total = sum(counts.values())
    if total == 0:
        return 0, 0.0, 0.0
    return total, 1 - unmapped / total, assigned / total


@dataclass(frozen=True)
class ReadQuality:
    """Reads (pairs) of a sample, the share aligned, and the share of alignments in genes.

    NaN if not known.
    """

    reads: float  # a whole number if known
    aligned: float
    assigned: float


def read_quality(star_log: str | Path | None, summary: str | Path) -> ReadQuality:
    """The figures of a sample from STAR's log and featureCounts' summary.

    Without STAR's log, as of a sample that came as BAM, reads and their aligned share are those of
    the alignments in the summary; all are NaN if the sample was refused.
    Raises InputError for another file.
    """
    if read_refusal(summary):
        return ReadQuality(np.nan, np.nan, np.nan)
    reads, aligned, assigned = read_count_summary(summary)
    if star_log is not None:
        reads, aligned = read_star_log(star_log)
    return ReadQuality(reads, aligned, assigned)


def find_shortfalls(found: ReadQuality, min_aligned: float, min_assigned: float) -> list[str]:
    """Sentences on the figures of a sample below their thresholds; NaN is below none."""
    reasons = []
    if found.aligned < min_aligned:
        reasons.append(f"aligned {found.aligned:.1%} < {min_aligned:.1%}")
    if found.assigned < min_assigned:
        reasons.append(f"assigned {found.assigned:.2%} < {min_assigned:.2%}")
    return reasons


def decide_quality(
    samples: pd.DataFrame,
    integrity: pd.DataFrame,
    star_logs: Mapping[str, str | Path],
    summaries: Mapping[str, str | Path],
    min_aligned: float = 0.40,
    min_assigned: float = 0.01,
    min_mrin: float = -0.11,
) -> pd.DataFrame:
    """One row per sample from reads with `COLUMNS`; `reason` is empty if the sample is kept.

    `integrity` has the columns sample, mrin, z, p, transcripts. `star_logs` and `summaries` have
    the files of each sample; one without STAR's log came as BAM, and its aligned share is that of
    the alignments in featureCounts' summary.

    Raises InputError if a sample's figures are missing and if no sample would be left.
    """
    scores = integrity.set_index("sample")
    rows = []
    for sample in samples.loc[samples["origin"] != "matrix", "sample"]:
        if sample not in summaries or sample not in scores.index:
            raise InputError(f"sample {sample!r} has no count summary or no mRIN; run its stages.")
        found = read_quality(star_logs.get(sample), summaries[sample])
        score = scores.loc[sample]
        reasons = find_shortfalls(found, min_aligned, min_assigned)
        if np.isnan(score["mrin"]):
            reasons.append("mRIN not measurable: no transcript is covered well enough")
        elif score["mrin"] < min_mrin:
            reasons.append(f"mRIN {score['mrin']:.3f} < {min_mrin:.3f}")
        rows.append(
            {
                "sample": sample,
                **asdict(found),
                **{name: score[name] for name in ("mrin", "z", "p", "transcripts")},
                "kept": not reasons,
                "reason": "; ".join(reasons),
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for row in table[~table["kept"]].itertuples():
        log.info("%s is left out: %s", row.sample, row.reason)
    log.info("%d of %d samples are kept", table["kept"].sum(), len(table))
    if len(table) == len(samples) and not table["kept"].any():
        worst = table["reason"].iloc[0] if len(table) else "no sample comes from reads"
        raise InputError(
            f"no sample passes quality control (the first: {worst}); check the reads, the strand "
            "and the reference, or relax the thresholds under 'quality'."
        )
    return table


def _read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
