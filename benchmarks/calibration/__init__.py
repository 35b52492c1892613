"""Plain CalCOS and the calibrator on the same datasets: what they cost, and whether they write the
same bytes.
"""
