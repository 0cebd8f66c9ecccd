"""ONNX Runtime, an image a call."""

import onnxruntime
from client import answer, given, taken_by_onnx

path, images, mean, std = given()
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
port = session.get_inputs()[0]
whole = taken_by_onnx(images, mean, std, port.type)
answer([session.run(None, {port.name: image[None]})[0] for image in whole])
