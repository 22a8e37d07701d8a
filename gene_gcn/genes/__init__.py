"""Names of genes and organisms."""
