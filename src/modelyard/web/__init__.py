"""The control plane's API and console: decode, one action, encode (floor 9). Never on the way of a prediction."""
