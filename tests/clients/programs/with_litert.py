"""LiteRT, or TensorFlow Lite under its older name."""

from client import answer, given, stored

try:
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter

path, images, _, _ = given()
interpreter = Interpreter(model_path=path)
interpreter.allocate_tensors()
source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
scores = []
for image in images:
    interpreter.set_tensor(source["index"], stored(image, source["dtype"], *source["quantization"]))
    interpreter.invoke()
    scores.append(interpreter.get_tensor(target["index"]))
answer(scores)
