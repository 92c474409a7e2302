"""Sources: the vendor's download site."""
