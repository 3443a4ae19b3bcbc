"""The parts of the page Compare, each a function of what is compared."""
