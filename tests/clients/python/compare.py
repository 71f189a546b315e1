"""What every check expects of an answer. A failure says what differs."""

import base64
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

TOLERANCE = 1e-6


def same_vectors(actual: Sequence[Sequence[float]], expected: list[list[float]], within: float = TOLERANCE) -> None:
    """In number, length, order and value."""
    assert len(actual) == len(expected), f"{len(actual)} vectors instead of {len(expected)}"
    for index, (mine, plain) in enumerate(zip(actual, expected)):
        assert len(mine) == len(plain), f"vector {index} has {len(mine)} numbers instead of {len(plain)}"
        most = max(abs(float(one) - other) for one, other in zip(mine, plain))
        assert most <= within, f"vector {index} differs by {most}"


def same_bytes(texts: Sequence[str], expected: list[list[float]]) -> None:
    """Base64 of little-endian float32, to the last bit."""
    wanted = [base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() for vector in expected]
    assert list(texts) == wanted, "the bytes of base64 are not those of the floats"


def ranked(ranking: Sequence[tuple[int, float]], scores: list[float], top: int | None = None) -> None:
    """`ranking`: index and score of each document, best first; `scores`: the plain ones, of all documents."""
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], index))[:top]
    assert [index for index, _ in ranking] == order, f"order is {ranking}, scores are {scores}"
    for index, score in ranking:
        assert abs(score - scores[index]) <= TOLERANCE, f"document {index} has {score}, not {scores[index]}"


def equal(actual: object, expected: object) -> None:
    assert actual == expected, f"{actual!r} is not {expected!r}"


@contextmanager
def raises(kind: type[Exception], words: str) -> Iterator[None]:
    """Exactly this class of error, and our own words in what the user reads."""
    try:
        yield
    except kind as error:
        assert type(error) is kind, f"raised {type(error).__name__} instead of {kind.__name__}: {error}"
        assert re.search(words, str(error)), f"{kind.__name__} does not say {words!r}: {error}"
        return
    raise AssertionError(f"nothing was raised instead of {kind.__name__}")
