"""REQUEST → FIELDS → RESPONSE: operations, what describes them, and the bodies of requests, answers and errors."""
