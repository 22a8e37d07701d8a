"""How models are fitted: a linear head exactly, deeper models by gradients. Tensors and CSR matrices only."""
