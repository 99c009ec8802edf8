"""Results of a classification: calls, probabilities and warnings, one row per sample."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from tissuestate.labels import TUMOUR
from tissuestate.remarks import Doubt, Note

NEAREST = 4  # classes whose distances are told


@dataclass(frozen=True)
class Predictions:
    """Results of samples, in their order of input.

    calls: one row per sample; whether it is a tumour ('yes', 'no', '' = no answer), the probability
    of one, and why there is no answer ('tumour_abstained'); for each head the called class ('' =
    none), the probability of the most probable class, the set of classes at 90 % confidence
    ('a|b'), and why no class is called ('{head}_abstained'; '' = one is, or the head has no
    probabilities).
    probabilities: for each head samples × classes, NaN if the head has none for the sample.
    distances: of samples to classes of training ('tissue' or 'tissue|state'); above 1 it is too
    far. No columns if an earlier release made the bundle.
    samples: genes_found, recognition (how its gene ids were understood), unit, unit_stated, zeros
    (share of the found genes that are not expressed) and below (share below 0), sex_expressed (XX,
    XY, '' = not known), mrin (NaN = not known), novelty (above 1: the sample is like nothing in
    training), refused (why there is no call; '' = not refused).
    warnings: of each sample, in sentences; some are doubts or notes (see `tissuestate.remarks`).
    """

    calls: pd.DataFrame
    probabilities: dict[str, pd.DataFrame]
    distances: pd.DataFrame
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
            pd.concat([part.distances for part in parts]),
            pd.concat([part.samples for part in parts]),
            {name: texts for part in parts for name, texts in part.warnings.items()},
            parts[0].genes_expected,
        )

    def select(self, samples: Sequence[str]) -> Self:
        """The results of these samples, in this order."""
        return replace(
            self,
            calls=self.calls.loc[samples],
            probabilities={
                head: shares.loc[samples] for head, shares in self.probabilities.items()
            },
            distances=self.distances.loc[samples],
            samples=self.samples.loc[samples],
            warnings={name: self.warnings[name] for name in samples},
        )

    def table(self) -> pd.DataFrame:
        """One row per sample: calls, probabilities (`{head}:{class}`), genes, mRIN, warnings."""
        parts = [self.calls, self.samples]
        for head, shares in self.probabilities.items():
            parts.append(shares.add_prefix(f"{head}:"))
        table = pd.concat(parts, axis=1)
        table["warnings"] = [" ".join(self.warnings[name]) for name in table.index]
        return table.rename_axis("sample").reset_index()

    def record(self, sample: str) -> dict[str, Any]:
        """All results of one sample, as values that JSON can hold."""
        about = self._rows[sample]
        heads = {
            head: {
                "call": about[head],
                "abstained": about[f"{head}_abstained"],
                "probability": about[f"{head}_probability"],
                "set": list(filter(None, about[f"{head}_set"].split("|"))),
                "probabilities": {
                    name: share
                    for name, share in rows[sample].items()
                    if head != "subtype" or share > 0  # subtypes of other tissues have none
                },
            }
            for head, rows in self._shares.items()
            if not any(map(math.isnan, rows[sample].values()))
        }
        return {
            "sample": sample,
            "refused": about["refused"],
            TUMOUR: {
                "call": about[TUMOUR],
                "probability": about[f"{TUMOUR}_probability"],
                "abstained": about[f"{TUMOUR}_abstained"],
            }
            if heads
            else None,
            "heads": heads,
            "warnings": self.warnings[sample],
            "doubts": {d.label: d for d in self.warnings[sample] if isinstance(d, Doubt)},
            "notes": [text for text in self.warnings[sample] if isinstance(text, Note)],
            "genes_found": about["genes_found"],
            "genes_expected": self.genes_expected,
            "recognition": about["recognition"],
            "unit": about["unit"],
            "sex_expressed": about["sex_expressed"],
            "mrin": None if math.isnan(about["mrin"]) else about["mrin"],
            "novelty": None if math.isnan(about["novelty"]) else about["novelty"],
            "nearest": self._nearest[sample],
        }

    # Rows as dictionaries: looking up a thousand samples in frames takes longer than calling them.

    @cached_property
    def _rows(self) -> dict[str, dict[str, Any]]:
        parts = [self.calls, self.samples]
        return pd.concat(parts, axis=1).to_dict("index")  # type: ignore[return-value]

    @cached_property
    def _nearest(self) -> dict[str, list[dict[str, Any]]]:
        """The nearest classes of each sample with their distances; none for a refused sample."""
        values, names = self.distances.to_numpy(float), self.distances.columns.to_numpy(str)
        order = np.argsort(values, axis=1, kind="stable")[:, :NEAREST]
        found: dict[str, list[dict[str, Any]]] = {}
        for sample, row, places in zip(self.distances.index, values, order, strict=True):
            found[sample] = []
            for place in places[np.isfinite(row[places])].tolist():
                tissue, _, state = names[place].partition("|")
                distance = float(row[place])
                found[sample].append({"tissue": tissue, "state": state, "distance": distance})
        return found

    @cached_property
    def _shares(self) -> dict[str, dict[str, dict[str, float]]]:
        return {
            head: shares.to_dict("index")  # type: ignore[misc]
            for head, shares in self.probabilities.items()
        }
