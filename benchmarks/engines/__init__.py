"""The engines that are measured, each with the same small surface."""
