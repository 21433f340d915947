"""What a response is: distributions, links, priors, and one row a family."""
