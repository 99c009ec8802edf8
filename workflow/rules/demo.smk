# The demo cohort: simulated reads of the samples in the demo's sheet, with their truth.

if DEMO:

    rule simulate_cohort:
        input:
            sheet=SAMPLES,
        output:
            genome="results/demo/genome.fa",
            annotation="results/demo/annotation.gtf",
            truth_samples="results/demo/truth_samples.tsv",
            truth_genes="results/demo/truth_genes.tsv",
            # All in a folder of the demo's own: see `check_own_folder`.
            reads=[file for sample in ROWS for file in files_of_sample(sample, READS[:2])],
        log:
            "<logs>/simulate_cohort.log",
        benchmark:
            "<benchmarks>/simulate_cohort.tsv"
        conda:
            "../../envs/python.yaml"
        threads: 2
        resources:
            mem_mb=memory(2000),
            runtime=minutes(20),
        params:
            code=code_digest("demo/simulate_cohort.py"),
            seed=config["seed"],
            pairs=DEMO["pairs"],
        message:
            "Simulating the demo cohort: genome, annotation, reads and their truth"
        script:
            "../scripts/demo/simulate_cohort.py"
