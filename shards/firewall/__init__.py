"""The rules that bring packets to queues: as text, installed, and looked after."""
