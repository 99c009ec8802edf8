"""Facts of what was recognised in each file (`recognition.txt.j2`), without a call."""

from collections import Counter
from typing import Any

from tissuestate.command.calls import Calls


def recognition_facts(calls: Calls) -> list[dict[str, Any]]:
    """One entry per file, in order.

    layout: '' of a file that cannot be read, whose refusal says why. samples: their number. units:
    [unit, whether it was stated, number of samples]; genes: [how the ids were understood, number of
    samples]; warnings and refusals: [sentence, its samples], of values and ids, not of a call.
    """
    about = calls.predictions.samples
    read = {sample for frame, _ in calls.new.frames for sample in frame.index}
    files: dict[str, list[dict[str, Any]]] = {}
    for record in calls.records:
        files.setdefault(record["input"][0]["file"], []).append(record)
    found = []
    for name, records in files.items():
        known = [record for record in records if record["sample"] in read]
        refusals: dict[str, list[str]] = {}
        warnings: dict[str, list[str]] = {}
        for record in records:
            if record["refused"]:
                refusals.setdefault(record["refused"], []).append(record["sample"])
            for sentence in [*record["doubts"].values(), *record["notes"]]:
                warnings.setdefault(sentence, []).append(record["sample"])
        units = Counter(
            (record["unit"], bool(about.at[record["sample"], "unit_stated"])) for record in known
        )
        found.append(
            {
                "file": name,
                "layout": calls.layouts.get(name, ""),
                "samples": len(records) if name in calls.layouts else 0,
                "units": [[*key, number] for key, number in units.most_common()],
                "genes": [
                    list(item) for item in Counter(r["recognition"] for r in known).most_common()
                ],
                "warnings": [list(item) for item in warnings.items()],
                "refusals": [list(item) for item in refusals.items()],
            }
        )
    return found
