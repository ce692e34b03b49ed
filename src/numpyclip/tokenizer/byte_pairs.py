"""Words → symbols: byte-pair encoding (Sennrich et al., 2016)."""

from heapq import heappop, heappush


def byte_symbols() -> list[str]:
    """Return the visible character for each byte in the vocabulary (GPT-2's convention).

    Printable bytes of Latin-1 are themselves; the others, in order, are U+0100 and up.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = iter(range(0x100, 0x200))
    return [chr(byte if byte in visible else next(hidden)) for byte in range(256)]


def merge_symbols(symbols: list[str], ranks: dict[str, int]) -> list[str]:
    """Merge neighboring symbols, best ranked pair first, until no pair is in `ranks`.

    One iteration is one round of the reference: it merges every occurrence of the best pair, from left to right. But it
    knows their positions instead of searching, hence O(n log n) instead of rounds times n. A position is noted whenever
    a pair appears there; by its round, an earlier merge may have used one of the two symbols, so the pair is checked
    again. A merge makes only pairs longer than its own, so a round never adds to itself.

    Parameters
    ----------
    symbols : list of str
        The word, one symbol per byte; overwritten.
    ranks : dict
        From a pair, as two symbols with a space between, to its rank.
    """
    symbols.append("")  # a neighbor for both ends (the first looks at index -1) that is in no pair
    after = list(range(1, len(symbols) + 1))
    before = list(range(-1, len(symbols) - 1))
    queue: list[int] = []
    positions: dict[int, list[int]] = {}

    def note(left: int, right: int) -> None:
        rank = ranks.get(f"{symbols[left]} {symbols[right]}")
        if rank is not None:
            if rank not in positions:
                positions[rank] = []
                heappush(queue, rank)
            positions[rank].append(left)

    for left in range(len(symbols) - 1):
        note(left, left + 1)
    while queue:
        rank = heappop(queue)
        for left in sorted(positions.pop(rank)):
            right = after[left]
            if ranks.get(f"{symbols[left]} {symbols[right]}") == rank:
                symbols[left] += symbols[right]
                symbols[right] = ""
                after[left] = after[right]
                before[after[right]] = left
                note(before[left], left)
                note(left, after[left])
    return [symbol for symbol in symbols if symbol]
