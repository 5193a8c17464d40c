"""What the programs ask: real servers, and processes of the lab."""
