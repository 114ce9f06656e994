"""The parts of loadtest/hostile. Standard library only."""
