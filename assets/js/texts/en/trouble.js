/** Texts about what stands in the way of a call, in English. They are loaded only when something does. */
export default {
  "trouble.socket": "The server answers, but the live connection that a call needs (WebSocket) is refused. A proxy, a firewall, a VPN or a browser extension probably blocks it. Turn it off, or try another network such as your phone's. Trying again…",
  "trouble.hello": "The server does not answer in time: the network is very slow, or the server is overloaded. Another network may be faster. Trying again…",
  "trouble.peer": "No way to {name} has been found yet. {why} Trying again…",
  "trouble.no_answer": "Their browser does not answer; their device may be asleep, or they have just left.",
  "trouble.no_addresses": "Your browser gives out no network address. A setting or an extension against WebRTC leaks may be the reason: turn it off for this page.",
  "trouble.relay_budget": "Your networks need the relay, and its traffic of this month is used up. Join the same network, or tell whoever runs this site.",
  "trouble.no_relay": "Your networks do not let you connect directly, and this site has no relay. Join the same network, or try another one such as your phone's.",
  "trouble.no_way_out": "Your network lets neither UDP nor TCP out to the relay. Turn off a VPN, or try another network such as your phone's.",
  "trouble.their_network": "Their network lets nothing out to the relay. They should turn off a VPN, or try another network such as their phone's.",
  "trouble.blocked": "Both of you reach the relay, but nothing gets through. Turn off a VPN, or try another network on either side.",
};
