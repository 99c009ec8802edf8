# A target a stage: `snakemake STAGE` runs it and what it needs, and nothing after it.


rule reference:
    input:
        STAR_INDEX if FROM_READS else [],
        "<reference>/transcripts.bed" if FROM_READS else [],


rule align:
    input:
        per_sample("<results>/align/{sample}.Log.final.out", origins=("fastq", "sra")),


rule integrity:
    input:
        "<results>/integrity/mrin.tsv" if FROM_READS else [],


rule quantify:
    input:
        per_sample("<results>/counts/{sample}.tsv"),


rule quality:
    input:
        ["<results>/qc/samples.tsv", "<results>/multiqc/multiqc.html"] if FROM_READS else [],


rule cohort:
    input:
        "<results>/cohort/cohort.h5ad",


rule correct:
    input:
        "<results>/expression/corrected.h5ad",


rule features:
    input:
        expand("<results>/features/{features}.h5ad", features=config["features"]["kinds"]),


rule tune:
    input:
        expand(
            "<results>/models/{task}.{features}/hyperparameters.json",
            task=TASKS,
            features=config["features"]["kinds"],
        ),


rule train:
    input:
        expand(
            "<results>/models/{task}.{features}/weights.safetensors",
            task=TASKS,
            features=config["features"]["kinds"],
        ),


rule evaluate:
    input:
        expand("<results>/evaluation/{model}/metrics.tsv", model=MODELS),


rule benchmark:
    input:
        "<results>/benchmark/benchmark.tsv",


rule bundle:
    input:
        "<results>/bundle/bundle.json",
