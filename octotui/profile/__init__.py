"""TOML to Profile: models, loading, the place of every fault, secret references."""
