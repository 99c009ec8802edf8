"""The coverage profile of one sample's transcripts, from its BAM or CRAM file."""

from tissuestate.logs import log_to

with log_to(snakemake.log[0]):
    import logging
    import sys
    from pathlib import Path

    from tissuestate.checksums import file_checksum
    from tissuestate.errors import InputError
    from tissuestate.integrity.profiles import profile_bam, save_profile
    from tissuestate.reference.chromosomes import header_checksums, read_chromosomes
    from tissuestate.reference.shared import read_shared
    from tissuestate.refusals import read_refusal, write_refusal

    source, target = snakemake.input, snakemake.output.profile
    transcripts = read_shared(source.bed)
    chromosomes = read_chromosomes(source.chromosomes)
    sequences = header_checksums(Path(source.sequences).read_text()) if source.sequences else {}
    refused = snakemake.params.flaw or read_refusal(source.bam)
    if not refused:
        try:
            profile = profile_bam(
                source.bam, transcripts, snakemake.threads, chromosomes, sequences
            )
        except InputError as error:  # in classification the other samples go on
            if not snakemake.params.refuse:
                raise
            refused = str(error)
            for stream in (sys.stderr, sys.__stderr__):  # the log, and the terminal
                print(f"Error: {refused}", file=stream)
    if refused:
        write_refusal(target, refused)
    else:
        save_profile(target, profile, file_checksum(source.bed))
        logging.info("%d reads over %d transcripts", profile.reads, len(transcripts))
