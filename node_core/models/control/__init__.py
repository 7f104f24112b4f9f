"""Plants, policies that steer them, what that costs, and the classical answers: LQR and iLQR."""
