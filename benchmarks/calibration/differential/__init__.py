"""Plain and accelerated CalCOS on files of random forms: whether both write the same bytes and end
alike.
"""
