"""How fast the product is beside its peers, in one run on one machine."""
