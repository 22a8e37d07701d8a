"""scikit-learn's contract around models and their training."""
