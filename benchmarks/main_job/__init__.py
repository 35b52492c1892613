"""What the four services add to a bare CalCOS run of a real association, and how fast an event
becomes work.
"""
