"""The Octopus REST API, as this product needs it."""
