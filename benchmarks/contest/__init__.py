"""Side-by-side measurements of NumPyCLIP and other libraries, each in a process of its own."""
