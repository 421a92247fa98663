"""Files: the loop, the engines that ask the disk, and whether to stay awake for it."""
