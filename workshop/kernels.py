"""Clients that never wait for a reply that is already there."""

import time
from queue import Empty

from nbclient import NotebookClient
from nbclient.util import run_sync

LOOK = 0.5  # seconds between two looks


class Attentive:
    """Mixin for nbclient's client: looks for the kernel's reply twice a second.

    Cells with widgets make the client send on the socket on which it waits. The reply can arrive
    at that moment without waking the wait (ZeroMQ tells of news only once), and then nbclient
    sleeps until the cell's time is up.
    """

    async def async_start_new_kernel_client(self):
        "Start the client and give its shell channel the patient `get_msg`."
        client = await super().async_start_new_kernel_client()
        client.shell_channel.get_msg = look_often(client.shell_channel.get_msg)
        return client

    start_new_kernel_client = run_sync(async_start_new_kernel_client)


def look_often(get_msg):
    "The channel method `get_msg`, its wait cut into short ones."

    async def in_slices(timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = LOOK if end is None else min(LOOK, max(0.0, end - time.monotonic()))
            try:
                return await get_msg(timeout=left)
            except Empty:
                if end is not None and time.monotonic() >= end:
                    raise

    return in_slices


class Client(Attentive, NotebookClient):
    "nbclient's client, attentive."
