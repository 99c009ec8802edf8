"""Classification of new samples with a bundle, without labels, R or Snakemake.

A sample's result does not depend on other samples, and a training sample gets its result of
training: every step applies what was fitted then.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from tissuestate.advance import Advance, say_nothing
from tissuestate.bundle.format import Bundle, read_bundle
from tissuestate.classification.inputs import (
    Block,
    Genes,
    check_frame,
    index_by_sample,
    read_mrin,
    read_numbers,
    resolve_units,
)
from tissuestate.classification.result import Predictions
from tissuestate.classification.sex import warn_of_tissue
from tissuestate.errors import InputError
from tissuestate.evaluation.abstention import Limits
from tissuestate.evaluation.calls import CallRules, tabulate_calls
from tissuestate.evaluation.chain import Chain
from tissuestate.evaluation.sets import ConformalSets
from tissuestate.evaluation.support import (
    confounded_subtypes,
    training_doubts,
)
from tissuestate.evaluation.tandem import apply_tandem
from tissuestate.labels import HEADS, STATED_UNITS, TASKS, is_unit
from tissuestate.laboratories.answers import read_ridge_chain
from tissuestate.laboratories.calibration import Calibration
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.screening import (
    BY_LENGTH,
    are_row_positions,
    screen_expression,
    screen_transcripts,
    screen_values,
    zeros_and_below,
)
from tissuestate.matrices.tx2gene import read_tx2gene
from tissuestate.models.architecture import WEIGHTS
from tissuestate.remarks import Doubt, Note

__all__ = ["Classifier", "Predictions"]

FEW_GENES, DEGRADED = "few genes", "degraded RNA"  # doubts
MANY_GENES = 0.9  # share of the genes below which a sample gets a warning
LEARNT_FROM_COUNTS = (
    "The model learnt from counts. Samples of GTEx and TCGA divided by gene length were called "
    "equally well, but 3 in 100 more got no answer."
)
BLOCK = 1024  # samples processed at once, which bounds memory


class Classifier:
    """A bundle ready to classify. `load` verifies and opens it; `predict` calls samples."""

    def __init__(self, bundle: Bundle) -> None:
        self.folder, self.name = bundle.folder, bundle.name
        self.description = bundle.description
        self.genes = list(bundle.description["genes"])
        self.gene_map = GeneMap.read(bundle.path("genes.tsv.gz"))
        self.chain = _read_chain(bundle)
        self.rules = CallRules(
            bundle.description["classes"],
            bundle.description["data"].get("states_of_tissue", {}),
            ConformalSets.from_dict(bundle.description["sets"]),
            confounded_subtypes(bundle.description),
            Limits.from_dict(bundle.description.get("limits", {})),
        )

    @classmethod
    def load(cls, path: str | Path, tx2gene: str | Path | None = None) -> Self:
        """Open the bundle in a folder. Raises InputError for one that is damaged or altered.

        tx2gene: a table of transcripts and their genes, or a GTF, for tables of transcripts.
        """
        bundle = read_bundle(path)
        try:
            classifier = cls(bundle)
            classifier._check()
        except InputError:
            raise
        except (
            KeyError,
            TypeError,
            ValueError,
            IndexError,
            AttributeError,
            OverflowError,
        ) as error:
            raise InputError(
                f"{bundle.folder}: the bundle's parts do not fit together ({error!r}); build the "
                "bundle again."
            ) from error
        if tx2gene is not None:
            classifier.gene_map = classifier.gene_map.with_transcripts(read_tx2gene(tx2gene))
        return classifier

    def _check(self) -> None:
        """Raise ValueError if a part has other genes, features or classes than the others."""
        chain, loadings = self.chain, self.chain.correction.loadings_
        genes, features = len(self.genes), len(chain.features.names_)
        for name, found, expected in (
            ("normaliser", chain.normaliser.reference_.shape, (genes,)),
            ("imputation", chain.imputation.mean_.shape, (genes,)),
            ("noise", chain.imputation.noise_.shape, (genes,)),
            ("factors", chain.imputation.loadings_.shape[1:], (genes,)),
            ("novelty", (chain.novelty.n_features,), (features,)),
            ("correction", chain.correction.mean_.shape, (genes,)),
            ("loadings", loadings.shape[1:], (genes,)),
            ("coefficients", chain.correction.coefficients_.shape, loadings.shape),
            ("features", chain.features.mean_.shape, (genes,)),
            ("scale", chain.features.scale_.shape, (genes,)),
            *(("model", (n.n_features,), (features,)) for n in chain.networks),
            *(
                (head, tuple(classes), tuple(self.description["classes"][head]))
                for network in chain.networks
                for head, classes in network.heads.items()
            ),
        ):
            if found != expected:
                raise ValueError(f"{name}: {found}, expected {expected}")
        subtypes = [name for own in self.description["subtypes_of"].values() for name in own]
        numbers = [*self.description["temperatures"].values(), 1.0 + self._least_share]
        if not set(subtypes) <= set(self.description["classes"]["subtype"]):
            raise ValueError(f"subtypes_of: {subtypes}")
        if not all(np.isfinite(float(number)) and float(number) > 0 for number in numbers):
            raise ValueError(f"temperatures and threshold: {numbers}")

    def predict(
        self,
        frame: pd.DataFrame,
        unit: str | pd.Series = "auto",
        mrin: pd.Series | None = None,
        refused: Mapping[str, str] | None = None,
        advance: Advance = say_nothing,
    ) -> Predictions:
        """Classify samples × genes; columns are gene ids, also of several kinds.

        unit: count (raw or expected), normalised (TPM, FPKM, scaled), log2 (of normalised + 1), a
        logarithm such as log2(x+0.001) or ln(x+1), or auto (or '') to infer it from the values; one
        for all or one per sample. mrin: of samples that came as reads. Missing genes (absent or
        NaN) are estimated from the others; a sample with too few genes is refused, and a class that
        is not clear is not called. refused: reasons why samples cannot be called, found when they
        were read. Text, infinite or negative values, or an unknown unit refuse only their own
        sample. advance: is told of samples that are done.

        Raises InputError for faults of the whole table: repeated samples, an unknown unit for all,
        mRIN that is no number.
        """
        known = read_mrin(mrin)
        parts = []
        for block in self._read(frame, unit, refused or {}):
            parts.append(self._predict(block, known))
            advance(len(block.samples))
        return Predictions.concat(parts)

    def expression(
        self, frame: pd.DataFrame, unit: str | pd.Series = "auto"
    ) -> Iterator[pd.DataFrame]:
        """Log2 expression after normalisation, in blocks of samples × the bundle's genes.

        NaN if a sample lacks a gene. Samples that `predict` would refuse are left out. Raises
        InputError as `predict` does.
        """
        for block in self._read(frame, unit):
            if block.is_accepted.any():
                values, units, samples = block.accepted_values()
                normalised = self.chain.normaliser.transform(values, units, samples)
                yield pd.DataFrame(normalised, samples, self.genes)

    def _read(
        self, frame: pd.DataFrame, unit: str | pd.Series, refused: Mapping[str, str] = {}
    ) -> Iterator[Block]:
        """Blocks of samples with the values of the bundle's genes and facts of each sample."""
        check_frame(frame)
        if are_row_positions(frame.columns.astype(str).to_numpy()):
            raise InputError("the columns are numbered; name them by their genes' ids.")
        if not isinstance(unit, str | pd.Series):
            raise InputError(
                f"unit is {type(unit).__name__}; expected one for all, or a pandas Series of a "
                "unit per sample."
            )
        if isinstance(unit, str) and not (unit in ("", "auto") or is_unit(unit)):
            raise InputError(f"unit {unit!r} is unknown; use one of {STATED_UNITS}.")
        frame = frame.set_axis(frame.index.astype(str), axis=0)
        given_units = unit if isinstance(unit, str) else index_by_sample(unit, "unit")
        units = pd.Series(given_units, index=frame.index, dtype=object).fillna("").astype(str)
        genes = Genes.of(frame, self.genes, self.gene_map)
        for start in range(0, len(frame), BLOCK):
            part = frame.iloc[start : start + BLOCK]
            yield self._read_block(part, units[part.index], genes, refused)

    def _read_block(
        self, part: pd.DataFrame, units: pd.Series, genes: Genes, refused: Mapping[str, str]
    ) -> Block:
        """Values and facts of one block of samples."""
        given, unread = read_numbers(part)
        unit_of, stated, unfit = resolve_units(given, units.tolist(), part.index)
        values, once, sex = genes.gather(given, unit_of.tolist())
        reasons, warnings = [], []
        before = {**unfit, **unread, **refused}
        for row, name in enumerate(part.index):
            reason, of_values = self._screen(given[row], values[row], unit_of[row], genes)
            if once[row]:
                sentence = (
                    f"{once[row]:,} genes are in several rows with the same values, as after a "
                    "join of tables; these rows count once."
                )
                of_values.append(Note(sentence))
            reasons.append(before.get(name) or reason)
            warnings.append(of_values)
        zeros, below = zip(*map(zeros_and_below, values), strict=True)
        samples = pd.DataFrame(
            {
                "genes_found": np.isfinite(values).sum(axis=1),
                "recognition": genes.sentence,
                "unit": unit_of,
                "unit_stated": stated,
                "zeros": zeros,
                "below": below,
                "sex_expressed": np.where(np.array(reasons) == "", sex, ""),
                "refused": reasons,
            },
            index=part.index,
        )
        return Block(values, samples, warnings)

    def _predict(self, block: Block, mrin: pd.Series) -> Predictions:
        """Calls of one block of samples."""
        samples, called = block.samples, block.is_accepted
        names = samples.index
        novelty = np.full(len(names), np.nan)
        probabilities = self._empty_probabilities(names)
        classes = [name for name in self.chain.novelty.classes_ if name]
        distances = pd.DataFrame(np.nan, names, classes)
        if called.any():
            features = self.chain.transform(*block.accepted_values())
            by_class = self.chain.novelty.distances(features)
            novelty[called] = by_class.min(axis=1)
            if classes:
                distances.loc[called] = by_class
            for head, shares in self._probabilities(features).items():
                probabilities[head].loc[called] = shares
        calls = self._calls(probabilities, novelty > 1)
        samples = samples.drop(columns="refused").assign(
            mrin=mrin.reindex(names).to_numpy(float), novelty=novelty, refused=samples["refused"]
        )
        warnings = {
            name: self._warnings(about, of_values)
            for (name, about), of_values in zip(
                samples.to_dict("index").items(), block.warnings, strict=True
            )
        }
        tissues = probabilities["tissue"].loc[called & (novelty <= 1)].idxmax(axis=1)
        for name, found in calls.loc[tissues.index].to_dict("index").items():
            warnings[name] += training_doubts(found, tissues[name], self.description)
            warnings[name] += warn_of_tissue(samples.at[name, "sex_expressed"], found["tissue"])
        return Predictions(calls, probabilities, distances, samples, warnings, len(self.genes))

    @property
    def _least_share(self) -> float:
        """The share of the genes below which a sample is refused."""
        return float(self.description["thresholds"]["genes"])

    def _screen(
        self, given: np.ndarray, values: np.ndarray, unit: str, genes: Genes
    ) -> tuple[str, list[str]]:
        """Reason why one sample cannot be called ('' = it can), and warnings about its values."""
        placed = screen_transcripts(given, unit, genes.mapped.transcripts, genes.mapped.known)
        count = int(np.isfinite(values).sum())
        if placed.refusal:
            return placed.refusal, []
        if not count and genes.found >= self._least_share * genes.count:
            return f"all its values are missing ({genes.found:,} genes are known).", []
        if count < self._least_share * genes.count:
            known = genes.found >= self._least_share * genes.count
            advice = f"{genes.found - count:,} more are in the table without one: give their values"
            return (
                f"{count:,} of the model's {genes.count:,} genes ({count / genes.count:.0%}) have "
                f"a value, at least {self._least_share:.0%} are needed; "
                f"{advice if known else genes.problem()}."
            ), []
        warnings = [*placed.warnings]
        for found in (
            screen_expression(values, unit, self.chain.correction.mean_),
            screen_values(given, unit),
        ):
            if found.refusal:
                return found.refusal, []
            warnings += found.warnings
        if BY_LENGTH in warnings:
            warnings.remove(BY_LENGTH)
            if "normalised" not in self.description["data"].get("units", {}):
                warnings += [Note(f"{BY_LENGTH} {LEARNT_FROM_COUNTS}")]
        return "", warnings

    def _empty_probabilities(self, samples: pd.Index) -> dict[str, pd.DataFrame]:
        classes = self.description["classes"]
        heads = [head for head in HEADS if head in self.chain.heads]
        return {head: pd.DataFrame(np.nan, samples, classes[head]) for head in heads}

    def _probabilities(self, features: np.ndarray) -> dict[str, np.ndarray]:
        """Calibrated probabilities of each head; those of subtypes obey the tandem rule."""
        shares = self.chain.probabilities(features, self.description["temperatures"])
        subtypes_of = self.description["subtypes_of"]
        return apply_tandem(shares, {**self.description["classes"], "subtypes_of": subtypes_of})

    def _calls(self, probabilities: Mapping[str, pd.DataFrame], new: np.ndarray) -> pd.DataFrame:
        values = {head: shares.to_numpy() for head, shares in probabilities.items()}
        index = next(iter(probabilities.values())).index
        return pd.DataFrame(tabulate_calls(values, new, self.rules), index=index)

    def _warnings(self, about: Mapping[str, Any], of_values: list[str]) -> list[str]:
        """Warnings about this sample's call; empty for a refused sample."""
        if about["refused"]:
            return []
        warnings: list[str] = []
        if about["genes_found"] < MANY_GENES * len(self.genes):
            sentence = (
                f"Only {about['genes_found']:,} of {len(self.genes):,} genes have a value; the "
                "others were estimated from them. If the file should hold all, it may be cut short."
            )
            warnings.append(Doubt(FEW_GENES, sentence))
        if not about["unit_stated"]:
            sentence = f"The unit was not stated; {about['unit']} was inferred from the values."
            warnings.append(Note(sentence))
        warnings += of_values
        least = self.description["thresholds"].get("mrin")
        if least is not None and about["mrin"] < least:
            sentence = (
                f"The RNA looks degraded (mRIN {about['mrin']:.3f}, below {least:g}); samples like "
                "this were excluded from training."
            )
            warnings.append(Doubt(DEGRADED, sentence))
        return warnings


def _read_chain(bundle: Bundle) -> Chain:
    """All fitted steps of a bundle, with networks or with ridge regression."""
    names = ("normaliser", "imputation", "correction", "features")
    steps = [bundle.path(f"{name}.npz") for name in names]
    if bundle.has("ridge.npz"):
        calibration = Calibration.from_dict(bundle.description["calibration"])
        classes = bundle.description["classes"]
        return read_ridge_chain(steps, bundle.path("ridge.npz"), calibration, classes)
    networks = [bundle.folder / task for task in TASKS if bundle.has(f"{task}/{WEIGHTS}")]
    normaliser, imputation, correction, features = steps
    novelty = bundle.path("novelty.npz")
    return Chain.read(normaliser, imputation, correction, features, novelty, networks)
