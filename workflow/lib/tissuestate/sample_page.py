"""The page a person reads about one classified sample: the call, how sure, why, what to doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Self

import numpy as np
import pandas as pd

from tissuestate import pages
from tissuestate.abstention import no_tumour
from tissuestate.bundle import Bundle
from tissuestate.composition import pairs_without_common_batch
from tissuestate.files import load_arrays
from tissuestate.training_map import TrainingMap
from tissuestate.wording import class_title, head_title

LEAST_SHOWN = 0.005
GENES = 8  # shown of each head
BINS = 24


@dataclass(frozen=True)
class Background:
    """What the pages of all samples share, made once.

    picture, legend: of the training samples, as HTML. corner, size: of the picture's axes, as
    shares of it from its top left. limits: the coordinates at the axes' left, right, bottom and
    top. mrin: of the training samples (empty where they had no reads). contrasts: of the bundle's
    data.
    """

    picture: str
    legend: str
    corner: tuple[float, float]
    size: tuple[float, float]
    limits: tuple[float, float, float, float]
    mrin: np.ndarray
    contrasts: list[Mapping[str, Any]]

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """The background that a bundle gives."""
        training = TrainingMap.from_arrays(load_arrays(bundle.path("training.npz"))).frame()
        integrity = bundle.has("integrity.npz")
        mrin = load_arrays(bundle.path("integrity.npz"))["mrin"] if integrity else np.empty(0)
        return cls.from_training(training, mrin, bundle.description["data"]["contrasts"])

    @classmethod
    def from_training(
        cls, training: pd.DataFrame, mrin: np.ndarray, contrasts: list[Mapping[str, Any]]
    ) -> Self:
        """The background of training samples (x, y, tissue, disease_state a row) and their mRIN."""
        from tissuestate.figure_expression import embedding, tissue_marks

        figure = embedding(training)
        axes = figure.axes[0]
        png = pages.figure_bytes(figure)  # this settles the layout
        box = axes.get_position()
        return cls(
            pages.picture(png, "the training samples on two principal components, by tissue"),
            pages.legend(tissue_marks(training)),
            (box.x0, 1 - box.y1),
            (box.width, box.height),
            (*axes.get_xlim(), *axes.get_ylim()),
            mrin[np.isfinite(mrin)],
            contrasts,
        )

    def place(self, x: float, y: float) -> tuple[float, float, bool]:
        """Where a point lies in the picture (shares from left and top), and whether on its edge."""
        left, right, bottom, top = self.limits
        across, down = (x - left) / (right - left), (top - y) / (top - bottom)
        inside = min(max(across, 0.0), 1.0), min(max(down, 0.0), 1.0)
        return (
            self.corner[0] + inside[0] * self.size[0],
            self.corner[1] + inside[1] * self.size[1],
            inside != (across, down),
        )


def sample_page(
    record: Mapping[str, Any], background: Background, genes: pd.DataFrame | None = None
) -> str:
    """One sample's result as a self-contained HTML page.

    `record` is what `Predictions.record` returns; `genes` this sample's rows of
    `explain.top_genes`, None where calls are not explained.
    """
    title = f"Sample {record['sample']}"
    if record["refused"]:
        body = [pages.paragraph(f"No call: {record['refused']}", "warning")]
        return pages.page(title, [*body, *_about(record, background), *_closing()])
    body = [
        _answers(record["heads"]),
        *(pages.paragraph(text, "warning") for text in record["warnings"]),
    ]
    state = record["heads"]["disease_state"]["call"]
    for head, found in record["heads"].items():
        if head == "subtype" and no_tumour(state):
            continue
        shown = _shown(found["probabilities"])
        body += [pages.heading(head_title(head)), pages.bars(shown)]
        body.append(pages.paragraph(_set(found["set"])))
        hidden = len(found["probabilities"]) - len(shown)
        if hidden:
            classes = "class" if hidden == 1 else "classes"
            body.append(pages.paragraph(f"{hidden} more {classes} below 0.5 %.", "small"))
    body += [
        *_drivers(record["heads"], genes),
        pages.heading("Where it lies among the training samples"),
        *_picture(record["point"], background),
        *_about(record, background),
        pages.heading("What to beware of"),
        pages.items(_cautions(background.contrasts)),
        *_closing(),
    ]
    return pages.page(title, body)


def _answers(heads: Mapping[str, Any]) -> str:
    """The calls side by side, each with its probability, or why there is none."""
    cards = []
    for head, found in heads.items():
        answer, kind = found["call"], ""
        remark = ", ".join(filter(None, (class_title(answer), _percent(found["probability"]))))
        if not answer:
            answer, remark, kind = "no answer", found["abstained"], " none"
        cards.append(
            f'<div class="answer{kind}"><small>{escape(head_title(head))}</small>'
            f"<strong>{escape(answer)}</strong> <span>{escape(remark)}</span></div>"
        )
    return f'<div class="answers">{"".join(cards)}</div>'


def _percent(share: float) -> str:
    """A probability as a reader wants it: never a rounded certainty."""
    if share > 0.995:
        return "more than 99 %"
    return f"{share:.0%}".replace("%", " %")


def _set(members: Sequence[str]) -> str:
    if not members:
        return (
            "The 90 % set is empty: nine of ten samples like those of the training cohort are "
            "called with more certainty than this one."
        )
    return f"With 90 % confidence: {' or '.join(members)}."


def _shown(probabilities: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    return {
        name: share
        for place, (name, share) in enumerate(ranked)
        if place == 0 or share >= LEAST_SHOWN
    }


def _drivers(heads: Mapping[str, Any], genes: pd.DataFrame | None) -> list[str]:
    """The genes that speak most for and against each call."""
    if genes is None or genes.empty:
        return []
    body = [
        pages.heading("The genes behind the call"),
        pages.paragraph(
            "How much each gene's level speaks for (blue) or against (orange) the class called, "
            "rather than the classes it competed with, when the sample is compared with the "
            "average training sample. Integrated gradients, in units of the logit.",
            "small",
        ),
    ]
    for head in heads:
        rows = genes[genes["head"] == head].nsmallest(GENES, "rank")
        if rows.empty:
            continue
        rows = rows.sort_values("contribution", ascending=False)
        largest = max(float(rows["contribution"].abs().max()), 1e-9)
        bars = [
            pages.signed_bar(
                row.gene,
                "higher" if row.expression > row.average else "lower",
                row.contribution,
                largest,
            )
            for row in rows.itertuples()
        ]
        together = float(rows["contribution"].sum())
        call, whole = str(rows["class"].iloc[0]), float(rows["difference"].iloc[0])
        body += [
            f"<h3>{escape(head_title(head))}: {escape(call)}</h3>",
            *bars,
            pages.paragraph(
                f"The {len(rows)} genes that weigh most, together {together:+.2f} of {whole:+.2f} "
                "by all genes.",
                "small",
            ),
        ]
    return body


def _picture(point: list[float], background: Background) -> list[str]:
    left, top, outside = background.place(*point)
    star = (
        f'<span class="star" style="left:{100 * left:.2f}%;top:{100 * top:.2f}%" '
        'role="img" aria-label="this sample">&#9733;</span>'
    )
    note = (
        "The star is this sample. First two principal components of what the networks see; filled "
        "marks are neoplastic, pale ones peri-neoplastic, hollow ones non-neoplastic. Two "
        "components show only part of the picture."
    )
    body = [
        f'<div class="map">{background.picture}{star}</div>',
        background.legend,
        pages.paragraph(note, "small"),
    ]
    if outside:
        body.append(
            pages.paragraph(
                "It lies beyond the edge of the picture, further out than any training sample.",
                "warning",
            )
        )
    return body


def _about(record: Mapping[str, Any], background: Background) -> list[str]:
    facts = [("genes", record["recognition"]), ("read as", record["unit"])]
    if record["novelty"] is not None:
        facts.append(("novelty (above 1: like nothing in training)", f"{record['novelty']:.2f}"))
    mrin = record["mrin"]
    body = [pages.heading("About the sample")]
    facts += _reads(record)
    if mrin is None:
        why = (
            "the bundle cannot tell" if record.get("reads") else "the sample did not come as reads"
        )
        facts.append(("RNA integrity", f"not known: {why}"))
    else:
        facts.append(("RNA integrity (mRIN; lower is more degraded)", f"{mrin:.3f}"))
    body.append(pages.table(pd.DataFrame(facts, columns=["what", "found"])))
    if mrin is not None and len(background.mrin):
        share = float((background.mrin < mrin).mean())
        body += [
            _strip(mrin, background.mrin),
            pages.paragraph(
                f"RNA integrity against the training cohort: more intact than {share:.0%} of its "
                f"{len(background.mrin):,} samples (grey); the line is this sample.",
                "small",
            ),
        ]
    body += [pages.paragraph(text, "small") for text in _origin(record)]
    return body


def _reads(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Reads, and the shares of them aligned and assigned, of a sample that came as reads."""
    shown = [("reads", "reads", "{:,.0f}"), ("aligned", "of them aligned", "{:.1%}")]
    shown.append(("assigned", "of the alignments assigned to genes", "{:.1%}"))
    return [
        (what, form.format(record[name]))
        for name, what, form in shown
        if record.get(name) is not None
    ]


def _origin(record: Mapping[str, Any]) -> list[str]:
    """The files that the call was made from, and the bundle that made it, with their checksums."""
    lines = [
        f"Input: {part['file']}, SHA-256 {part['sha256'] or 'not known'}."
        for part in record.get("input", ())
    ]
    if "bundle" in record:
        bundle = record["bundle"]
        lines.append(f"Bundle: {bundle['folder']}, fingerprint {bundle['fingerprint']}.")
    return lines


def _strip(value: float, cohort: np.ndarray) -> str:
    """A small histogram of the cohort with a line at the value, as SVG."""
    low, high = min(value, float(cohort.min())), max(value, float(cohort.max()))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts, _ = np.histogram(cohort, edges)
    tall = 36 * counts / max(int(counts.max()), 1)
    wide = 300 / BINS
    bars = "".join(
        f'<rect x="{i * wide:.1f}" y="{40 - h:.1f}" width="{wide - 1:.1f}" height="{h:.1f}"/>'
        for i, h in enumerate(tall)
    )
    at = 300 * (value - edges[0]) / (edges[-1] - edges[0])
    return (
        '<svg class="strip" viewBox="0 0 300 44" role="img" aria-label="RNA integrity of the '
        f'training samples"><g fill="#bbb">{bars}</g><line x1="{at:.1f}" x2="{at:.1f}" y1="0" '
        'y2="44" stroke="#D55E00" stroke-width="2"/></svg>'
    )


def _cautions(contrasts: list[Mapping[str, Any]]) -> list[str]:
    cautions = [
        "The model knows the classes listed here and no other. Most samples of another origin are "
        "told apart and get no answer, but one close to a known class may be given that class.",
        "Probabilities hold for samples like those of the training cohort.",
    ]
    pairs = pairs_without_common_batch(contrasts, "disease_state", "subtype")
    if pairs:
        cautions.append(
            f"In training, {'; '.join(pairs)} never came from the same study and source: what "
            "tells them apart may be these, not the disease."
        )
    return cautions


def _closing() -> list[str]:
    return [pages.paragraph("For research only; not a medical device.", "small")]
