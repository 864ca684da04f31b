"""bsync: the daily exchange of visitor data with partners."""
