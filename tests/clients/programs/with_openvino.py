"""OpenVINO on a CPU."""

import openvino
from client import answer, given, stored, taken_by_onnx

path, images, mean, std = given()
core = openvino.Core()
model = core.read_model(path)
kind = model.input(0).element_type.to_dtype()
if path.endswith(".tflite"):
    # OpenVINO takes the scale of an integer input for its own: pixels are scale * (integer - zero).
    zero = {"int8": -128}.get(kind.name, 0)
    whole = [stored(image, kind, 1 / 255, zero) for image in images]
else:
    bytes_in = "tensor(uint8)" if kind.name == "uint8" else ""
    whole = [image[None] for image in taken_by_onnx(images, mean, std, bytes_in)]
network = core.compile_model(model, "CPU")
answer([next(iter(network(image).values())) for image in whole])
