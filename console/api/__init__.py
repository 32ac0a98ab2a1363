"""What each part of the API does, one noun a module; console/operations.py says where it is found."""
