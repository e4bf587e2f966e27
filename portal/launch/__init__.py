"""Everything between `python3 manage.py` and Django: packages, embedded servers, processes.

Standard library only, and no Django: this code must run before anything is installed.
"""
