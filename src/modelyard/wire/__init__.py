"""The protocols' codecs, for the server and for the clients that test it (floor 3).

``heads`` reads HTTP/1.1 request heads and whole messages, ``problem`` is a refusal with its status,
``native`` is the service's own JSON, ``tensors`` and ``inference`` are the Open Inference Protocol V2.
"""
