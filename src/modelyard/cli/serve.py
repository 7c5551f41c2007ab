"""``modelyard serve``."""

from __future__ import annotations

import click

from modelyard.actions.serve import become, serve
from modelyard.cli.output import project, say


@click.command()
@click.argument("ref", metavar="MODEL[@VERSION]")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--grpc-port", type=click.IntRange(1, 65535), help="Speak the Open Inference Protocol over gRPC as well."
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True)
@click.pass_context
def command(ctx: click.Context, ref: str, port: int, grpc_port: int | None, workers: int) -> None:
    """Serve a package in the foreground, on loopback, until Ctrl-C. Nothing is logged or released.

    \b
    Example: modelyard serve screening@1 --port 8000
    """
    here = project(ctx)
    folder = serve(here, ref, port=port, workers=workers, grpc_port=grpc_port)
    say(f"{ref} on http://127.0.0.1:{port}/docs (Ctrl-C ends it)")
    become(folder)
