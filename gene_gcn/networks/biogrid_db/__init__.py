"""BioGRID: its archives, its web service and the networks made from them."""
