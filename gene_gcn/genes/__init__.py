"""What genes and organisms are called."""
