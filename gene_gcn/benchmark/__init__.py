"""Accuracy and cost, measured on labeled cells."""
