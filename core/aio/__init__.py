"""asyncio as a guest of the scheduler."""
