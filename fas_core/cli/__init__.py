"""`fas ...`, one file per noun; `main.py` lists the commands and says how bad input ends."""
