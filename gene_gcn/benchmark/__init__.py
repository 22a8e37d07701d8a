"""How good is it: figures over labelled cells."""
