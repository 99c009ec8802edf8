"""Describe the run: its config, the TRIPOD+AI checklist, and an RO-Crate."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import json
    import shutil
    from pathlib import Path

    import yaml
    from tissuestate.files import atomic
    from tissuestate.report.checklist import checklist_facts
    from tissuestate.report.crate import describe_run
    from tissuestate.report.document import render_document
    from tissuestate.report.render import render

    source, output, params = snakemake.input, snakemake.output, snakemake.params
    description = json.loads(Path(source.bundle).read_text(encoding="utf-8"))
    shutil.copyfile(source.snakefile, output.snakefile)
    with atomic(output.config) as temporary:
        temporary.write_text(yaml.safe_dump(params.settings, sort_keys=False), encoding="utf-8")
    facts = {"title": "TRIPOD+AI checklist", **checklist_facts(description, params.settings)}
    documents = render_document("tripod.md.j2", facts)
    metadata = render("metadata.yaml.j2", {"name": None, **description})
    texts = (*documents, metadata)
    for path, text in zip((output.checklist, output.page, output.metadata), texts, strict=True):
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    inputs = {
        output.config: "The config of the run",
        source.samples: "The samples, their labels and their split",
        source.cohort: "Raw expression of the cohort, samples × genes",
    }
    results = dict(zip(source.products, params.products, strict=True))
    results |= {
        source.bundle: "The bundle's description, with the checksum of each of its files",
        output.checklist: "The TRIPOD+AI checklist, filled in from the run",
    }
    crate = describe_run(Path(output.crate).parent, output.snakefile, inputs, results, description)
    with atomic(output.crate) as temporary:
        temporary.write_text(json.dumps(crate, indent=2) + "\n", encoding="utf-8")
