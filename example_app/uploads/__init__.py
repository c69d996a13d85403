"""Files that users attach to messages: what is taken, where it is kept, and who may fetch it."""
