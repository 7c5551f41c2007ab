"""The processes that answer predictions (floor 4).

``python -m modelyard.serving --plan PLAN.json --state STATE.json`` is a supervisor: it binds one
listening socket a worker slot, keeps the workers alive and converges to the plan. A worker answers.
"""
