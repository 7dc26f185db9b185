"""The benchmark cases, one module for each group of cases."""
