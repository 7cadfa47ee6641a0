"""Tables of detections for other programs to read."""
