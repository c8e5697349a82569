"""How a network is fitted; nothing here knows what for."""
