"""What is wrong with photographs: found out before anything is trained, and without a network."""
