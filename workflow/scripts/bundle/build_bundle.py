"""Build the bundle that classifies new samples from all fitted parts."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    from pathlib import Path

    from tissuestate.bundle.build import BundleSources, build_bundle, describe_bundle
    from tissuestate.bundle.card import card_facts
    from tissuestate.bundle.format import keep_bundle
    from tissuestate.files import atomic
    from tissuestate.report.document import render_document

    source = snakemake.input
    sources = BundleSources(
        normaliser=source.normaliser,
        imputation=source.imputation,
        correction=source.correction,
        transformer=source.transformer,
        normalised=source.normalised,
        novelty=source.get("novelty") or "",
        genes=source.genes,
        cohort=source.cohort,
        samples=source.samples,
        classes=source.classes,
        calibration=source.calibration,
        metrics=source.metrics,
        confusion=source.confusion,
        sets=source.sets,
        abstention=source.abstention,
        missing_genes=source.missing_genes,
        multitask=source.get("multitask") or [],
        subtype=source.get("subtype") or [],
        ridge=source.get("ridge") or "",
        left_out=source.get("left_out") or "",
        left_out_calls=source.get("left_out_calls") or "",
        integrity=source.get("integrity") or "",
        transcripts=source.get("bed") or "",
        sources=source.get("sources") or "",
    )
    folder = Path(snakemake.output.bundle).parent
    description = {
        **describe_bundle(sources, snakemake.params.config),
        **snakemake.params.page,
        "name": snakemake.params.name or "",
    }
    facts = {"title": "Model card", **card_facts(description)}
    card, page = render_document("model_card.md.j2", facts)
    build_bundle(folder, sources, description, card)
    with atomic(snakemake.output.card) as temporary:
        temporary.write_text(page, encoding="utf-8")
    # The next run replaces the outputs; the archive keeps a bundle in use unchanged.
    keep_bundle(folder, folder.with_name("bundles"))
