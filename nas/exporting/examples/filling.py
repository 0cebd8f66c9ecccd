"""Fills the examples of a bundle in from its manifest: one for each client that it has a file for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from nas.exporting.examples.resolver import resolver_method
from nas.exporting.examples.templates import HERE, rendered

EXAMPLES = "examples"
"""Folder in a bundle."""
HEADERS = ("network.h", "photo.h")
"""What programs in C++ share."""
BYTES = {"float32": 4, "int8": 1, "uint8": 1}
PREFERRED = ("int8", "fp16", "fp32")
"""Precisions; an application takes the first that there is."""
PRECISIONS = {"fp32": "float32"}
"""How the page calls them, where it is not by their names."""

Json: TypeAlias = Mapping[str, Any]
"""A manifest, or a part of it, as the file holds it."""


def write_examples(manifest: Json, bundle: Path) -> None:
    """Write ``examples/`` into the folder of a bundle.

    Args:
        manifest: The bundle's, as in its file.
        bundle: Its folder.
    """
    for name, text in _examples(manifest):
        path = bundle / EXAMPLES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def browser_page(manifest: Json) -> dict[str, str]:
    """Path in ``examples/`` -> text of the files of the page; empty without a network for it.

    Args:
        manifest: Of any version.
    """
    channels = manifest["preprocessing"]["channels"]
    networks = [_network(one, channels) for one in manifest["artifacts"] if one["target"] == "onnx"]
    if not networks:
        return {}
    how = manifest["preprocessing"]
    kind = "grey" if how["channels"] == 1 else "RGB"
    title = _title(manifest)
    about = f"{len(manifest['class_names'])} classes, {kind}, {how['size']} x {how['size']} pixels"
    return {
        "browser/index.html": rendered("browser/index.html.jinja", title=title, about=about),
        "browser/page.js": _copied("browser/page.js"),
        "browser/classifier.js": rendered(
            "browser/classifier.js.jinja", networks=networks, **_shared(manifest)
        ),
    }


def example_folders(manifest: Json) -> list[str]:
    """The folders in ``examples/`` of a bundle, one for each client."""
    return list(dict.fromkeys(name.partition("/")[0] for name, _ in _examples(manifest)))


def example_names() -> set[str]:
    """Path in ``examples/`` of every file that any bundle has there."""
    templates = {
        str(path.relative_to(HERE)).removesuffix(".jinja")
        for path in HERE.glob("*/*.*")
        if path.suffix not in (".py", ".pyc")
    }
    return templates | {f"microcontroller/{name}" for name in HEADERS}


def _examples(manifest: Json) -> Iterator[tuple[str, str]]:
    """Path in ``examples/`` and text of each file."""
    yield from browser_page(manifest).items()
    shared = _shared(manifest)
    if one := _preferred(manifest, "litert"):
        values = {**shared, **_pixel_ports(one), "file": one["files"][0]["name"]}
        for name in ("android/Classifier.kt", "ios/Classifier.swift"):
            yield name, rendered(f"{name}.jinja", **values)
    network_h, photo_h = HEADERS
    headers = {
        network_h: rendered("cpp/network.h.jinja", **shared),
        photo_h: _copied("cpp/photo.h"),
    }
    programs = {
        f"cpp/{target}.cc": _cpp(one, target)
        for target in ("onnx", "ncnn")
        if (one := _preferred(manifest, target))
    }
    if programs:
        yield from programs.items()
        yield "cpp/classify.h", _copied("cpp/classify.h")
        yield from ((f"cpp/{name}", text) for name, text in headers.items())
    if one := _preferred(manifest, "tflm"):
        yield "microcontroller/main.cc", _microcontroller(one)
        yield from ((f"microcontroller/{name}", text) for name, text in headers.items())


def _preferred(manifest: Json, target: str) -> Json | None:
    """The artifact of ``target`` that suits an application best."""
    found = {one["precision"]: one for one in manifest["artifacts"] if one["target"] == target}
    return next((found[name] for name in PREFERRED if name in found), None)


def _shared(manifest: Json) -> dict[str, Any]:
    """What every example knows: labels, preprocessing and temperature."""
    how = {"read_side": None, **manifest["preprocessing"]}
    temperature = (manifest.get("temperature") or {}).get("value", 1.0)
    return {"how": how, "labels": manifest["class_names"], "temperature": temperature}


def _title(manifest: Json) -> str:
    spec = manifest["spec"]
    kind = spec["unit"]["kind"]
    unit = "" if kind == "none" else f" with {kind.upper()} units"
    return f"{spec['backbone']} {spec['width']}x{unit}"


def _network(one: Json, channels: int) -> dict[str, Any]:
    """What the page knows of a network; bundles of version 0.1 do not say what a file takes."""
    given = one.get("input") or {"order": "NCHW", "type": "float32", "scale": None, "zero": 0}
    taken, pixels = one.get("output") or {"name": "logits"}, one.get("pixels")
    return {
        "name": f"{one['target']}-{one['precision']}",
        "precision": PRECISIONS.get(one["precision"], one["precision"]),
        "file": f"../../{one['files'][0]['name']}",
        "bytes": sum(file["bytes"] for file in one["files"]),
        **{name: given[name] for name in ("order", "type", "scale", "zero")},
        "channels": pixels["channels"] if pixels else channels,
        "normalises": pixels is not None,
        "gives": "scores" if taken["name"] == "scores" else "logits",
    }


def _pixel_ports(one: Json) -> dict[str, Any]:
    """Input and output of a file that takes pixels."""
    return {
        "channels": one["pixels"]["channels"],
        "input": one["input"],
        "output": one["output"],
        "bytes_in": BYTES[one["input"]["type"]],
        "bytes_out": BYTES[one["output"]["type"]],
    }


def _cpp(one: Json, target: str) -> str:
    return rendered(
        f"cpp/{target}.cc.jinja",
        files=[file["name"] for file in one["files"]],
        bytes=one["input"]["type"] == "uint8",
        input=one["input"]["name"],
        output=one["output"]["name"],
    )


def _microcontroller(one: Json) -> str:
    """A program that runs the network: the resolver and the arena that it needs."""
    arena = one["arena"]
    return rendered(
        "microcontroller/main.cc.jinja",
        arena=arena["head"] + arena["tail"],
        methods=[resolver_method(name) for name in arena["operators"]],
        channels=one["pixels"]["channels"],
        type=one["input"]["type"],
        output=one["output"],
    )


def _copied(name: str) -> str:
    """A file that is the same in every bundle."""
    return (HERE / name).read_text(encoding="utf-8")
