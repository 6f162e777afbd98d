"""What families share: the generator, samplers, measures. Numba and NumPy only."""
