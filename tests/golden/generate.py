"""Writes the golden fixtures: tiny models with random weights, and what the Python libraries answer for them.

    pip install -r tests/golden/requirements.txt
    python tests/golden/generate.py              # all fixtures
    python tests/golden/generate.py bert-cls     # the named ones
    python tests/golden/generate.py --list

Each fixture is a folder `tests/golden/<family>/<name>/` with `model/` and `golden.json`, emptied and written anew.
Nothing is downloaded. Weights come from a seed made of the fixture's name, so a second run gives the same bytes.

To add a fixture, add a decorated function to a file in `families/`; to add a family, add a file there and import it
below.
"""

import argparse
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import families._dynamic  # noqa: E402, F401
import families._jina_clip  # noqa: E402, F401
import families._siglip  # noqa: E402, F401
import families._vision  # noqa: E402, F401
import families.albert  # noqa: E402, F401
import families.bert  # noqa: E402, F401
import families.clap  # noqa: E402, F401
import families.deberta  # noqa: E402, F401
import families.distilbert  # noqa: E402, F401
import families.electra  # noqa: E402, F401
import families.eurobert  # noqa: E402, F401
import families.exported  # noqa: E402, F401
import families.gemma  # noqa: E402, F401
import families.gte  # noqa: E402, F401
import families.jina  # noqa: E402, F401
import families.jina_flash  # noqa: E402, F401
import families.llama  # noqa: E402, F401
import families.lmrerank  # noqa: E402, F401
import families.modernbert  # noqa: E402, F401
import families.mpnet  # noqa: E402, F401
import families.multi_vector  # noqa: E402, F401
import families.nomic  # noqa: E402, F401
import families.pipelines  # noqa: E402, F401
import families.nomic_moe  # noqa: E402, F401
import families.quantized  # noqa: E402, F401
import families.qwen  # noqa: E402, F401
import families.repositories  # noqa: E402, F401
import families.roberta  # noqa: E402, F401
import families.sparse  # noqa: E402, F401
import families.static  # noqa: E402, F401
import families.t5  # noqa: E402, F401
from common import FIXTURES, generate  # noqa: E402

ROOT = Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help="fixtures to write; all when none is named")
    parser.add_argument("--list", action="store_true", help="say what there is, write nothing")
    args = parser.parse_args()

    if unknown := set(args.names) - set(FIXTURES):
        parser.error(f"no such fixture: {', '.join(sorted(unknown))}")
    for name in args.names or FIXTURES:
        fixture = FIXTURES[name]
        if not args.list:
            generate(fixture, ROOT / fixture.family / name)
        print(f"{name}: {fixture.about}", flush=True)


if __name__ == "__main__":
    main()
