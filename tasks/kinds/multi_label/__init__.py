"""Several labels: any number of labels predicted for a text, each with a probability of its own."""
