"""The coverage profile of one sample's transcripts, from its BAM file."""

from tissuestate.logs import logged

with logged(snakemake.log[0]):
    import logging

    from tissuestate.profiles import digest, profile_bam, save_profile
    from tissuestate.transcripts import read_bed

    transcripts = read_bed(snakemake.input.bed)
    profile = profile_bam(snakemake.input.bam, transcripts, threads=snakemake.threads)
    save_profile(snakemake.output.profile, profile, digest(snakemake.input.bed))
    logging.info("%d reads over %d transcripts", profile.reads, len(transcripts))
