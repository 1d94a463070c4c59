"""Live market data: streams of a venue, joined to its history, and the recorder of them."""
