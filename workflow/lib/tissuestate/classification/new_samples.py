"""New samples: their expression, read from the files that a sheet names, and their calls."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.advance import Advance, say_nothing
from tissuestate.checksums import file_checksum
from tissuestate.classification.classifier import Classifier, Predictions
from tissuestate.classification.sex import warn_of_sheet
from tissuestate.errors import InputError
from tissuestate.labels import plain_unit
from tissuestate.matrices.read import COUNTED, read_counts, read_matrix
from tissuestate.quality.decisions import find_shortfalls, read_quality
from tissuestate.refusals import read_refusal
from tissuestate.remarks import Doubt, Note

LEAST_READS = 1000
NO_MRIN = Note(
    "Whether the RNA is degraded is not known: the bundle was trained on matrices, and there is no "
    "mRIN to compare with."
)
TOO_FEW_TRANSCRIPTS = Note(
    "Whether the RNA is degraded is not known: mRIN was not measured, because the reads cover too "
    "few of the transcripts that the bundle knows."
)
NO_PROFILE = "the coverage of its transcripts could not be read; see the log of profile_integrity."
CUT_SHORT = (
    "its last row has no line end, and genes of the model are missing: the file was cut short; "
    "copy it again."
)


@dataclass(frozen=True)
class NewSamples:
    """Samples as they were read.

    frames: samples × genes (ids as they stand in the file) with their unit; samples of the same
    unit and genes share a frame, whatever files they come from; missing values stay missing.
    refused: why samples cannot be called that a file lacks or whose values are not numbers. Each
    sample is in a frame, in refused, or in both. cut_short: why samples are refused if genes of the
    model are missing: no line end follows the last row of their file. warnings: one per sample,
    about how it was read.
    """

    frames: list[tuple[pd.DataFrame, str]]
    refused: dict[str, str]
    cut_short: dict[str, str]
    warnings: dict[str, str]


def read_new_samples(
    sheet: pd.DataFrame, counts: Mapping[str, str | Path], advance: Advance = say_nothing
) -> NewSamples:
    """Read all samples of a validated sheet; a fault of one does not affect the others.

    `counts` has the count table of each sample that comes from reads, or its refusal. `advance`
    is told of those read.
    """
    groups: dict[tuple[str, bytes], tuple[np.ndarray, list[str], list[np.ndarray]]] = {}
    refused: dict[str, str] = {}
    cut_short: dict[str, str] = {}
    warnings: dict[str, str] = {}

    def add(unit: str, ids: np.ndarray, samples: list[str], values: np.ndarray) -> None:
        _, names, blocks = groups.setdefault((unit, ids.tobytes()), (ids, [], []))
        names += samples
        blocks.append(values)

    rows = sheet[sheet["origin"] == "matrix"]
    for keys, group in rows.groupby(["matrix", "unit", "strandedness"], sort=False):
        advance(len(group))
        path, unit, strandedness = (str(key) for key in keys)
        wanted = dict(zip(group["sample"], group["column"], strict=True))
        try:
            matrix = read_matrix(path, wanted, unit=unit, missing="keep", strandedness=strandedness)
        except InputError as error:
            refused |= dict.fromkeys(wanted, str(error))
            continue
        refused |= matrix.refusals
        for sample, column in matrix.sole_columns.items():
            warnings[sample] = Note(f"Its values are those of the file's only column, {column!r}.")
        if matrix.lacks_line_end:
            cut_short |= dict.fromkeys(wanted, f"{path}: {CUT_SHORT}")
        known_unit = plain_unit(unit) or ("count" if matrix.layout in COUNTED else "")
        add(known_unit, matrix.ids, matrix.samples, matrix.values)
    for sample in sheet.loc[sheet["origin"] != "matrix", "sample"]:
        reason = read_refusal(counts[sample])
        if reason:
            refused[sample] = reason
            continue
        names, values = read_counts(counts[sample])
        add("count", np.asarray(names, dtype=str), [sample], values[None, :])
    frames = []
    for unit, key in list(groups):
        ids, samples, blocks = groups.pop((unit, key))
        values = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        frames.append((pd.DataFrame(values, samples, ids), unit))
    return NewSamples(frames, refused, cut_short, warnings)


def call_samples(
    classifier: Classifier,
    sheet: pd.DataFrame,
    new: NewSamples,
    quality: pd.DataFrame,
    mrin: pd.Series | None,
    advance: Advance = say_nothing,
) -> Predictions:
    """The calls of all samples of the sheet, in its order; a sample without a call is refused.

    `quality` has reads, aligned and assigned of the samples from reads (see `read_qualities`), of
    which those below the thresholds of the bundle are refused; `mrin` their mRIN, NaN if it could
    not be measured, None if the bundle was trained on matrices and has no reference for it.
    `advance` is told of those called.
    """
    refused = {**refuse_poor_reads(quality, classifier.description["thresholds"]), **new.refused}
    if mrin is not None:
        unknown = quality.index.difference(mrin.index)
        refused = {**dict.fromkeys(unknown, NO_PROFILE), **refused}
    found = _predict(classifier, sheet, new, mrin, refused, advance)
    lacking = found.samples.index[found.samples["genes_found"] < found.genes_expected]
    cut = {name: new.cut_short[name] for name in lacking if name in new.cut_short}
    if set(cut) - set(refused):
        refused = {**cut, **refused}
        found = _predict(classifier, sheet, new, mrin, refused, advance)
    doubts = [*_unit_doubts(sheet, found.samples).items(), *new.warnings.items()]
    for sample, sentence in doubts:
        if not found.samples.at[sample, "refused"]:
            found.warnings[sample].append(sentence)
    for sample in quality.index.difference(list(refused)):
        if mrin is None:
            found.warnings[sample].append(NO_MRIN)
        elif math.isnan(mrin[sample]):
            found.warnings[sample].append(TOO_FEW_TRANSCRIPTS)
    expressed = found.samples["sex_expressed"]
    for sample, stated in zip(sheet["sample"], sheet["sex"], strict=True):
        found.warnings[sample] += warn_of_sheet(expressed[sample], stated)
    return found


def _unit_doubts(sheet: pd.DataFrame, samples: pd.DataFrame) -> dict[str, str]:
    """Warnings about samples of one file whose units, inferred from the values, differ."""
    unstated = sheet.loc[(sheet["origin"] == "matrix") & (sheet["unit"] == "")].set_index("sample")
    units = samples.loc[unstated.index]
    units = units.loc[units["refused"] == "", "unit"]
    sentences: dict[str, str] = {}
    for file, group in units.groupby(unstated["matrix"].reindex(units.index)):
        if group.nunique() > 1:
            sentence = Doubt(
                "uncertain unit",
                f"Several units were inferred from the values of {file}; state the unit.",
            )
            sentences |= dict.fromkeys(group.index, sentence)
    return sentences


def _predict(
    classifier: Classifier,
    sheet: pd.DataFrame,
    new: NewSamples,
    mrin: pd.Series | None,
    refused: Mapping[str, str],
    advance: Advance,
) -> Predictions:
    """The calls of all samples of the sheet, in its order."""
    read = {sample for frame, _ in new.frames for sample in frame.index}
    unread = [sample for sample in sheet["sample"] if sample not in read]
    parts = []
    for frame, unit in new.frames:
        try:
            parts.append(classifier.predict(frame, unit, mrin, refused, advance))
        except InputError as error:  # of the table as a whole
            refused = {**dict.fromkeys(frame.index, str(error)), **refused}
            unread += frame.index.tolist()
    if unread:
        nothing = pd.DataFrame(np.nan, unread, classifier.genes)
        parts.append(classifier.predict(nothing, "count", mrin, refused))
        parts[-1].samples["recognition"] = ""  # of no file
    return Predictions.concat(parts).select(sheet["sample"].tolist())


def read_qualities(
    samples: Sequence[str], star_logs: Mapping[str, str | Path], summaries: Mapping[str, str | Path]
) -> pd.DataFrame:
    """Reads, aligned and assigned, one row per sample from reads; NaN if not known."""
    rows = {name: asdict(read_quality(star_logs.get(name), summaries[name])) for name in samples}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["reads", "aligned", "assigned"])


def refuse_poor_reads(quality: pd.DataFrame, least: Mapping[str, float]) -> dict[str, str]:
    """Refusals of samples whose reads would have been excluded from training."""
    refused = {}
    for row in quality.itertuples():
        if row.reads < LEAST_READS:
            refused[str(row.Index)] = (
                f"{row.reads:,.0f} reads or pairs are too few to call a sample."
            )
            continue
        reasons = find_shortfalls(row, least.get("aligned", 0.0), least.get("assigned", 0.0))
        if reasons:
            refused[str(row.Index)] = (
                f"{'; '.join(reasons)}: samples like this were excluded from training; check the "
                "reads, their species and strand, and the reference."
            )
    return refused


def tabulate_origins(
    sheet: pd.DataFrame,
    here: Mapping[str, str | Path],
    reads: Mapping[str, Sequence[str | None]],
    classifier: Classifier,
) -> pd.DataFrame:
    """The inputs and the bundle of each call: one row per sample of the sheet.

    Columns: input (the files, as the sheet names them, or the run), input_sha256 (of each file, ''
    if it is not known), both joined by ','; bundle (its folder), bundle_name, bundle_fingerprint.
    `here` has the path of each matrix in this job, `reads` the checksums of a sample's files.
    """
    checksums = {name: file_checksum(path) for name, path in here.items() if Path(path).is_file()}
    rows = {}
    for row in sheet.itertuples():
        if row.origin == "matrix":
            files, sums = row.matrix, checksums.get(row.matrix, "")
        else:
            files = ",".join(filter(None, (row.fastq_1, row.fastq_2, row.bam, row.sra)))
            sums = ",".join(checksum or "" for checksum in reads.get(row.sample, ()))
        rows[row.sample] = {"input": files, "input_sha256": sums}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.assign(
        bundle=str(classifier.folder),
        bundle_name=classifier.name,
        bundle_fingerprint=classifier.description["checksum"],
    )


def describe_calls(
    found: Predictions, sheet: pd.DataFrame, quality: pd.DataFrame, origin: pd.DataFrame
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The table of calls and its records for JSON, each with its inputs and bundle."""
    table = found.table().set_index("sample").join(quality).join(origin)
    table.insert(table.columns.get_loc("sex_expressed"), "sex", sheet["sex"].to_numpy())
    records = []
    for name, sex in zip(sheet["sample"], sheet["sex"], strict=True):
        about = origin.loc[name]
        files, sums = [about["input"]], [about["input_sha256"]]
        if name in quality.index:  # of reads, in several files
            files, sums = about["input"].split(","), about["input_sha256"].split(",")
        if len(sums) != len(files):
            sums = [""] * len(files)
        figures = quality.loc[name].to_dict() if name in quality.index else {}
        records.append(
            {
                **found.record(name),
                "sex": sex,
                **{key: None if math.isnan(value) else value for key, value in figures.items()},
                "input": [
                    {"file": f, "sha256": s or None} for f, s in zip(files, sums, strict=True)
                ],
                "bundle": {
                    "name": about["bundle_name"],
                    "folder": about["bundle"],
                    "fingerprint": about["bundle_fingerprint"],
                },
            }
        )
    return table, records
