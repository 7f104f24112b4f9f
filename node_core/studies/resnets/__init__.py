"""Studies of the lesson ResNets to ODEs."""
