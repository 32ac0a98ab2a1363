"""Who answers: connections to an origin, and which headers cross over."""
