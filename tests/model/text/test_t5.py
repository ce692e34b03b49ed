from numpyclip.model.text.encoder_configs import T5Config
from numpyclip.model.text.t5 import buckets


def config(count: int, max_distance: int) -> T5Config:
    return T5Config(
        width=8,
        layers=1,
        heads=1,
        mlp_width=8,
        activation="gelu_tanh",
        context_length=5,
        vocab_size=9,
        buckets=count,
        max_distance=max_distance,
    )


def test_distances_fall_into_the_buckets_that_transformers_says() -> None:
    """`MT5Attention._relative_position_bucket` of transformers 5.24; the borders are at powers of the root of 2."""
    table = buckets(200, config(32, 128))
    assert table.shape == (200, 200)
    far = [8] * 4 + [9] * 4 + [10] * 7 + [11] * 9 + [12] * 14 + [13] * 18 + [14] * 27 + [15] * 109
    assert table[:, 0].tolist() == [*range(8), *far]
    assert table[0].tolist() == [0, *(16 + bucket for bucket in [*range(1, 8), *far])]


def test_a_few_buckets_and_short_distances_are_possible() -> None:
    assert buckets(9, config(8, 7))[0].tolist() == [0, 5, 6, 6, 7, 7, 7, 7, 7]
