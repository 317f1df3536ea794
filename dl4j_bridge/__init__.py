"""Train a DL4J GravesLSTM on a dry and a processed recording, and run it.

Importing this package starts no Java virtual machine; the first network does.
"""

__version__ = "0.1.0"
