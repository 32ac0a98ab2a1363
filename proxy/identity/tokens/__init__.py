"""Access tokens of Keycloak: verified, and read for the person they speak of."""
