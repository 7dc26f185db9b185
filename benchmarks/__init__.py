"""What the library costs, measured beside other engines in one run: `make bench`."""
