"""A guest in a room who has no browser: aiortc_guest.py PAGES_URL ROOM NAME.

Written by docs/protocol.md alone, with aiortc, an implementation of WebRTC that has nothing in common with the browsers'.
Joins the room, sends a moving picture to everybody in it, and prints what happens, one JSON object a line:
{"event": "joined", "peers": [...]}, {"event": "message", ...} for each message on the channel `talk`, and
{"event": "frames", "decoded": N} for every tenth picture. Leaves and ends when standard input closes.
"""

import asyncio
import contextlib
import fractions
import json
import os
import sys
import traceback
import urllib.request

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp
from av import VideoFrame
from websockets.asyncio.client import connect

CLOCK_RATE = 90_000
FRAMES_PER_SECOND = 15


def tell(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class MovingPicture(VideoStreamTrack):
    """Each picture is a little lighter than the one before."""

    count = 0

    async def recv(self):
        await asyncio.sleep(1 / FRAMES_PER_SECOND)
        frame = VideoFrame(width=320, height=180, format="yuv420p")
        for plane, value in zip(frame.planes, (self.count * 4 % 256, 128, 128)):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts = self.count * CLOCK_RATE // FRAMES_PER_SECOND
        frame.time_base = fractions.Fraction(1, CLOCK_RATE)
        self.count += 1
        return frame


class Guest:
    def __init__(self, socket, peer, ice_servers):
        self.socket = socket
        self.peer = peer
        self.ice_servers = ice_servers
        self.connections = {}
        # Descriptions for which no candidate has come yet.
        self.waiting = {}
        self.tasks = set()

    async def send(self, **message):
        await self.socket.send(json.dumps(message))

    def start(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            traceback.print_exception(error)
            # Whatever it was: the test waits for what does not come.
            os._exit(1)

    def connection(self, other):
        """One connection for each pair of members, with the channels that both sides create in advance."""
        connection = self.connections[other] = RTCPeerConnection(RTCConfiguration(self.ice_servers))
        talk = connection.createDataChannel("talk", negotiated=True, id=0)
        connection.createDataChannel("files", negotiated=True, id=1)

        @talk.on("open")
        def opened():
            talk.send(json.dumps({"type": "state", "microphone": True, "camera": True, "screen": False}))
            talk.send(json.dumps({"type": "chat", "text": "Hello from aiortc"}))

        @talk.on("message")
        def said(text):
            message = json.loads(text)
            tell("message", message=message)
            if message["type"] in ("description", "candidate"):
                self.start(self.negotiate(other, message))

        @connection.on("track")
        def arrived(track):
            if track.kind == "video":
                self.start(self.count(track))

        return connection

    async def count(self, track):
        decoded = 0
        with contextlib.suppress(MediaStreamError):
            while True:
                await track.recv()
                decoded += 1
                if decoded % 10 == 0:
                    tell("frames", decoded=decoded)

    async def offer(self, other):
        """The newcomer's offer: microphone, camera, screen, sound of the screen."""
        connection = self.connection(other)
        connection.addTransceiver(AudioStreamTrack(), direction="sendrecv")
        connection.addTransceiver(MovingPicture(), direction="sendrecv")
        connection.addTransceiver("video", direction="recvonly")
        connection.addTransceiver("audio", direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        await self.describe(other)

    async def describe(self, other):
        local = self.connections[other].localDescription
        await self.send(type="signal", to=other, description={"type": local.type, "sdp": local.sdp})

    async def negotiate(self, other, signal):
        connection = self.connections.get(other) or self.connection(other)
        if description := signal.get("description"):
            if "a=candidate:" in description["sdp"]:
                await self.apply(other, connection, description)
            else:
                self.waiting[other] = description
        elif (candidate := signal.get("candidate")) and candidate["candidate"]:
            # Candidates follow the description, but aioice gives up if it begins without any.
            if description := self.waiting.pop(other, None):
                await self.apply(other, connection, description)
            parsed = candidate_from_sdp(candidate["candidate"].removeprefix("candidate:"))
            parsed.sdpMid, parsed.sdpMLineIndex = candidate.get("sdpMid"), candidate.get("sdpMLineIndex")
            await connection.addIceCandidate(parsed)

    async def apply(self, other, connection, description):
        if description["type"] == "answer" and connection.signalingState != "have-local-offer":
            return
        await connection.setRemoteDescription(RTCSessionDescription(description["sdp"], description["type"]))
        if description["type"] == "offer":
            self.attach(connection)
            await connection.setLocalDescription(await connection.createAnswer())
            await self.describe(other)

    def attach(self, connection):
        """The position of a media section says what it is for: the first two are microphone and camera."""
        for transceiver, track in zip(connection.getTransceivers(), (AudioStreamTrack, MovingPicture)):
            if transceiver.sender.track is None:
                transceiver.sender.replaceTrack(track())
                transceiver.direction = "sendrecv"

    async def receive(self, message):
        match message["type"]:
            case "joined":
                tell("joined", peers=message["peers"])
                for member in message["peers"]:
                    await self.offer(member["peer"])
            case "signal":
                await self.negotiate(message["from"], message)
            case "peer-left":
                if connection := self.connections.pop(message["peer"], None):
                    await connection.close()
            case "error":
                tell("error", message=message)

    async def leave(self):
        await self.send(type="leave")
        await self.send(type="bye")
        for connection in self.connections.values():
            await connection.close()


def ticket(pages, room, name):
    body = json.dumps({"room": room, "name": name}).encode()
    headers = {"content-type": "application/json", "origin": pages}
    with urllib.request.urlopen(urllib.request.Request(f"{pages}/api/ticket", body, headers)) as answer:
        return json.load(answer)


async def heartbeat(guest, seconds):
    while True:
        await asyncio.sleep(seconds)
        await guest.send(type="ping")


async def main():
    pages, room, name = sys.argv[1:4]
    entrance = ticket(pages, room, name)
    servers = [
        RTCIceServer(server["urls"], server.get("username"), server.get("credential"))
        for server in entrance["iceServers"]
    ]
    async with connect(entrance["url"], origin=pages) as socket:
        await socket.send(json.dumps({"type": "hello", "ticket": entrance["ticket"]}))
        welcome = json.loads(await socket.recv())
        assert welcome["type"] == "welcome", welcome
        guest = Guest(socket, welcome["peer"], servers)
        guest.start(heartbeat(guest, welcome["heartbeat_s"]))
        await guest.send(type="join", room=room)

        async def listen():
            async for text in socket:
                await guest.receive(json.loads(text))

        guest.start(listen())
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await guest.leave()


asyncio.run(main())
