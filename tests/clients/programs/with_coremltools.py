"""coremltools reads the package; running it needs macOS."""

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import coremltools

with tempfile.TemporaryDirectory() as folder:
    with zipfile.ZipFile(sys.argv[1]) as archive:
        archive.extractall(folder)
    model = coremltools.models.MLModel(str(Path(folder) / "model.mlpackage"), skip_model_load=True)
    spec = model.get_spec()
about = spec.description
(classify,) = [
    operation
    for block in spec.mlProgram.functions["main"].block_specializations.values()
    for operation in block.operations
    if operation.type == "classify"
]
labels = classify.inputs["classes"].arguments[0].value.immediateValue.list.values
image = about.input[0].type.imageType
colour = image.ColorSpace.Name(image.colorSpace)
print(
    json.dumps(
        {
            "image": [image.height, image.width, colour],
            "outputs": sorted(one.name for one in about.output),
            "labels": [one.immediateValue.tensor.strings.values[0] for one in labels],
        }
    )
)
