"""Published weights: their architectures as plain modules, and their names in and out."""
