"""MediaPipe's ImageClassifier, which normalises and names by what the file says."""

import mediapipe
import numpy as np
from client import answer, given
from mediapipe.tasks import python as tasks
from mediapipe.tasks.python import vision

path, images, _, _ = given()
options = vision.ImageClassifierOptions(base_options=tasks.BaseOptions(model_asset_path=path))
classifier = vision.ImageClassifier.create_from_options(options)
scores, names = [], []
for image in images:
    pixels = mediapipe.Image(
        image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
    )
    found = classifier.classify(pixels).classifications[0].categories
    row = np.zeros(len(found))
    for one in found:
        row[one.index] = one.score
    scores.append(row)
    names.append(max(found, key=lambda one: one.score).category_name)
answer(scores, names=names)
