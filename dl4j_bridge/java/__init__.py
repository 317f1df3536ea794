"""Access to Java: installation, jars, the JVM, tensors and networks. Only `jvm` imports jnius."""
