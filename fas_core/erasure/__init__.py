"""A person is removed from everything that a cache folder and some manifests hold.

person.py        where somebody is named, and whether all of that is one and the same person
plan.py          what is to be removed, as a value; written down while it is being done
forgetting.py    does it, and goes on after a kill
judged.py        cards and decisions without somebody's names
words.py         texts without them
"""
