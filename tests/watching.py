"""Readers of the published file that run in processes of their own, as analysts do."""

from __future__ import annotations

from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from demo import connect, views

Look = dict[str, Any]


def look(connection: Any) -> Look:
    """What an analyst sees: number of rows and their hash, by view."""
    query = "SELECT count(*), bit_xor(hash(everything)) FROM"
    return {view: connection.execute(f'{query} "{view}" AS everything').fetchone() for view in views(connection)}


def watch(home: Path, stop: Event, pipe: Connection, opens_anew: bool) -> None:
    """Look again and again until `stop`; sends the number of looks and the distinct ones, in order, or the error."""
    looks: list[Look] = []
    times = 0
    try:
        connection = connect(home)
        while not stop.is_set() or not times:
            if opens_anew:
                connection.close()
                connection = connect(home)
            seen = look(connection)
            times += 1
            if seen not in looks[-1:]:
                looks.append(seen)
            if times == 1:
                pipe.send("looking")
    except Exception as error:
        pipe.send(repr(error))
    else:
        pipe.send((times, looks))
