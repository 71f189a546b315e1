"""Writes folders whose tokenizers have no tokenizer.json, and the ids that transformers gives with them.

    pip install -r tests/golden/requirements.txt sentencepiece==0.2.3 protobuf==7.36.2
    python tests/tokenizers/generate.py [name …]      # all folders, or the named ones

Each is `tests/tokenizers/<name>/` with `model/`, which holds no weights, and `golden.json`: one text or pair on a line.
The models of SentencePiece come from its own trainer and a corpus of a few lines, so a second run gives the same bytes.
"""

import io
import json
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

sys.dont_write_bytecode = True
os.environ["HF_HUB_OFFLINE"] = "1"
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden"))

import sentencepiece  # noqa: E402
from sentencepiece import sentencepiece_model_pb2  # noqa: E402
from tokenizers import decoders, models, pre_tokenizers, trainers  # noqa: E402
from tokenizers import Tokenizer as Backend  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

from texts import CORPUS, PAIRS, TEXTS  # noqa: E402

# Characters that are written otherwise, as code points: few, so that the compiled rules stay small.
RULES = {
    "FF21": "41",
    "FB01": "66 69",
    "A0": "20",
    "AD": "",
    "200B": "",
    "7": "",
    "9": "20",
    "A": "20",
    "D": "20",
    "65 301": "E9",
    "2764 FE0F": "2764",
    "3002": "2E",
    "2026": "2E 2E 2E",
}

SPECIAL = (
    "<s> hello</s> the<mask> dog <mask>[MASK] [CLS][SEP] <pad>[PAD] <unk>[UNK] "
    "<bos>a<eos> <|endoftext|>b <extra_id_0><extra_id_2>x"
)
HARD = {
    **TEXTS,
    "special": SPECIAL,
    "users": "a(b)-c <start_of_turn>user\nhi<end_of_turn> <new> <NEW> [new] hello<new>world",
    "blank": " ",
    "blanks": "   two  blanks   and three    ",
    "lines": "\n\nfirst line\r\nsecond\tline\n\n\nend\n",
    "marks": "▁a ▁▁b▁ ▁",
    "quotes": "``quoted'' ''and'' `so`",
    "forms": "Ａｆﬁn① ½ ㈱ Å \u1e9b\u0323 ﷺ",
    "unseen": "ሰላም ᚠᚢᚦ 𝒳𝔶 \U0010ffff\ue000",
    "joined": "👩\u200d🚀🏳\ufe0f\u200d🌈 👍🏽❤\ufe0f🇩🇪",
    "separators": "a\u2028b\u2029c\u0085d\u3000e\u2003f\ufeffg\u001fh\u007fi\u0080j",
    "numbers": "1,234.56 1, 2,5 007 ١٢٣ 12,",
    "rtl": "שלום עולם مرحبا بالعالم",
    "thai": "สวัสดีชาวโลก नमस्ते दुनिया",
    "combining": "e\u0301\u0323 a\u0308\u0301 \u0301",
    "zero": "\u0000a\u0000",
    "decimal-bytes": "<0x41><0x0A>é",
    "long-run": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + "ab" * 30,
}


def pieces(file, size=300, rules=None, **options):
    """A model of SentencePiece. `rules`: those of the dictionary above unless they are named."""

    def write(folder):
        model = io.BytesIO()
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as table:
            table.write("".join(f"{source}\t{target}\n" for source, target in RULES.items()))
            table.flush()
            form = {"normalization_rule_name": rules} if rules else {"normalization_rule_tsv": table.name}
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(CORPUS),
                model_writer=model,
                vocab_size=size,
                hard_vocab_limit=False,
                minloglevel=2,
                num_threads=1,
                **form,
                **options,
            )
        # the trainer writes down where its rules lay
        (folder / file).write_bytes(without_path(model.getvalue()))

    return write


def without_path(model):
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto.SerializeToString(deterministic=True)


def byte_pairs(folder):
    tokenizer = Backend(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        show_progress=False,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.model.save(str(folder))


FAIRSEQ = {"unk_id": 0, "bos_id": 1, "eos_id": 2}
BPE = {"model_type": "bpe", "size": 600, "byte_fallback": True, "rules": "identity", "split_digits": True}
MASK = {"content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": True}

# name: what it is, model_type, what writes its vocabulary, other files
FOLDERS = {
    "xlm-roberta": (
        "The rules of nmt_nfkc, no settings.",
        "xlm-roberta",
        pieces("sentencepiece.bpe.model", rules="nmt_nfkc", **FAIRSEQ),
        {},
    ),
    "xlm-roberta-settings": (
        "Tokens of a user, a mask that takes blanks, no blank before the text, added_tokens.json; another architecture.",
        "bert",
        pieces("sentencepiece.bpe.model", user_defined_symbols="(,),[new]", control_symbols="<ctl>", **FAIRSEQ),
        {
            "tokenizer_config.json": {"tokenizer_class": "XLMRobertaTokenizerFast", "add_prefix_space": False},
            "special_tokens_map.json": {"mask_token": MASK, "additional_special_tokens": ["<x>"], "cls_token": "<s>"},
            "added_tokens.json": {"<new>": 400, "<mask>": 401},
        },
    ),
    "camembert": (
        "Pieces behind five tokens of its own.",
        "camembert",
        pieces("sentencepiece.bpe.model", **FAIRSEQ),
        {},
    ),
    "camembert-settings": (
        "A mask by name, tokens without roles in tokenizer_config.json.",
        "camembert",
        pieces("sentencepiece.bpe.model", user_defined_symbols="(,)", **FAIRSEQ),
        {
            "tokenizer_config.json": {
                "mask_token": "<mask>",
                "additional_special_tokens": ["<new>", "<s>NOTUSED"],
                "add_prefix_space": False,
            }
        },
    ),
    "t5": ("A hundred sentinels.", "t5", pieces("spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1), {}),
    "t5-sentinels": (
        "Three sentinels, tokens of a user.",
        "mt5",
        pieces("spiece.model", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, user_defined_symbols="(,<new>"),
        {"tokenizer_config.json": {"extra_ids": 3, "tokenizer_class": "T5Tokenizer"}},
    ),
    "albert": (
        "Lower case, no accents, tokens of control and of a user.",
        "albert",
        pieces(
            "spiece.model",
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            control_symbols="[CLS],[SEP]",
            user_defined_symbols="(,),-,[MASK]",
        ),
        {},
    ),
    "albert-cased": (
        "Case and accents kept, no blank before the text.",
        "albert",
        pieces("spiece.model", pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, control_symbols="[CLS],[SEP],[MASK]"),
        {"tokenizer_config.json": {"do_lower_case": False, "keep_accents": True, "add_prefix_space": False}},
    ),
    "deberta-v2": (
        "The unknown token as the fourth.",
        "deberta-v2",
        pieces(
            "spm.model",
            pad_id=0,
            bos_id=1,
            eos_id=2,
            unk_id=3,
            pad_piece="[PAD]",
            bos_piece="[CLS]",
            eos_piece="[SEP]",
            unk_piece="[UNK]",
        ),
        {},
    ),
    "deberta-v2-settings": (
        "Split at punctuation, lower case, no blank before later parts; a mask in added_tokens.json.",
        "deberta-v2",
        pieces(
            "spm.model",
            pad_id=0,
            bos_id=1,
            eos_id=2,
            unk_id=3,
            pad_piece="[PAD]",
            bos_piece="[CLS]",
            eos_piece="[SEP]",
            unk_piece="[UNK]",
        ),
        {
            "tokenizer_config.json": {"do_lower_case": True, "split_by_punct": True, "add_prefix_space": False},
            "added_tokens.json": {"[MASK]": 300},
        },
    ),
    "llama": (
        "Byte pairs with bytes as the last resort, text between both ends.",
        "llama",
        pieces("tokenizer.model", unk_id=0, **BPE),
        {
            "tokenizer_config.json": {
                "tokenizer_class": "LlamaTokenizer",
                "add_bos_token": True,
                "add_eos_token": True,
                "pad_token": "</s>",
            }
        },
    ),
    "llama-legacy": (
        "A blank before every part between special tokens.",
        "llama",
        pieces("tokenizer.model", unk_id=0, user_defined_symbols="<new>", **BPE),
        {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": True, "legacy": True}},
    ),
    "llama-unmarked": (
        "No blank before the text, nothing around it.",
        "llama",
        pieces("tokenizer.model", unk_id=0, **BPE),
        {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False}},
    ),
    "plain-byte-pairs": (
        "A class that is not looked at.",
        "mistral",
        pieces("tokenizer.model", unk_id=0, **(BPE | {"rules": None})),
        {
            "tokenizer_config.json": {
                "tokenizer_class": "LlamaTokenizer",
                "add_bos_token": True,
                "added_tokens_decoder": {
                    "1": {"content": "<s>", "special": True},
                    "900": {"content": "<new>", "normalized": False},
                },
            }
        },
    ),
    "plain-pieces": (
        "No class, pieces by likelihood, bytes as the last resort.",
        "eurobert",
        pieces("tokenizer.model", byte_fallback=True, size=600, unk_id=0),
        {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "add_eos_token": True}},
    ),
    "gemma": (
        "Ends, blanks and lines as tokens of a user.",
        "gemma",
        pieces(
            "tokenizer.model",
            pad_id=0,
            eos_id=1,
            bos_id=2,
            unk_id=3,
            bos_piece="<bos>",
            eos_piece="<eos>",
            pad_piece="<pad>",
            user_defined_symbols="<mask>,<start_of_turn>,<end_of_turn>,\n,\n\n,▁▁,▁▁▁",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            **BPE,
        ),
        {
            "tokenizer_config.json": {
                "add_bos_token": True,
                "add_eos_token": True,
                "additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"],
            }
        },
    ),
    "gpt2": (
        "Byte-level pairs, nothing around a text.",
        "roberta",
        byte_pairs,
        {"tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"}},
    ),
    "gpt2-settings": (
        "A blank before the text, both ends, a padding token.",
        "roberta",
        byte_pairs,
        {
            "tokenizer_config.json": {
                "tokenizer_class": "GPT2TokenizerFast",
                "add_prefix_space": True,
                "add_bos_token": True,
                "add_eos_token": True,
                "pad_token": "<pad>",
            }
        },
    ),
}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def generate(name):
    about, model_type, vocabulary, files = FOLDERS[name]
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = folder / "model"
    model.mkdir(parents=True)
    vocabulary(model)
    write_json(model / "config.json", {"model_type": model_type})
    for file, value in files.items():
        write_json(model / file, value)
    tokenizer = AutoTokenizer.from_pretrained(str(model))
    texts = [[key, text, tokenizer(text)["input_ids"]] for key, text in HARD.items() if key != "over-the-limit"]
    pairs = []
    for key, (first, second) in PAIRS.items():
        if "long" in key:
            continue
        # in lists, for an empty second text alone is none
        encoded = tokenizer([first], [second])
        types = encoded.get("token_type_ids")
        pairs.append([key, first, second, encoded["input_ids"][0], types and types[0]])
    some = [ids for key, _, ids in texts if key in {"sentence", "blanks", "unseen", "special"}]
    decoded = [[ids, tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False)] for ids in some]
    facts = {
        "about": about,
        "versions": {package: version(package) for package in ["transformers", "tokenizers", "sentencepiece"]},
        "class": type(tokenizer).__name__,
        "added": json.loads(tokenizer.backend_tokenizer.to_str())["added_tokens"],
        "texts": texts,
        "pairs": pairs,
        "decoded": decoded,
    }
    lines = []
    for key, value in facts.items():
        if isinstance(value, list):
            rows = ",\n".join(json.dumps(row, ensure_ascii=True) for row in value)
            lines.append(f'"{key}": [\n{rows}\n]')
        else:
            lines.append(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
    (folder / "golden.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or FOLDERS:
        generate(name)
        print(name)
