"""Folders that have a model exported to ONNX in place of weights: what stands before the pooling is not compiled here."""

from functools import partial

import onnx
import torch
from onnx.external_data_helper import convert_model_to_external_data
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import AutoModel, ModernBertModel

from common import fixture, write_embedder
from families import bert, modernbert

embedder = partial(fixture, unused=r"\.key\.bias$|\.pooler\.")

ROWS = {0: "batch_size", 1: "sequence_length"}
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class Positional(torch.nn.Module):
    """What the exporter calls: tensors by their places, and what `call` makes of the inputs by their names."""

    def __init__(self, model, names, call):
        super().__init__()
        self.model, self.names, self.call = model, names, call

    def forward(self, *tensors):
        return self.call(self.model, dict(zip(self.names, tensors)))


def export(path, model, call, outputs, inputs=INPUTS):
    """`outputs`: their names, and which of their dimensions are free."""
    path.parent.mkdir(exist_ok=True)
    example = torch.ones(2, 5, dtype=torch.long)
    torch.onnx.export(
        Positional(model.eval(), inputs, call),
        (example,) * len(inputs),
        str(path),
        input_names=inputs,
        output_names=list(outputs),
        dynamic_axes={name: ROWS for name in inputs} | outputs,
        opset_version=17,
        dynamo=False,
    )
    model = onnx.load(path)
    # It holds the paths of this machine.
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, path)


def export_states(folder, name="onnx/model.onnx", inputs=INPUTS):
    """As optimum does it for feature extraction, in place of the weights."""
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    call = lambda model, features: model(**features).last_hidden_state
    export(folder / name, model, call, {"last_hidden_state": ROWS}, inputs)
    (folder / "model.safetensors").unlink()


@embedder("exported-mean-normalize", "`onnx/model.onnx` of a BERT: mean pooling, Normalize.", rewrite=export_states)
def mean_normalize(folder, seed):
    bert.write_pipeline(folder, seed, Pooling(bert.HIDDEN, "mean"), Normalize(), **bert.ONE_LAYER)


def export_pipeline(folder):
    """As optimum exports sentence-transformers: tokens and vectors; and its weights in a file of their own."""
    pipeline = SentenceTransformer(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"})

    def call(model, features):
        answer = model(features)
        return answer["token_embeddings"], answer["sentence_embedding"]

    path = folder / "onnx/model.onnx"
    export(path, pipeline, call, {"token_embeddings": ROWS, "sentence_embedding": {0: "batch_size"}})
    model = onnx.load(path)
    convert_model_to_external_data(model, location="model.onnx_data", size_threshold=256)
    onnx.save(model, path)
    (folder / "model.safetensors").unlink()


@embedder(
    "exported-dense",
    "Tokens and vectors of a pipeline in `onnx/model.onnx` and `onnx/model.onnx_data`: both poolings and a Dense module of the tokens.",
    rewrite=export_pipeline,
)
def dense(folder, seed):
    modules = [Pooling(bert.HIDDEN, ["cls", "max"]), Dense(2 * bert.HIDDEN, 24, activation_function=torch.nn.Tanh())]
    bert.write_pipeline(folder, seed, *modules, **bert.ONE_LAYER)


def export_root(folder):
    export_states(folder, "model.onnx", ["input_ids", "attention_mask"])


@fixture("exported-modernbert", "`model.onnx` beside config.json, of a ModernBERT; no token types.", rewrite=export_root)
def modernbert_mean(folder, seed):
    model = ModernBertModel(modernbert.config(num_hidden_layers=2))
    write_embedder(folder, seed, model, modernbert.words(), Pooling(32, "mean"), Normalize())


def export_logits(folder):
    model = CrossEncoder(str(folder), device="cpu", model_kwargs={"attn_implementation": "eager"}).model
    call = lambda model, features: model(**features).logits
    export(folder / "onnx/model.onnx", model, call, {"logits": {0: "batch_size"}})
    (folder / "model.safetensors").unlink()


@fixture(
    "exported-cross-encoder", "Logits of a BERT: one label, sigmoid.", "rerank", unused=r"\.key\.bias$", rewrite=export_logits
)
def cross_encoder(folder, seed):
    bert.write_cross_encoder(folder, seed, **bert.ONE_LAYER)
