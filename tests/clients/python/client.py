"""A client, its checks, and how they are run. A check is a function named by the fact that it shows."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from server import Servers

Check = Callable[[Servers], None]

CLIENTS: list["Client"] = []

# what checks have started and is to be ended with them
CLOSE_AT_END: list[Callable[[], None]] = []


@dataclass
class Client:
    name: str
    # distribution whose version is shown; its checks import it themselves, so that other clients run without it
    package: str
    # what a user gives it, with H for the server's own address
    base_url: str
    works: str
    # distributions that it needs besides
    needs: tuple[str, ...] = ()
    # why it cannot be pointed at a server of ours
    skip: str | None = None
    checks: list[tuple[str, Check]] = field(default_factory=list)

    def __post_init__(self) -> None:
        CLIENTS.append(self)

    def check(self, function: Check) -> Check:
        self.add(function.__name__.replace("_", " "), function)
        return function

    def add(self, name: str, function: Check) -> None:
        self.checks.append((name, function))

    def version(self) -> str | None:
        """None where the package, or another that it needs, is not installed."""
        try:
            for package in self.needs:
                version(package)
            return version(self.package)
        except PackageNotFoundError:
            return None

    def run(self, servers: Servers) -> Iterator[tuple[str, bool, str]]:
        for name, function in self.checks:
            try:
                function(servers)
                yield name, True, ""
            except Exception as error:
                # all of them: a client's own errors are of any kind, and one failure must not hide the others
                where = traceback.extract_tb(error.__traceback__)
                lines = [frame.lineno for frame in where if "tests/clients/python" in frame.filename]
                yield name, False, f"{type(error).__name__} at {lines}: {error}"[:2000]
