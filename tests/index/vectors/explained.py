"""How PostgreSQL runs a search."""

from collections.abc import Sequence
from typing import Any


class Explained:
    """A connection that keeps the plan of each search."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.plans: list[str] = []

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Any:
        if "<#>" in sql:
            plan = self._connection.execute(f"EXPLAIN (VERBOSE) {sql}", values)
            self.plans.append("\n".join(line for (line,) in plan))
        return self._connection.execute(sql, values)
