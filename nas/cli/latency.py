"""``nas latency``: measure a device once; a search then predicts the latency of its networks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blocks.errors import InvalidInput
from blocks.wording import plural
from nas.api.importing import importing
from nas.cli.completion import complete_data, complete_devices, complete_spaces
from nas.cli.console import AsJson, console, print_json, say
from nas.cli.group import GroupedCommand
from nas.data.registry import DATASETS
from nas.errors import WorkFailed
from nas.exporting.targets import ON_THIS_MACHINE
from nas.folders import devices_dir, runs_dir
from nas.runs.folder import NAME

if TYPE_CHECKING:
    from nas.exporting import Precision

latency = typer.Typer(
    name="latency",
    help="Measure a device once; a search then predicts the latency of its networks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@latency.command("kit", hidden=True, cls=GroupedCommand)  # its name in version 0.1
@latency.command(cls=GroupedCommand)
def suite(
    space: Annotated[
        str,
        typer.Option(help="Shipped search space, or a YAML file.", autocompletion=complete_spaces),
    ],
    data: Annotated[
        str,
        typer.Option(help=f"One of: {', '.join(DATASETS)}.", autocompletion=complete_data),
    ],
    data_dir: Annotated[str | None, typer.Option(help="Folder with the images.")] = None,
    input_size: Annotated[
        int | None, typer.Option(help="Side of an image in pixels; imagefolder only, default 224.")
    ] = None,
    target: Annotated[str, typer.Option(help=f"One of: {', '.join(ON_THIS_MACHINE)}.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="Quantize to 8-bit integers.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder; default runs/latency/SPACE-DATA-TARGET.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes that export.")] = 1,
) -> None:
    """Write a latency benchmark suite for all networks of a space: a folder to measure on a device.

    A benchmark takes about a second to export. The same command continues an interrupted suite.

    Example: nas latency suite --space shufflenet_v2_sk --data fashion_mnist --target onnx
    """
    with importing():
        import torch  # noqa: F401  # what follows imports it
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        from blocks.yaml_files import parse
        from nas.cost import Budgets
        from nas.data import DataConfig, load_data
        from nas.exporting import benchmarks_of, write_suite
        from nas.searching import find_candidates
        from nas.searching.candidates import ENUMERATE_UP_TO
        from search_spaces import load_space
    fields = {"name": data, "data_dir": data_dir, "input_size": input_size}
    typed = {"input_size": "--input-size"}
    images = parse(DataConfig, fields, "nas latency suite", typed)
    info = load_data(images).info
    bound = load_space(space).bind(
        num_classes=info.num_classes, in_channels=info.in_channels, input_size=info.input_size
    )
    candidates = find_candidates(bound, Budgets(), seed=0)
    networks = candidates.specs
    if not candidates.complete:
        if bound.size() is None or bound.covering_size() > ENUMERATE_UP_TO:
            raise InvalidInput(
                f"{space}: has too many networks to list their benchmarks; allowed: a space of up to "
                f"{ENUMERATE_UP_TO:,} networks, or whose stages vary apart, without continuous ranges"
            )
        networks |= {spec.key: spec for spec in bound.covering()}
    benchmarks = benchmarks_of(networks.values(), seed=0)
    precision: Precision = "int8" if int8 else "fp32"
    folder = out or default_folder(bound.definition.name, data, target, precision)
    columns = (TextColumn("benchmarks"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=len(benchmarks))
            write_suite(
                folder, benchmarks, target, precision, workers=workers,
                progress=lambda done: progress.update(task, completed=done),
            )  # fmt: skip
    except KeyboardInterrupt:
        raise WorkFailed(f"interrupted; the same command continues in {folder}") from None
    size = len(networks) if candidates.complete else bound.size() or 0
    say(f"{plural(len(benchmarks), 'benchmark')} for {plural(size, 'network')}: {folder}")
    say(f"next, here:      nas bench {folder} --json > measurements.json")
    say("or on a device:  copy the folder there; python bench.py --json > measurements.json")
    say("then:            nas latency import measurements.json --device NAME")


@latency.command("import", cls=GroupedCommand)
def import_(
    measurement_files: Annotated[
        list[Path],
        typer.Argument(metavar="MEASUREMENTS.json...", help="Output of bench.py --json."),
    ],
    device: Annotated[
        str,
        typer.Option(
            help="A name of your choice; the table is devices/NAME.json.",
            autocompletion=complete_devices,
        ),
    ],
    network: Annotated[
        str | None,
        typer.Option(help="Such as onnx-fp32; needed if several were measured."),
    ] = None,
    allow_busy: Annotated[
        bool, typer.Option("--allow-busy", help="Accept measurements of a busy device.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the latency table of a device from its measurements.

    Example: nas latency import measurements.json --device pi4
    """
    if not NAME.fullmatch(device) or device.endswith(".json"):
        raise InvalidInput(
            f"--device {device}: allowed: up to 100 letters, digits, dots, - and _, no .json at the end"
        )
    with importing():
        from nas.cost.latency import make_table, read_measurements
        from nas.runs import write_text
    found = [read_measurements(path) for path in measurement_files]
    table = make_table(device, found, network=network, allow_busy=allow_busy)
    path = devices_dir() / f"{device}.json"
    write_text(path, table.model_dump_json(indent=1) + "\n")
    if as_json:
        print_json(table.model_dump(mode="json", exclude={"blocks"}) | {"path": str(path)})
        return
    say(
        f"{path}: {plural(len(table.blocks), 'benchmark')} of {table.network} on {table.device.cpu}"
    )
    fit = table.fit
    if fit.median_error is not None and fit.worst_error is not None:
        say(
            f"{plural(fit.networks, 'network')} measured whole, each predicted from the others: "
            f"median error {100 * fit.median_error:.1f} %, worst {100 * fit.worst_error:.1f} %"
        )
    say(f"next: nas search ... --device {device} --max-latency-ms X --objectives error,latency_ms")


def default_folder(space: str, data: str, target: str, precision: Precision) -> Path:
    """runs/latency/SPACE-DATA-TARGET; other characters of the three names become dashes."""
    name = re.sub(r"[^\w.-]", "-", f"{space}-{data}-{target}")
    return runs_dir() / "latency" / (f"{name}-int8" if precision == "int8" else name)
