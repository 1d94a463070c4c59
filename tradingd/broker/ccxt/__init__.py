"""The broker of real accounts: what is decided is pure (`desk` and its parts), what waits is in `broker`."""
