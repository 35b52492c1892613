"""The four services of COSMO, one package each; none imports another."""
