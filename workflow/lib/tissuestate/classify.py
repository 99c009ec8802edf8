"""Classifying new samples with a bundle, each on its own: no labels, no R, no Snakemake.

A sample's result does not depend on the samples beside it, and a training sample gives what it
gave in training: every step applies what was fitted then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from tissuestate.bundle import Bundle, read_bundle
from tissuestate.errors import InputError
from tissuestate.evaluate import route_subtypes
from tissuestate.files import load_arrays
from tissuestate.genes import KINDS, GeneMap, Recognition
from tissuestate.sheet import HEADS, UNITS

MANY_GENES = 0.9  # share of the genes below which a sample gets a warning
LARGEST_LOG = 30.0
UNSURE = 0.5  # probability of a call below which a sample gets a warning


@dataclass(frozen=True)
class Predictions:
    """Results of samples, in the order they came in.

    calls: a row a sample; for each head the class called ('' = none) and its probability.
    probabilities: for each head samples × classes, NaN where the head was not asked.
    points: x and y of each sample on the plane of the training samples.
    samples: genes_found, recognition (how its gene ids were understood), unit, unit_stated, mrin
    (NaN = not known), refused (why there is no call; '' = not refused).
    warnings: for each sample what to doubt, in sentences.
    """

    calls: pd.DataFrame
    probabilities: dict[str, pd.DataFrame]
    points: pd.DataFrame
    samples: pd.DataFrame
    warnings: dict[str, list[str]]
    genes_expected: int

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """The results of several groups of samples as one."""
        return cls(
            pd.concat([part.calls for part in parts]),
            {
                head: pd.concat([p.probabilities[head] for p in parts])
                for head in parts[0].probabilities
            },
            pd.concat([part.points for part in parts]),
            pd.concat([part.samples for part in parts]),
            {name: texts for part in parts for name, texts in part.warnings.items()},
            parts[0].genes_expected,
        )

    def table(self) -> pd.DataFrame:
        """One row a sample: calls, every probability (`{head}:{class}`), genes, mRIN, warnings."""
        parts = [self.calls, self.samples]
        for head, shares in self.probabilities.items():
            parts.append(shares.add_prefix(f"{head}:"))
        table = pd.concat(parts, axis=1)
        table["warnings"] = [" ".join(self.warnings[name]) for name in table.index]
        return table.rename_axis("sample").reset_index()

    def record(self, sample: str) -> dict[str, Any]:
        """All that is known about one sample, as values that JSON can hold."""
        about = self.samples.loc[sample]
        heads = {
            head: {
                "call": self.calls.at[sample, head],
                "probability": float(self.calls.at[sample, f"{head}_probability"]),
                "probabilities": {
                    name: float(share) for name, share in shares.loc[sample].dropna().items()
                },
            }
            for head, shares in self.probabilities.items()
            if self.calls.at[sample, head]
        }
        point = self.points.loc[sample]
        return {
            "sample": sample,
            "refused": about["refused"],
            "heads": heads,
            "warnings": self.warnings[sample],
            "genes_found": int(about["genes_found"]),
            "genes_expected": self.genes_expected,
            "recognition": about["recognition"],
            "unit": about["unit"],
            "mrin": None if np.isnan(about["mrin"]) else float(about["mrin"]),
            "point": None if point.isna().any() else [float(point["x"]), float(point["y"])],
        }


class Classifier:
    """A bundle ready to classify. `load` verifies and opens it; `predict` calls samples."""

    def __init__(self, bundle: Bundle) -> None:
        from tissuestate.correction import SurrogateVariableCorrection
        from tissuestate.features import load_transformer
        from tissuestate.networks import load_network
        from tissuestate.normalise import Normaliser
        from tissuestate.training_map import TrainingMap

        self.description = bundle.description
        self.genes = list(bundle.description["genes"])
        self.gene_map = GeneMap.read(bundle.path("genes.tsv.gz"))
        self.normaliser = Normaliser.from_arrays(load_arrays(bundle.path("normaliser.npz")))
        self.correction = SurrogateVariableCorrection.from_arrays(
            load_arrays(bundle.path("correction.npz"))
        )
        self.features = load_transformer(load_arrays(bundle.path("features.npz")))
        self.map = TrainingMap.from_arrays(load_arrays(bundle.path("training.npz")))
        self.networks = [
            load_network(bundle.folder / task)
            for task in ("multitask", "subtype")
            if bundle.has(f"{task}/weights.safetensors")
        ]

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Open the bundle in a folder. Raises InputError for one that is damaged or altered."""
        return cls(read_bundle(path))

    def predict(
        self,
        frame: pd.DataFrame,
        unit: str | pd.Series = "auto",
        mrin: pd.Series | None = None,
    ) -> Predictions:
        """Classify samples × genes; columns are gene ids of any kind, several kinds together too.

        unit: count (raw or expected), normalised (TPM, FPKM, scaled), log2 (of normalised + 1), or
        auto (or '') to tell from the values; one for all or a value a sample. mrin: of samples
        that came as reads. Missing genes (absent or NaN) count as the training mean; a sample with
        too few genes is refused, not guessed.

        Raises InputError for repeated samples, an unknown unit, and values that are no expression.
        """
        units, guessed = self._units(frame, unit)
        values, recognition = self._on_bundle_genes(frame, units)
        found = np.isfinite(values).sum(axis=1)
        refused = self._refusals(found, values)
        called = np.array([not reason for reason in refused], dtype=bool)
        probabilities = self._empty(frame.index)
        points = pd.DataFrame(np.nan, index=frame.index, columns=["x", "y"])
        if called.any():
            names = frame.index[called].astype(str).tolist()
            expression = self.normaliser.transform(values[called], units[called].tolist(), names)
            features = self.features.transform(self.correction.transform(expression))
            points.loc[called] = self.map.transform(features)
            for head, shares in self._probabilities(features).items():
                probabilities[head].loc[called] = shares
        calls = self._calls(probabilities)
        samples = pd.DataFrame(
            {
                "genes_found": found,
                "recognition": recognition,
                "unit": units,
                "unit_stated": ~guessed,
                "mrin": np.nan if mrin is None else mrin.reindex(frame.index).to_numpy(float),
                "refused": refused,
            },
            index=frame.index,
        )
        warnings = {
            str(name): self._warnings(calls.loc[name], samples.loc[name]) for name in frame.index
        }
        return Predictions(calls, probabilities, points, samples, warnings, len(self.genes))

    def _units(self, frame: pd.DataFrame, unit: str | pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """The unit of each sample, and whether it was told from the values."""
        if frame.empty:
            raise InputError("there is no sample to classify.")
        repeated = frame.index[frame.index.duplicated()]
        if len(repeated):
            raise InputError(f"sample {repeated[0]!r} is given twice; give each sample once.")
        stated = pd.Series(unit, index=frame.index) if isinstance(unit, str) else unit[frame.index]
        guessed = stated.isin(["", "auto"]).to_numpy()
        units = np.array(
            [
                guess_unit(frame.iloc[row].to_numpy(float)) if guessed[row] else name
                for row, name in enumerate(stated)
            ],
            dtype=object,
        )
        unknown = sorted(set(units) - set(UNITS))
        if unknown:
            raise InputError(f"unit {unknown[0]!r} is unknown; use one of {', '.join(UNITS)}.")
        return units, guessed

    def _on_bundle_genes(self, frame: pd.DataFrame, units: np.ndarray) -> tuple[np.ndarray, str]:
        """Samples × the bundle's genes (NaN = missing), and a sentence on what was recognised."""
        values = frame.to_numpy(np.float32)
        _check_values(frame, values, units)
        symbols, recognition = self.gene_map.to_symbols(frame.columns.astype(str))
        places = pd.Index(self.genes).get_indexer(pd.Index(symbols))
        result = np.full((len(frame), len(self.genes)), np.nan, dtype=np.float32)
        logs = units == "log2"
        order = np.argsort(places, kind="stable")
        order = order[places[order] >= 0]
        targets, starts = np.unique(places[order], return_index=True)
        for target, columns in zip(targets, np.split(order, starts[1:]), strict=False):
            if len(columns) == 1:
                result[:, target] = values[:, columns[0]]
                continue
            block = values[:, columns].astype(np.float64)
            summed = np.nansum(block, axis=1)
            linear = np.maximum(np.exp2(block[logs]) - 1, 0)
            summed[logs] = np.log2(1 + np.nansum(linear, axis=1))
            result[:, target] = np.where(np.isnan(block).all(axis=1), np.nan, summed)
        return result, _sentence(len(targets), len(self.genes), recognition)

    def _refusals(self, found: np.ndarray, values: np.ndarray) -> list[str]:
        least = float(self.description["thresholds"]["genes"])
        reasons = []
        for count, row in zip(found, values, strict=True):
            share = count / len(self.genes)
            if share < least:
                reasons.append(
                    f"{count:,} of the model's {len(self.genes):,} genes ({share:.0%}) have a "
                    f"value, at least {least:.0%} are needed; check the gene ids and the species."
                )
            elif not np.nanmax(row) > np.nanmin(row):
                reasons.append("all genes have the same value; check the file.")
            else:
                reasons.append("")
        return reasons

    def _empty(self, samples: pd.Index) -> dict[str, pd.DataFrame]:
        classes = self.description["classes"]
        heads = [head for head in HEADS if any(head in n.heads for n in self.networks)]
        return {head: pd.DataFrame(np.nan, samples, classes[head]) for head in heads}

    def _probabilities(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Calibrated probabilities of each head; those of subtypes obey the tandem rule."""
        from tissuestate.train import predict_proba

        temperatures: Mapping[str, float] = self.description["temperatures"]
        shares: dict[str, np.ndarray] = {}
        for network in self.networks:
            shares |= predict_proba(network, features, temperatures)
        if "subtype" in shares:
            classes = {
                **self.description["classes"],
                "subtypes_of": self.description["subtypes_of"],
            }
            tissues = np.asarray(classes["tissue"])[shares["tissue"].argmax(axis=1)]
            shares["subtype"] = route_subtypes(shares["subtype"], tissues.tolist(), classes)
        return shares

    def _calls(self, probabilities: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        columns: dict[str, np.ndarray] = {}
        for head, shares in probabilities.items():
            asked = shares.notna().all(axis=1).to_numpy()
            best = shares.fillna(-1.0).to_numpy().argmax(axis=1)
            names = shares.columns.to_numpy(str)[best]
            columns[head] = np.where(asked, names, "")
            columns[f"{head}_probability"] = shares.max(axis=1).to_numpy()
        index = next(iter(probabilities.values())).index
        return pd.DataFrame(columns, index=index)

    def _warnings(self, call: pd.Series, about: pd.Series) -> list[str]:
        """What a reader of this sample's call should doubt; empty for a refused sample."""
        if about["refused"]:
            return []
        warnings = []
        if about["genes_found"] < MANY_GENES * len(self.genes):
            warnings.append(
                f"Only {about['genes_found']:,} of {len(self.genes):,} genes have a value; the "
                "others count as average."
            )
        if not about["unit_stated"]:
            warnings.append(
                f"The unit was not stated; from the values it was taken for {about['unit']}."
            )
        least = self.description["thresholds"].get("mrin")
        if least is not None and about["mrin"] < least:
            warnings.append(
                f"The RNA looks degraded (mRIN {about['mrin']:.3f}, below {least:g}); samples like "
                "this were excluded from training."
            )
        for head in ("disease_state", "tissue"):
            if call[f"{head}_probability"] < UNSURE:
                warnings.append(
                    f"The {head.replace('_', ' ')} is uncertain: no class reaches {UNSURE:.0%}."
                )
        if call.get("subtype") and call["disease_state"] != "neoplastic":
            warnings.append(
                f"The subtype is one of tumours, but the sample is called {call['disease_state']}."
            )
        return warnings


def guess_unit(values: np.ndarray) -> str:
    """The unit (count, normalised or log2) that one sample's values look like.

    Whole numbers are counts; negative values, or none above 30 (2³⁰ reads of one gene), logarithms.
    Between expected counts and TPM no difference is made: both are scaled alike.
    """
    known = values[np.isfinite(values)]
    if not len(known) or (known.min() >= 0 and (known == np.round(known)).all()):
        return "count"
    return "log2" if known.min() < 0 or known.max() <= LARGEST_LOG else "normalised"


def _sentence(found: int, expected: int, recognition: Recognition) -> str:
    kind = KINDS[recognition.kind]
    return f"{found:,} of {expected:,} genes found as {kind}"


def _check_values(frame: pd.DataFrame, values: np.ndarray, units: np.ndarray) -> None:
    """Raise InputError for infinite values, and for negative ones that are not logarithms."""
    bad = np.isinf(values) | ((values < 0) & (units != "log2")[:, None])
    if bad.any():
        row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise InputError(
            f"sample {frame.index[row]!r}, gene {frame.columns[column]!r}: {values[row, column]:g} "
            f"cannot be a {units[row]} value; correct the matrix or its unit."
        )
