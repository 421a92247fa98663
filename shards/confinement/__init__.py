"""What workers give up before they serve, and what they may take."""
