"""Text of small matrices in every layout that is read."""

import pandas as pd

GENES = ["A1BG", "TP53", "KRAS"]


FRAME = pd.DataFrame(
    [[1, 20.5, 3], [4, 5, 6e3], [0, 8, 9]], index=GENES, columns=["s1", "s2", "s3"], dtype=float
)


def tsv(frame: pd.DataFrame = FRAME, **options) -> str:
    return frame.to_csv(sep="\t", index_label="gene", **options)


LAYOUTS = {
    "tsv": tsv(),
    "csv": FRAME.to_csv(index_label="gene"),
    "windows": tsv().replace("\n", "\r\n"),
    "bom": "\ufeff" + tsv(),
    "quoted": tsv(quoting=2),
    "R": tsv().removeprefix("gene\t"),
    "no last line end": tsv().rstrip("\n"),
    "annotated": FRAME.assign(Chr="chr1", gene_type="protein_coding")[
        ["Chr", "s1", "s2", "gene_type", "s3"]
    ].to_csv(sep="\t", index_label="gene"),
    "commented": "# made by\n# someone\n" + tsv(),
    "RNAseqDB": FRAME.assign(Hugo_Symbol=GENES, Entrez_Gene_Id=["1", "    7157", "3845"])[
        ["Hugo_Symbol", "Entrez_Gene_Id", *FRAME]
    ].to_csv(sep="\t", index=False),
    "featureCounts": "# Program:featureCounts v2.0.3; Command:x\n"
    + FRAME.set_axis(["a/s1.bam", "s2.Aligned.sortedByCoord.out.bam", "s3.sorted.bam"], axis=1)
    .assign(Geneid=GENES, Chr="chr1;chr1", Start="1;5", End="3;9", Strand="+;+", Length=8)
    .iloc[:, [3, 4, 5, 6, 7, 8, 0, 1, 2]]
    .to_csv(sep="\t", index=False),
    "GCT 1.2": "#1.2\n3\t3\n"
    + FRAME.assign(Description="d")[["Description", *FRAME]].to_csv(sep="\t", index_label="Name"),
    "GCT 1.3": "#1.3\n3\t3\t1\t1\n"
    + FRAME.assign(kind="d")[["kind", *FRAME]]
    .to_csv(sep="\t", index_label="id")
    .replace("\n", "\nbatch\t\tx\ty\tz\n", 1),
}


STAR = (
    "N_unmapped\t5\t5\t5\nN_multimapping\t1\t1\t1\nN_noFeature\t9\t9\t9\nN_ambiguous\t1\t1\t1\n"
    "ENSG01\t10\t1\t9\nENSG02\t20\t2\t18\n"
)


GDC = (
    "# gene-model: GENCODE v36\n"
    "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\n"
    "N_unmapped\t\t\t5\t5\t5\t\nENSG01.1\tA\tx\t10\t5\t5\t0.5\nENSG02.1\tB\tx\t20\t9\t11\t1.5\n"
)


RSEM = (
    "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n"
    "ENSG01\tt1,t2\t9.0\t8.0\t10.00\t0.5\t1\nENSG02\tt3\t9.0\t8.0\t20.00\t1.5\t1\n"
)


ISOFORMS = (
    "transcript_id\tgene_id\tlength\teffective_length\texpected_count\tTPM\tFPKM\tIsoPct\n"
    "t1\tENSG01\t9\t8\t10.00\t0.5\t1\t50\nt2\tENSG02\t9\t8\t20.00\t1.5\t1\t50\n"
)


SALMON = (
    "Name\tLength\tEffectiveLength\tTPM\tNumReads\nENSG01\t9\t8\t0.5\t10\nENSG02\t9\t8\t1.5\t20\n"
)


KALLISTO = (
    "target_id\tlength\teff_length\test_counts\ttpm\nENSG01\t9\t8\t10\t0.5\nENSG02\t9\t8\t20\t1.5\n"
)


HTSEQ = "ENSG01\t10\nENSG02\t20\n__no_feature\t99\n__ambiguous\t1\n"


ONE_BAM = (
    "# Program:featureCounts\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tx/y.bam\n"
    "ENSG01\tc\t1\t2\t+\t2\t10\nENSG02\tc\t1\t2\t+\t2\t20\n"
)
