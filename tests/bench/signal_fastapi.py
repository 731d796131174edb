"""A relay as a manual setup has it: FastAPI on uvicorn, a dictionary of rooms, texts passed on unread.

A reference of `bench signal`. It checks nothing, stamps nothing and bounds nothing.
Usage: uvicorn signal_fastapi:app
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
rooms: dict[str, list[WebSocket]] = {}


@app.websocket("/ws/{room}")
async def relay(socket: WebSocket, room: str) -> None:
    await socket.accept()
    members = rooms.setdefault(room, [])
    members.append(socket)
    try:
        await socket.send_text("joined")
        while True:
            text = await socket.receive_text()
            for member in members:
                if member is not socket:
                    await member.send_text(text)
    except WebSocketDisconnect:
        pass
    finally:
        members.remove(socket)
        if not members:
            rooms.pop(room, None)
