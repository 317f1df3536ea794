"""One network trained by many workers on Ray, each with some windows of each batch and a Java of its own."""
