"""Models in the safe formats of their frameworks, with a card of what is known of them; no pickle is loaded unasked.

`scanning` says whether bytes can run code, `frameworks` has a module for each library, `keeping` stores an object or
describes what lies there, `loading` brings it back.
"""
