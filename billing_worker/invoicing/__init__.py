"""From what was used to what is owed: drafts, closing, issuing, credit notes."""
