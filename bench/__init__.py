"""How fast the image boots, how large it is and how quickly it is rebuilt, as ratios within one run."""
