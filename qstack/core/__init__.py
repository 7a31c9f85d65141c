"""The contract: layers, the four nouns, the node that piles them up. Standard library only."""
