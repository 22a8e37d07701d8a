"""How models are fitted: exactly, or by gradients."""
