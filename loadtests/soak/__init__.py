"""Whether memory stays flat under a load that goes on."""
