"""Where clips come from: procedural, a video or a frames folder. Uses the hand room to pose the hand it renders."""
