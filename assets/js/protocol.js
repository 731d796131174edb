/**
 * The messages of the signaling server, as the pages see them. The server's definition is in
 * `crates/signal/src/protocol.rs`; a test there compares the names in both.
 *
 * The server's messages carry a `seq` that grows by one within a session, except `welcome`, `draining`, `pong` and
 * errors before `welcome`, which belong to one connection. Close codes: 1009 message larger than 64 KiB, 1012 the
 * server restarts, 1013 its database does not answer, 4000 no hello in time, 4001 ticket refused, 4002 session resumed on
 * another connection, 4003 nothing received for 30 s, 4004 too many sessions, 4005 signed out, 4008 reader too
 * slow, 4029 far too many messages.
 */

/**
 * Messages from the browser.
 *
 * @typedef {{ type: "hello", ticket?: string | undefined, resume?: string, seen?: number }} Hello with a ticket, or the latest `resume`, or both
 * @typedef {{ type: "join", room: string }} Join
 * @typedef {{ type: "leave" }} Leave
 * @typedef {{ type: "signal", to: string, description?: RTCSessionDescriptionInit, candidate?: RTCIceCandidateInit | null }} SendSignal
 * @typedef {{ type: "ring", to: string, room: string }} SendRing
 * @typedef {{ type: "ring-cancel", to?: string, room?: string }} RingCancel
 * @typedef {{ type: "accept", room: string }} Accept
 * @typedef {{ type: "reject", room: string }} Reject
 * @typedef {{ type: "room-lock", locked?: boolean }} SendRoomLock any member may; lasts as long as somebody is inside
 * @typedef {{ type: "room-admit", peer: string, admit?: boolean }} RoomAdmit any member may
 * @typedef {{ type: "outcome", way: "direct" | "relayed" | "failed" }} Outcome how we reached another member, for the owner's statistics
 * @typedef {{ type: "friends-changed" }} FriendsChanged presence is worked out again
 * @typedef {{ type: "ping" }} Ping answered by a pong after everything that was queued before
 * @typedef {{ type: "pong" }} SendPong
 * @typedef {{ type: "bye" }} Bye ends the session; without it, it can be resumed for 30 s
 * @typedef {Hello | Join | Leave | SendSignal | SendRing | RingCancel | Accept | Reject | SendRoomLock | RoomAdmit
 *   | Outcome | FriendsChanged | Ping | SendPong | Bye} ClientMessage
 */

/**
 * Messages to the browser.
 *
 * @typedef {{ peer: string, name: string, email?: string, guest?: boolean, was?: string }} Member the address is told to friends only; guest: no account, so the name is whatever they typed; was: their id at the server before
 * @typedef {{ type: "welcome", peer: string, resume: string, heartbeat_s: number, resumed: boolean }} Welcome
 * @typedef {{ type: "joined", room: string, peers: Member[], locked: boolean }} Joined
 * @typedef {{ type: "peer-joined", peer: string, name: string, email?: string, guest?: boolean, was?: string }} PeerJoined
 * @typedef {{ type: "peer-left", peer: string }} PeerLeft left the room, or stopped knocking
 * @typedef {{ type: "signal", from: string, description?: RTCSessionDescriptionInit, candidate?: RTCIceCandidateInit | null }} Signal
 * @typedef {{ type: "ringing", to: string, room: string, online: boolean }} Ringing
 * @typedef {{ type: "rung", from: string, name: string, room: string }} Rung
 * @typedef {{ type: "accepted", room: string, from?: string, peer?: string }} Accepted `from` for the caller, `peer` for the tabs of who was rung
 * @typedef {{ type: "rejected", room: string, from?: string, peer?: string }} Rejected
 * @typedef {{ type: "missed", room: string, from?: string, to?: string }} Missed
 * @typedef {{ type: "presence", email: string, online: boolean }} Presence
 * @typedef {{ type: "knock", room: string, peer: string, name: string, email?: string, guest?: boolean, was?: string }} Knock with our own `peer`: our knock was passed on
 * @typedef {{ type: "room-lock", room: string, locked: boolean, by: string }} RoomLock
 * @typedef {{ type: "draining", retry_ms: number }} Draining
 * @typedef {{ type: "error", code: ErrorCode, message: string, about?: string }} Refusal
 * @typedef {{ type: "pong", resume?: string }} Pong with a newer `resume` from time to time
 * @typedef {Welcome | Joined | PeerJoined | PeerLeft | Signal | Ringing | Rung | Accepted | Rejected | Missed | Presence
 *   | Knock | RoomLock | Draining | Refusal | Pong} ServerMessage
 */

/**
 * Why a message was refused.
 *
 * @typedef {"bad_message" | "hello_expected" | "ticket_invalid" | "ticket_expired" | "ticket_used" | "too_large"
 *   | "rate_limited" | "too_slow" | "too_many" | "forbidden" | "room_not_found" | "room_full" | "not_in_room"
 *   | "no_such_peer" | "not_admitted" | "not_friends" | "ring_over" | "directory_unavailable" | "signed_out"} ErrorCode
 */

export {};
