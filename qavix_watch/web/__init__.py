"""What listens: the callback receiver."""
