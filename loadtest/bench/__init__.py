"""The parts of loadtest/side-by-side. Standard library only."""
