"""Writes the table of README.md anew, from clients.csv, which ``make clients`` writes."""

from __future__ import annotations

import csv
from pathlib import Path

HERE = Path(__file__).parent
BEGIN, END = "<!-- from clients.csv -->\n", "<!-- end -->\n"


def table(rows: list[dict[str, str]]) -> str:
    """A line for each client, file and outcome, with the networks of it; faults below."""
    outcomes: dict[tuple[str, str, str, str, str], list[str]] = {}
    for row in rows:
        said = f"{row['same']} of {row['images']}" if not row["fault"] else "no"
        key = (row["client"], row["version"], row["file"], said, row["fault"])
        outcomes.setdefault(key, []).append(row["network"])
    every = len({row["network"] for row in rows})
    faults = list(dict.fromkeys(key[-1] for key in outcomes if key[-1]))
    lines = ["| client | version | file | networks | same class |", "|---|---|---|---|---|"]
    for (client, version, file, said, fault), networks in outcomes.items():
        which = "all" if len(networks) == every else ", ".join(networks)
        note = f"{said} ({faults.index(fault) + 1})" if fault else said
        lines.append(f"| {client} | {version} | {file} | {which} | {note} |")
    notes = [f"{number}. {fault}" for number, fault in enumerate(faults, 1)]
    return "\n".join([*lines, "", *notes, ""])


def main() -> None:
    """Replace what is between the two marks."""
    with (HERE / "clients.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["client"].lower(), row["file"]))
    page = HERE / "README.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
