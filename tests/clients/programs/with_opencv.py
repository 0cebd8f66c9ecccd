"""OpenCV's dnn module."""

import sys
from pathlib import Path

import cv2
import numpy as np
from client import answer, given, stored, taken_by_onnx

path, images, mean, std = given()
name = Path(path).name  # such as tflite-int8.tflite
if name.endswith(".tflite"):
    kind = np.uint8 if "uint8" in name else np.int8 if "int8" in name else np.float32
    whole = [stored(one, kind, 1 / 255, -128 if kind is np.int8 else 0) for one in images]
    # The importer turns the layout into OpenCV's own.
    whole = [np.ascontiguousarray(one.transpose(0, 3, 1, 2)) for one in whole]
else:
    bytes_in = "tensor(uint8)" if "pixels" in name else ""
    whole = [image[None] for image in taken_by_onnx(images, mean, std, bytes_in)]
if sys.argv[4:] == ["classic"]:
    network = cv2.dnn.readNetFromONNX(path, engine=cv2.dnn.ENGINE_CLASSIC)
else:
    network = cv2.dnn.readNet(path)
scores = []
for image in whole:
    network.setInput(image)
    scores.append(network.forward().copy())
answer(scores)
