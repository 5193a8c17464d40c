"""Sentences for people: why there is no answer, what to do, who has how many votes, the picture."""
