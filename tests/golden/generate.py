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

import families.bert  # noqa: E402, F401
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
