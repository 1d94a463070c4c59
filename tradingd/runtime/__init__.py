"""How it runs: event managers, supervisor, clocks, container."""
