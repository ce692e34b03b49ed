"""One module per family of models: each saves small ones with the real library, and what it computes from them."""
