"""Reading what other programs write, while they write it. Nothing here knows of the browser."""
