# What a run says at its end: the calls, or how many are right; and where to look.
import shutil
from html import unescape


def result_path(path):
    """A result of this run, for Python; the terminal shows it as it is."""
    return Path(path_in_run(path))


def report_calls():
    """Log the calls and where they are; exit with code 1 if a sample has none."""
    from tissuestate.bundle.format import page_facts
    from tissuestate.classification.page import Background
    from tissuestate.report.ending import call_facts
    from tissuestate.report.render import render

    file = result_path("<results>/calls.json")
    if not file.is_file():
        return
    records = json.loads(file.read_text(encoding="utf-8"))
    description = json.loads(find_description(BUNDLE).read_text(encoding="utf-8"))
    facts = call_facts(records, Background(page=page_facts(description)))
    logger.info(unescape(render("calls.txt.j2", facts)).strip("\n"))
    refused = [record for record in records if record["refused"]]
    places = [result_path(f"<results>/{name}") for name in ("pages/index.html", "calls.tsv")]
    logger.info(f"Start with {' and '.join(str(place) for place in places if place.is_file())}")
    if refused:
        first = f"{refused[0]['sample']!r}: {refused[0]['refused']}"
        more = f" (and {len(refused) - 1} more: column 'refused')" if refused[1:] else ""
        stop(f"{len(refused)} of {len(records)} samples refused: {first}{more}")


def report_run():
    """Log after a whole run how many test samples are called right, and where to look."""
    from tissuestate.report.ending import left_out_answers, right_answers
    from tissuestate.report.wording import model_title
    from tissuestate.tables import read_table

    summarised = any(job.rule.name == "summarise_run" for job in workflow.dag.jobs)
    if workflow.touch or not summarised:
        return
    metrics = read_table(result_path(f"<results>/evaluation/{BUNDLED}/metrics.tsv"))
    samples = "simulated test samples" if DEMO else "test samples"
    answers = ", ".join(right_answers(metrics))
    logger.info(f"Right by {model_title(BUNDLED)} on {samples}: {answers}.")
    if LEFT_OUT:
        scores = read_table(
            result_path("<results>/laboratories/scores.tsv"),
            text=("labels", "group", "member", "question"),
        )
        answers = ", ".join(left_out_answers(scores))
        logger.info(f"Right on samples of laboratories left out: {answers}.")
    logger.info(f"The bundle that classifies new samples is {result_path('<results>/bundle')}")
    logger.info(f"Start with {result_path('<results>/report/summary.html')}")


def remove_orphans():
    """Remove genes and pages of calls after a failed run that left no calls."""
    if not result_path("<results>/calls.json").is_file():
        result_path("<results>/genes.tsv").unlink(missing_ok=True)
        shutil.rmtree(result_path("<results>/pages"), ignore_errors=True)
