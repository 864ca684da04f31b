"""Where files come from: listing drop folders, keeping copies, unpacking. What is in a file is no concern of this room."""
