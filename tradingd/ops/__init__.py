"""How it is watched: logging, the live console, summaries."""
