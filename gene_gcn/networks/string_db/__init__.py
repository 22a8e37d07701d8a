"""STRING: its files, its web service and the networks made from them."""
