"""Qwen2 and Qwen3: causal layers with rotary positions and grouped key heads, read at the last token."""

from functools import cache, partial

from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import processors
from transformers import (
    Qwen2Config,
    Qwen2ForSequenceClassification,
    Qwen2Model,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    Qwen3Model,
)

from common import TEXT_CASES, byte_level_bpe, edit_json, fixture, randomize, write_embedder, write_plain

LIMIT = 72
VOCABULARY = 400
END = "<|endoftext|>"

reranker = partial(fixture, kind="rerank")
# The reference takes no text without tokens.
NOT_EMPTY = [case for case in TEXT_CASES if case["text"]]


@cache
def bytes_and_merges():
    return byte_level_bpe([END, "<|im_start|>", "<|im_end|>"], [], VOCABULARY)


def tokenizer(end=True, pad=END):
    """`end`: its template closes every text, as that of Qwen3-Embedding does."""
    vocabulary, merges = bytes_and_merges()
    words = Qwen2Tokenizer(vocab=dict(vocabulary), merges=[*merges], pad_token=pad, eos_token=END, model_max_length=LIMIT)
    if end:
        template = processors.TemplateProcessing(
            single=f"$A {END}", pair=f"$A {END} $B:1 {END}:1", special_tokens=[(END, vocabulary[END])]
        )
        words.backend_tokenizer.post_processor = template
    return words


def sizes(**changes):
    return {
        "vocab_size": VOCABULARY + 16,  # rows that no token uses, as the large ones have
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": LIMIT,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "pad_token_id": None,
    } | changes


def qwen3(**changes):
    return Qwen3Config(**sizes(head_dim=16, **changes))


def last():
    return Pooling(32, "lasttoken")


@fixture("qwen3-last", "Qwen3 with heads wider than the hidden width, last token, Normalize.")
def qwen3_last(folder, seed):
    write_embedder(folder, seed, Qwen3Model(qwen3()), tokenizer(), last(), Normalize())


@fixture("qwen3-bidirectional", "is_causal false, mean pooling, biases, one key head.")
def qwen3_bidirectional(folder, seed):
    config = qwen3(num_key_value_heads=1, attention_bias=True, is_causal=False)
    write_embedder(folder, seed, Qwen3Model(config), tokenizer(), Pooling(32, "mean"))


@fixture("qwen3-window", "The second layer sees a window of 5 tokens; heads of 10.")
def qwen3_window(folder, seed):
    config = Qwen3Config(**sizes(head_dim=10, use_sliding_window=True, sliding_window=5, max_window_layers=1))
    write_embedder(folder, seed, Qwen3Model(config), tokenizer(), last())


@fixture("qwen3-yarn", "YaRN, in the keys of transformers 4.")
def qwen3_yarn(folder, seed):
    scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 18}
    config = qwen3(rope_parameters={**scaling, "rope_theta": 1e4})
    write_embedder(folder, seed, Qwen3Model(config), tokenizer(), last(), Normalize())
    edit_json(folder / "config.json", rope_parameters=None, rope_theta=1e4, rope_scaling=scaling)


@fixture("qwen3-language-model", "A whole language model without modules.json: last token, prefix `model.`, a head that is not read.")
def qwen3_language_model(folder, seed):
    write_plain(folder, randomize(Qwen3ForCausalLM(qwen3(tie_word_embeddings=False)), seed), tokenizer())


@fixture("qwen2-last", "Qwen2: biases of query, key and value, heads of 8, a template without an end.", cases=NOT_EMPTY)
def qwen2_last(folder, seed):
    write_embedder(folder, seed, Qwen2Model(Qwen2Config(**sizes())), tokenizer(end=False), last(), Normalize())


@fixture("qwen2-bidirectional", "is_causal false, as with gte-Qwen2.")
def qwen2_bidirectional(folder, seed):
    config = Qwen2Config(**sizes(num_attention_heads=2, is_causal=False))
    write_embedder(folder, seed, Qwen2Model(config), tokenizer(), last(), Normalize())


@reranker("qwen3-classifier", "One label at the last token that is no padding: the template's end is, for it is the padding token.")
def qwen3_classifier(folder, seed):
    config = qwen3(num_labels=1, pad_token_id=0)
    write_plain(folder, randomize(Qwen3ForSequenceClassification(config), seed), tokenizer())


@reranker("qwen2-classifier", "Three labels at the last token.")
def qwen2_classifier(folder, seed):
    config = Qwen2Config(**sizes(num_labels=3, pad_token_id=1))
    write_plain(folder, randomize(Qwen2ForSequenceClassification(config), seed), tokenizer(pad="<|im_start|>"))
