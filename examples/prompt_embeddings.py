"""Embed a prompt as diffusion models take it, one vector per token, and write it as .npy.

    python examples/prompt_embeddings.py "an astronaut on a horse" prompt.npy --model stable-diffusion-v1-5/text_encoder

`--layer -2` is for SDXL and Stable Diffusion 3, and `--pooled` writes the one vector besides:
see docs/guides/tokens.md.
"""

import argparse

import numpy as np

import numpyclip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompt")
    parser.add_argument("output")
    parser.add_argument("--negative", default="", help="what the image should not show")
    parser.add_argument("--layer", type=int, default=-1, help="as in hidden_states; by default the last, normed")
    parser.add_argument("--pooled", help="a second file, for the pooled embeddings")
    parser.add_argument("--model", required=True, help="a folder such as text_encoder, with tokenizer beside it")
    given = parser.parse_args()

    model, _ = numpyclip.load(given.model)
    ids = model.tokenize([given.negative, given.prompt], truncate=True)
    embeddings = model.text_tokens(ids, given.layer)
    np.save(given.output, embeddings)
    print(f"{given.output}: {embeddings.shape}, the negative prompt first")
    if given.pooled:
        np.save(given.pooled, model.encode_text(ids))


if __name__ == "__main__":
    main()
