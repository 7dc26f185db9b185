"""Positions, cash, fees and settlements, computed from fills and settlement reports."""
