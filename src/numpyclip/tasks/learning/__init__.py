"""VECTORS, LABELS → PROBE: a linear probe, a Tip-Adapter, or class means, chosen, measured and kept."""
