"""BERT: every part of the pipeline around it, and the variants of the encoder itself."""

from functools import cache, partial
from tempfile import TemporaryDirectory

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import normalizers, pre_tokenizers
from transformers import BertConfig, BertForPreTraining, BertForSequenceClassification, BertModel, BertTokenizer

from common import (
    PAIR_CASES,
    SPECIAL_TOKENS,
    TEXT_CASES,
    edit_json,
    edit_weights,
    fixture,
    randomize,
    train_wordpiece,
    write_json,
)
from texts import BACKWARDS, CORPUS, LETTERS, SHORT, counted

HIDDEN = 32
POSITIONS = 72
VOCABULARY = 400
ONE_LAYER = {"num_hidden_layers": 1}  # for fixtures that are about anything but the encoder

# A bias of all keys cancels in the softmax, and embedders do not read the pooler.
embedder = partial(fixture, unused=r"\.key\.bias$|\.pooler\.")
reranker = partial(fixture, kind="rerank", unused=r"\.key\.bias$")


# --- Parts ------------------------------------------------------------------------------------------------------------


@cache
def vocabulary(lower_case):
    normalizer = normalizers.BertNormalizer(lowercase=lower_case)
    splitter = pre_tokenizers.BertPreTokenizer()
    texts = [normalizer.normalize_str(text) for text in [*CORPUS, " ".join(LETTERS)]]
    return train_wordpiece([word for text in texts for word, _ in splitter.pre_tokenize_str(text)], VOCABULARY)


def tokenizer(lower_case=True, **options):
    return BertTokenizer(vocab=dict(vocabulary(lower_case)), do_lower_case=lower_case, **options)


def config(**changes):
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": POSITIONS,
    }
    return BertConfig(**sizes | changes)


def write_backbone(folder, model, words=None):
    """A plain Hugging Face folder: no modules.json."""
    model.save_pretrained(folder)
    (words or tokenizer()).save_pretrained(folder)


def write_pipeline(
    folder, seed, *modules, words=None, dtype=torch.float32, prompts=None, default_prompt=None, **changes
):
    """A folder as sentence-transformers saves it: a BERT and the modules after it. Returns the pipeline."""
    with TemporaryDirectory() as backbone:
        write_backbone(backbone, BertModel(config(**changes)), words)
        bert = Transformer(backbone)
        model = SentenceTransformer(
            modules=[bert, *modules], device="cpu", prompts=prompts, default_prompt_name=default_prompt
        )
        randomize(model, seed).to(dtype).save(str(folder), create_model_card=False)
    return model


def write_cross_encoder(folder, seed, labels=1, words=None, **changes):
    """A plain Hugging Face folder with a classification head."""
    model = BertForSequenceClassification(config(num_labels=labels, **changes))
    write_backbone(folder, randomize(model, seed), words)


def mean():
    return Pooling(HIDDEN, "mean")


def short(prompt_name=None):
    """A few texts, for fixtures that ask each of them several times."""
    texts = {case["name"]: case["text"] for case in TEXT_CASES}
    suffix, prompt = (f"-{prompt_name}", {"prompt_name": prompt_name}) if prompt_name else ("", {})
    return [{"name": name + suffix, "text": texts[name], **prompt} for name in SHORT]


# --- Pooling and the modules after it ---------------------------------------------------------------------------------


@embedder("bert-mean-normalize", "Mean pooling, then Normalize.", tokens=True)
def mean_normalize(folder, seed):
    write_pipeline(folder, seed, mean(), Normalize())


@embedder("bert-cls", "CLS pooling, not normalized; three layers of another shape (hidden 40, heads of 10).")
def cls(folder, seed):
    write_pipeline(folder, seed, Pooling(40, "cls"), hidden_size=40, num_hidden_layers=3, intermediate_size=96)


@embedder("bert-max", "Max pooling.")
def maximum(folder, seed):
    write_pipeline(folder, seed, Pooling(HIDDEN, "max"))


@embedder("bert-mean-sqrt-len", "Sum of the tokens over the square root of their number.")
def mean_sqrt_len(folder, seed):
    write_pipeline(folder, seed, Pooling(HIDDEN, "mean_sqrt_len_tokens"))


@embedder("bert-weightedmean", "Mean pooling with the weights 1, 2, 3 …")
def weightedmean(folder, seed):
    write_pipeline(folder, seed, Pooling(HIDDEN, "weightedmean"))


@embedder("bert-lasttoken", "Last token pooling.")
def lasttoken(folder, seed):
    write_pipeline(folder, seed, Pooling(HIDDEN, "lasttoken"))


@embedder(
    "bert-pooling-flags",
    "Five legacy pooling flags are true: joined in the library's order, not in that of the file.",
)
def pooling_flags(folder, seed):
    write_pipeline(folder, seed, mean())
    flags = {
        "pooling_mode_lasttoken": True,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_weightedmean_tokens": True,
        "pooling_mode_max_tokens": True,
        "pooling_mode_mean_sqrt_len_tokens": False,
        "pooling_mode_cls_token": True,
    }
    write_json(folder / "1_Pooling/config.json", {"word_embedding_dimension": HIDDEN, **flags})


@embedder("bert-pooling-list", "pooling_mode is a list: joined in its own order; then a Dense layer reads all of it.")
def pooling_list(folder, seed):
    modes = ["lasttoken", "weightedmean", "cls", "mean"]
    dense = Dense(len(modes) * HIDDEN, 24, activation_function=torch.nn.Identity())
    write_pipeline(folder, seed, Pooling(HIDDEN, modes), dense)


@embedder("bert-dense-tanh", "Mean pooling, then Dense with bias and Tanh.")
def dense_tanh(folder, seed):
    write_pipeline(folder, seed, mean(), Dense(HIDDEN, 20))


@embedder("bert-dense-chain", "Mean pooling, two Dense layers without bias and activation, Normalize.")
def dense_chain(folder, seed):
    identity = torch.nn.Identity()
    first = Dense(HIDDEN, 56, bias=False, activation_function=identity)
    second = Dense(56, 24, bias=False, activation_function=identity)
    write_pipeline(folder, seed, mean(), first, second, Normalize())


@embedder("bert-truncate-dim", "truncate_dim 20 after Normalize: the vectors are cut and no longer of length 1.")
def truncate_dim(folder, seed):
    write_pipeline(folder, seed, mean(), Normalize(), **ONE_LAYER)
    edit_json(folder / "config_sentence_transformers.json", truncate_dim=20)


@embedder("bert-no-modules", "A plain folder without modules.json: mean pooling; the limit is that of the positions.")
def no_modules(folder, seed):
    write_backbone(folder, randomize(BertModel(config()), seed))


# --- The encoder ------------------------------------------------------------------------------------------------------


@embedder("bert-gelu-new", "hidden_act gelu_new (tanh approximation).")
def gelu_new(folder, seed):
    write_pipeline(folder, seed, mean(), hidden_act="gelu_new")


@embedder("bert-relu", "hidden_act relu.")
def relu(folder, seed):
    write_pipeline(folder, seed, mean(), hidden_act="relu")


@embedder("bert-layer-norm-eps", "layer_norm_eps 1e-3.")
def layer_norm_eps(folder, seed):
    write_pipeline(folder, seed, mean(), layer_norm_eps=1e-3)


@embedder("bert-type-vocab-1", "type_vocab_size 1.")
def type_vocab_1(folder, seed):
    write_pipeline(folder, seed, mean(), type_vocab_size=1)


# --- How weights are stored -------------------------------------------------------------------------------------------


@embedder("bert-sharded", "Weights in several files, found through model.safetensors.index.json.")
def sharded(folder, seed):
    model = write_pipeline(folder, seed, mean(), Normalize())
    (folder / "model.safetensors").unlink()
    model.transformers_model.save_pretrained(folder, max_shard_size="50KB")


@embedder("bert-f16", "Weights stored as float16; fp32 arithmetic on them.")
def float16(folder, seed):
    write_pipeline(folder, seed, mean(), Normalize(), dtype=torch.float16)


@embedder("bert-bf16", "Weights stored as bfloat16, those of a Dense layer too; fp32 arithmetic on them.")
def bfloat16(folder, seed):
    write_pipeline(folder, seed, mean(), Dense(HIDDEN, 20), dtype=torch.bfloat16)


@embedder(
    "bert-prefixed",
    "A BertForPreTraining checkpoint: prefix bert., old names gamma and beta, and tensors that embedding never reads.",
)
def prefixed(folder, seed):
    write_pipeline(folder, seed, mean(), Normalize())
    randomize(BertForPreTraining(config()), seed).save_pretrained(folder)

    def old_names(tensors):
        renamed = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
            for name, tensor in tensors.items()
        }
        return renamed | {"bert.embeddings.position_ids": torch.arange(POSITIONS).unsqueeze(0)}

    edit_weights(folder / "model.safetensors", old_names)


# One scheme for all matrices but the token types. `dequantize` makes the loader restore fp32 at once:
# sentence-transformers calls `model.forward` itself, so the hook that would do so at the first call never runs.
QUANTIZATION = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "dequantize": True,
    "config_groups": {
        "group_0": {
            "format": "int-quantized",
            "targets": ["Linear", "Embedding"],
            "weights": {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "channel", "dynamic": False},
            "input_activations": None,
            "output_activations": None,
        }
    },
    "ignore": ["embeddings.token_type_embeddings"],
    "kv_cache_scheme": None,
}


def quantize(tensors):
    stored = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 2 and name.removesuffix(".weight") not in QUANTIZATION["ignore"]:
            scale = tensor.abs().amax(1, keepdim=True) / 127
            stored[name] = (tensor / scale).round().clamp(-127, 127).to(torch.int8)
            stored[name + "_scale"] = scale
        else:
            stored[name] = tensor
    return stored


@embedder("bert-int8", "compressed-tensors int-quantized: int8 rows with one fp32 scale each; fp32 arithmetic.")
def int8(folder, seed):
    write_pipeline(folder, seed, mean(), Normalize())
    edit_weights(folder / "model.safetensors", quantize)
    edit_json(folder / "config.json", quantization_config=QUANTIZATION)


# --- Tokenizing -------------------------------------------------------------------------------------------------------


CASED = [
    {"name": "final-sigma", "text": "ΣΊΣΥΦΟΣ İstanbul ẞ Ǆ ÀÉ"},
    {"name": "special-tokens-lower-case", "text": "[cls] Hello [Sep] THE [MASK] [SEP]"},
]


@embedder("bert-cased", "A cased tokenizer that keeps accents.", cases=[*TEXT_CASES, *CASED])
def cased(folder, seed):
    write_pipeline(folder, seed, mean(), words=tokenizer(lower_case=False), **ONE_LAYER)


@embedder(
    "bert-do-lower-case",
    "A cased tokenizer that keeps accents, and do_lower_case in sentence_bert_config.json.",
    cases=[*TEXT_CASES, *CASED],
)
def do_lower_case(folder, seed):
    write_pipeline(folder, seed, mean(), words=tokenizer(lower_case=False), **ONE_LAYER)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": POSITIONS, "do_lower_case": True})


def legacy_layout(folder, modules):
    """The names and files of sentence-transformers 2."""
    types = [("", "Transformer"), *((f"{index}_{name}", name) for index, name in enumerate(modules, 1))]
    entries = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{name}"}
        for index, (path, name) in enumerate(types)
    ]
    write_json(folder / "modules.json", entries)
    pooling = {"cls_token": False, "mean_tokens": True, "max_tokens": False, "mean_sqrt_len_tokens": False}
    flags = {f"pooling_mode_{name}": value for name, value in pooling.items()}
    write_json(folder / "1_Pooling/config.json", {"word_embedding_dimension": HIDDEN, **flags})
    versions = {"sentence_transformers": "2.0.0", "transformers": "4.6.1", "pytorch": "1.8.1"}
    write_json(folder / "config_sentence_transformers.json", {"__version__": versions})


def own_truncation(folder, length, padding, direction="Right"):
    """Makes tokenizer.json ask for a limit and for padding to a fixed length."""
    side = {"direction": direction, "max_length": length, "strategy": "LongestFirst", "stride": 0}
    pad = {"pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": SPECIAL_TOKENS[0]}
    edit_json(
        folder / "tokenizer.json",
        truncation=side,
        padding={"strategy": {"Fixed": padding}, "direction": "Right", **pad},
    )


@embedder(
    "bert-max-seq-length",
    "A folder in the layout of sentence-transformers 2 with max_seq_length 13; tokenizer.json has its own limit of 20 "
    "and padding to 32, both overridden.",
)
def max_seq_length(folder, seed):
    write_pipeline(folder, seed, mean(), Normalize(), **ONE_LAYER)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 13, "do_lower_case": False})
    legacy_layout(folder, ["Pooling", "Normalize"])
    own_truncation(folder, length=20, padding=32)


@embedder("bert-left-truncation", "truncation_side left: the end of a long text is kept.")
def left_truncation(folder, seed):
    words = tokenizer(truncation_side="left", model_max_length=20)
    write_pipeline(folder, seed, mean(), words=words, **ONE_LAYER)


@embedder(
    "bert-left-truncation-in-file",
    "tokenizer.json truncates at 8 on the left, tokenizer_config.json at 20 on no named side: 20, on the left.",
)
def left_truncation_in_file(folder, seed):
    write_pipeline(folder, seed, mean(), words=tokenizer(model_max_length=20), **ONE_LAYER)
    own_truncation(folder, length=8, padding=10, direction="Left")


# --- Prompts ----------------------------------------------------------------------------------------------------------


PROMPTS = {"query": "Search for this: ", "document": "text:", "custom": "The re"}
PROMPT_CASES = [
    *short(),
    *(case for name in PROMPTS for case in short(name)),
    {"name": "glued-custom", "text": "set", "prompt_name": "custom"},
    {"name": "leading-blank-document", "text": "  hello", "prompt_name": "document"},
]


@embedder(
    "bert-prompts",
    "Prompts, one with a blank at its end and one that ends within a word; without a name the default (query) applies.",
    cases=PROMPT_CASES,
)
def prompts(folder, seed):
    write_pipeline(folder, seed, mean(), Normalize(), prompts=PROMPTS, default_prompt="query", **ONE_LAYER)


@embedder(
    "bert-exclude-prompt",
    "The same prompts, none of them the default, and include_prompt false: the mean leaves out as many tokens as the "
    "prompt has alone, [CLS] among them.",
    cases=PROMPT_CASES,
)
def exclude_prompt(folder, seed):
    write_pipeline(folder, seed, Pooling(HIDDEN, "mean", include_prompt=False), prompts=PROMPTS, **ONE_LAYER)


@embedder(
    "bert-exclude-prompt-modes",
    "include_prompt false with all pooling modes: cls is the first token after the prompt, and the weights of "
    "weightedmean go on counting from the start of the text.",
    cases=PROMPT_CASES,
)
def exclude_prompt_modes(folder, seed):
    pooling = Pooling(HIDDEN, list(Pooling.POOLING_MODES), include_prompt=False)
    write_pipeline(folder, seed, pooling, prompts=PROMPTS, **ONE_LAYER)


# --- Cross-encoders ---------------------------------------------------------------------------------------------------


@reranker("bert-cross-encoder", "One label, no activation named: sigmoid.")
def cross_encoder(folder, seed):
    write_cross_encoder(folder, seed)


@reranker(
    "bert-cross-encoder-identity",
    "One label; Identity from sentence_transformers.activation_fn of config.json.",
)
def cross_encoder_identity(folder, seed):
    write_cross_encoder(folder, seed, **ONE_LAYER)
    activation = {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.0.1"}
    edit_json(folder / "config.json", sentence_transformers=activation)


@reranker(
    "bert-cross-encoder-legacy-identity",
    "One label; Identity from sbert_ce_default_activation_function of config.json.",
)
def cross_encoder_legacy_identity(folder, seed):
    write_cross_encoder(folder, seed, **ONE_LAYER)
    edit_json(folder / "config.json", sbert_ce_default_activation_function="torch.nn.modules.linear.Identity")


@reranker(
    "bert-cross-encoder-tanh",
    "One label, in the layout that CrossEncoder saves; Tanh from config_sentence_transformers.json wins over the "
    "Identity and the Sigmoid of config.json.",
)
def cross_encoder_tanh(folder, seed):
    with TemporaryDirectory() as plain:
        write_cross_encoder(plain, seed, **ONE_LAYER)
        CrossEncoder(plain, device="cpu", activation_fn=torch.nn.Tanh()).save_pretrained(
            str(folder), create_model_card=False
        )
    edit_json(
        folder / "config.json",
        sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.0.1"},
        sbert_ce_default_activation_function="torch.nn.modules.activation.Sigmoid",
    )


@reranker("bert-cross-encoder-3-labels", "Three named labels: scores are probabilities.")
def cross_encoder_3_labels(folder, seed):
    names = ["contradiction", "entailment", "neutral"]
    write_cross_encoder(
        folder,
        seed,
        labels=3,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )


def counted_pairs():
    """Pairs of exactly so many tokens, query and document, all around the limits of both fixtures below."""
    lengths = [(3, 4), (6, 7), (7, 7), (6, 8), (8, 6), (7, 6), (2, 40), (40, 2), (12, 3), (13, 1), (1, 14), (13, 13)]
    lengths += [
        (15, 16),
        (16, 15),
        (16, 16),
        (16, 17),
        (17, 16),
        (17, 17),
        (17, 18),
        (18, 17),
        (30, 60),
        (60, 30),
        (0, 50),
        (50, 0),
    ]
    return [
        {"name": f"{query}+{document}", "query": counted(LETTERS, query), "document": counted(BACKWARDS, document)}
        for query, document in lengths
    ]


@reranker(
    "bert-cross-encoder-max-length-16",
    "model_max_length 16, so 13 tokens for a pair: longest_first truncation with an odd number to share.",
    cases=[*PAIR_CASES, *counted_pairs()],
)
def cross_encoder_max_length_16(folder, seed):
    write_cross_encoder(folder, seed, words=tokenizer(model_max_length=16), **ONE_LAYER)


@reranker(
    "bert-cross-encoder-max-length-17",
    "model_max_length 17, so 14 tokens for a pair: longest_first truncation with an even number to share.",
    cases=[*PAIR_CASES, *counted_pairs()],
)
def cross_encoder_max_length_17(folder, seed):
    write_cross_encoder(folder, seed, words=tokenizer(model_max_length=17), **ONE_LAYER)
