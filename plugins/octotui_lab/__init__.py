"""The simulated estate: real protocols on loopback, over one pure model of the world."""
