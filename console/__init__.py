"""The people plane: the JSON API for admins and customers."""
