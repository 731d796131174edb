/** Texts about what stands in the way of a call, in German. */

/** @type {Record<keyof typeof import("../en/trouble.js").default, string>} */
export default {
  "trouble.socket": "Der Server antwortet, aber die ständige Verbindung, die ein Anruf braucht (WebSocket), wird abgelehnt. Vermutlich sperrt sie ein Proxy, eine Firewall, ein VPN oder eine Browser-Erweiterung. Schalte das ab oder versuch ein anderes Netz, etwa das deines Telefons. Neuer Versuch …",
  "trouble.hello": "Der Server antwortet nicht rechtzeitig: Das Netz ist sehr langsam oder der Server überlastet. Vielleicht ist ein anderes Netz schneller. Neuer Versuch …",
  "trouble.directory": "Der Server kann gerade niemanden nachschlagen. Euer Anruf geht weiter, aber niemand Neues kommt herein.",
  "trouble.peer": "Noch wurde kein Weg zu {name} gefunden. {why} Neuer Versuch …",
  "trouble.no_answer": "Der andere Browser antwortet nicht; vielleicht schläft das Gerät, oder der Anruf wurde gerade verlassen.",
  "trouble.no_addresses": "Dein Browser nennt keine Netzadresse. Vielleicht liegt es an einer Einstellung oder Erweiterung gegen WebRTC-Lecks: Schalte sie für diese Seite ab.",
  "trouble.relay_budget": "Eure Netze brauchen das Relais, und dessen Verkehr für diesen Monat ist verbraucht. Geht in dasselbe Netz, oder sag es dem Betreiber dieser Website.",
  "trouble.no_relay": "Eure Netze lassen keine direkte Verbindung zu, und diese Website hat kein Relais. Geht in dasselbe Netz, oder versuch ein anderes, etwa das deines Telefons.",
  "trouble.no_way_out": "Dein Netz lässt weder UDP noch TCP zum Relais hinaus. Schalte ein VPN ab oder versuch ein anderes Netz, etwa das deines Telefons.",
  "trouble.their_network": "Das andere Netz lässt nichts zum Relais hinaus. Dort hilft es vielleicht, ein VPN abzuschalten oder ein anderes Netz zu versuchen, etwa das eines Telefons.",
  "trouble.blocked": "Ihr erreicht beide das Relais, aber nichts kommt durch. Schaltet ein VPN ab, oder versucht auf einer Seite ein anderes Netz.",
  "trouble.stranger": "Das ist nicht {name}",
  "trouble.stranger.more": "{other} ist in diesem Anruf. Der Server kennt diese Person nicht als {name} ({email}), darum gehen Kamera und Mikrofon nicht dorthin.",
  "trouble.stranger.yes": "Trotzdem sprechen",
  "trouble.stranger.no": "Nichts senden",
  "media.refused": "Der Browser lässt PeerSync nicht an Kamera oder Mikrofon.",
  "media.refused.chrome": "Klick auf das Symbol links neben der Adresse, erlaube Kamera und Mikrofon und versuch es noch einmal. Du kannst auch ohne teilnehmen.",
  "media.refused.firefox": "Klick auf die durchgestrichene Kamera links neben der Adresse, hebe die Sperre auf und versuch es noch einmal. Du kannst auch ohne teilnehmen.",
  "media.refused.safari": "Öffne in der Adresszeile die Einstellungen für diese Website, erlaube Kamera und Mikrofon und versuch es noch einmal. Du kannst auch ohne teilnehmen.",
  "media.busy": "Ein anderes Programm benutzt Kamera oder Mikrofon. Schließ es und versuch es noch einmal.",
  "media.none": "Keine Kamera und kein Mikrofon gefunden. Du siehst und hörst die anderen trotzdem.",
  "media.nocamera": "Keine Kamera gefunden; du bist nur mit Ton dabei.",
  "media.nomicrophone": "Kein Mikrofon gefunden; die anderen hören dich nicht.",
  "media.insecure": "Kameras gehen nur über HTTPS oder auf localhost.",
};
