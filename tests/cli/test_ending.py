"""Ctrl-C and SIGTERM end what runs for long."""

import signal
import subprocess
import sys

from tests.patience import FOR_EVER, PATIENCE

WAITS = """
import signal, threading, time
from regportal.cli.ending import Ending

def told():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.{number})

ending = Ending()
threading.Thread(target=told).start()
ending.wait()
print("ended")
"""
DEAF = f"""
import os, signal, time
from regportal.cli.ending import on_signals

on_signals(lambda: None)
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep({FOR_EVER})
"""


def test_a_signal_is_heard_whichever_thread_the_system_hands_it_to():
    for number in ("SIGINT", "SIGTERM"):
        command = [sys.executable, "-c", WAITS.format(number=number)]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=True
        )

        assert ended.stdout == "ended\n"


def test_the_second_one_ends_it_at_once():
    ended = subprocess.run([sys.executable, "-c", DEAF], timeout=PATIENCE, check=False)

    assert ended.returncode == -signal.SIGTERM
