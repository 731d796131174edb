"""A line between two network namespaces that delays and loses packets: line.py NAME OTHER_NAMESPACE DELAY_MS LOSS.

Creates the devices NAME in this namespace and in the other one, and passes IP packets on between them, each DELAY_MS
later, except for the share LOSS of them. Kernels without `sch_netem` can do it too. Prints "ready" and ends when standard
input closes.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
# More than a packet can have.
LARGEST = 65536
# What waits on the line at most, in packets for each direction: a router's buffer.
QUEUE = 1000


def device(name):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return tun


def main():
    name, other = sys.argv[1:3]
    delay, loss = float(sys.argv[3]) / 1000, float(sys.argv[4])
    # The same packets are lost in every run, if the same packets come.
    chance = random.Random(1)
    near, far = device(name), device("far")
    subprocess.run(["ip", "link", "set", "far", "name", name, "netns", other], check=True)
    print("ready", flush=True)

    waiting = []
    on_the_way = {near: 0, far: 0}
    number = 0
    while True:
        patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        readable, _, _ = select.select([near, far, sys.stdin], [], [], patience)
        now = time.monotonic()
        if sys.stdin in readable and not os.read(sys.stdin.fileno(), 1024):
            return
        for source in (near, far):
            if source not in readable:
                continue
            target = far if source == near else near
            try:
                while packet := os.read(source, LARGEST):
                    if chance.random() >= loss and on_the_way[target] < QUEUE:
                        number += 1
                        on_the_way[target] += 1
                        heapq.heappush(waiting, (now + delay, number, target, packet))
            except BlockingIOError:
                pass
        while waiting and waiting[0][0] <= now:
            _, _, target, packet = heapq.heappop(waiting)
            on_the_way[target] -= 1
            try:
                os.write(target, packet)
            except OSError:
                # The device is down at the moment.
                pass


main()
