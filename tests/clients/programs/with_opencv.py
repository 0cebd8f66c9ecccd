"""OpenCV's dnn module."""

import cv2
import numpy as np
from client import answer, given, normalised, stored

path, images, mean, std = given()
if path.endswith(".tflite"):
    kind = np.uint8 if "uint8" in path else np.int8 if "int8" in path else np.float32
    whole = [stored(one, kind, 1 / 255, -128 if kind is np.int8 else 0) for one in images]
    # The importer turns the layout into OpenCV's own.
    whole = [np.ascontiguousarray(one.transpose(0, 3, 1, 2)) for one in whole]
else:
    whole = [image[None] for image in normalised(images, mean, std)]
network = cv2.dnn.readNet(path)
scores = []
for image in whole:
    network.setInput(image)
    scores.append(network.forward().copy())
answer(scores)
