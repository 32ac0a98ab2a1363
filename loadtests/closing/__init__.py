"""How long it takes to bill a month of millions of usage records, and in how much memory."""
