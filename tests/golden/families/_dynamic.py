"""Exported models in fewer bits. What they answer depends on who multiplies: the reference is ONNX Runtime for Python."""

import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from common import Embedder, fixture
from families import bert
from families.exported import export_states


class Exported(Embedder):
    """The modules of sentence-transformers behind a session of ONNX Runtime, set up as the server sets up its own."""

    def __init__(self, folder):
        super().__init__(folder)
        self.path = next(folder.glob("onnx/*.onnx"))
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("optimization.disable_specified_optimizers", "SkipLayerNormFusion")
        self.session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])

    def answer(self, case):
        features = self.model.preprocess([case["text"]])
        inputs = {value.name: features[value.name].numpy() for value in self.session.get_inputs()}
        (states,) = self.session.run(["last_hidden_state"], inputs)
        features["token_embeddings"] = torch.from_numpy(states).float()
        for module in [*self.model][1:]:
            features = module(features)
        return {"ids": inputs["input_ids"][0].tolist(), "vector": features["sentence_embedding"][0].detach().numpy()}

    def batch(self, cases):
        """One by one: the numbers of a text depend on the others of its batch."""
        return [self.answer(case)["vector"] for case in cases]


def exported(name, about, write):
    """A BERT whose whole model `write` reads from the first path and writes to the second."""

    def build(folder, seed):
        bert.write_pipeline(folder, seed, Pooling(bert.HIDDEN, "mean"), Normalize(), **bert.ONE_LAYER)
        weights = (folder / "model.safetensors").read_bytes()
        export_states(folder, "onnx/whole.onnx")
        whole = folder / "onnx/whole.onnx"
        write(whole, folder / "onnx" / f"{name.removeprefix('exported-')}.onnx")
        whole.unlink()
        # The library asks for them; they go when it has answered.
        (folder / "model.safetensors").write_bytes(weights)

    rewrite = lambda folder: (folder / "model.safetensors").unlink()
    # No parameter of torch is read.
    reference = f"{about} Reference: ONNX Runtime {onnxruntime.__version__}."
    return fixture(name, reference, unused="", rewrite=rewrite, serve=Exported)(build)


def quantize(whole, path):
    # Of 7 bits, as processors without VNNI lose carries of 8.
    quantize_dynamic(whole, path, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)


def halve(whole, path):
    onnx.save(convert_float_to_float16(onnx.load(whole)), path)


exported("exported-model_quantized", "Weights of 8 bits, and what they are multiplied with as well.", quantize)
exported("exported-model_fp16", "Weights and output of 16 bits.", halve)
