"""Parts of the composition root (`tradingd.app`): from their settings to objects, by hand."""
