"""Plain and accelerated CalCOS on files of random forms.

Whether both write the same bytes and end alike.
"""
