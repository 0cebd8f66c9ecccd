"""ncnn as it comes: weights and sums in 16 bits where the processor has them."""

from pathlib import Path

import ncnn
import numpy as np
from client import answer, given, normalised

path, images, mean, std = given()
network = ncnn.Net()
network.load_param(path)
network.load_model(str(Path(path).with_suffix(".bin")))
scores = []
for image in normalised(images, mean, std):
    extractor = network.create_extractor()
    extractor.input("in0", ncnn.Mat(image))
    scores.append(np.array(extractor.extract("out0")[1]))
answer(scores)
