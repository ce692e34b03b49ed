"""Who is answered, how much, and for how long: hosts, origins, tokens, addresses and limits."""
