"""What one run leaves for later ones: the interface, and back-off."""
