"""Make the files of a replay of the log of a bank: what customers did, who they are, the stages."""

import csv
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

SIGNS = {
    ("O_SENT", "COMPLETE"): ("custom:offer-sent", "offer"),
    ("O_SENT_BACK", "COMPLETE"): ("reply", "offer"),
    ("W_Completeren aanvraag", "COMPLETE"): ("call", "application"),
    ("W_Nabellen offertes", "COMPLETE"): ("call", "offer"),
    ("W_Nabellen incomplete dossiers", "COMPLETE"): ("call", "papers"),
}
"""What the customer does, or what reaches him, in the words of the rules."""
STAGES = ("A_SUBMITTED", "A_PARTLYSUBMITTED", "A_PREACCEPTED", "A_ACCEPTED", "A_FINALIZED")
"""What the seller's system calls the steps of an application."""
WON = ("A_APPROVED", "A_ACTIVATED", "A_REGISTERED")
LOST = ("A_DECLINED", "A_CANCELLED")

Row = dict[str, str]


def read(log: Path) -> Iterator[Row]:
    """Yield the events of the log, oldest first."""
    with gzip.open(log, "rt", encoding="utf-8", newline="") as file:
        yield from sorted(csv.DictReader(file), key=lambda row: row["ts"])


def prepare(log: Path, folder: Path) -> None:
    """Write interactions, roles and opportunities into a folder."""
    done, parts, told = [], {}, []
    closed = set()
    for number, row in enumerate(read(log)):
        case, name, at = row["case"], row["event"], row["ts"]
        parts.setdefault(case, (case, f"customer-{case}", "applicant", at, ""))
        sign = SIGNS.get((name, row["lifecycle"]))
        if sign:
            done.append((at, f"customer-{case}", *sign, name, number))
        if case in closed:
            continue
        if name in STAGES:
            told.append((at, case, name, "", ""))
        elif name in WON + LOST:
            closed.add(case)
            told.append((at, case, name, "true", str(name in WON).lower()))
    write(folder / "interactions.csv.gz", "time,contact,type,category,object,id", done)
    write(folder / "roles.csv.gz", "opportunity,contact,role,from,to", parts.values())
    write(folder / "opportunities.csv.gz", "time,opportunity,stage,is_closed,is_won", told)


def write(path: Path, heading: str, rows: object) -> None:
    """Write a table."""
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(heading.split(","))
        table.writerows(rows)


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), Path(sys.argv[2]))
