"""Authorization of requests (Host, origin, token, client address), and limits of their size, number and time."""
