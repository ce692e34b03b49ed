"""EMBEDDINGS, LABELS → PROBE: linear probes, Tip-Adapters and nearest class means."""
