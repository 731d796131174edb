/** The pictures of the check in words, in their order: for reading them to each other, and where a font lacks them. */

/** @type {Record<string, string>} words separated by spaces, by language */
export default {
  en: "dog cat lion horse unicorn pig elephant rabbit panda rooster penguin turtle fish octopus butterfly flower " +
    "tree cactus mushroom globe moon cloud fire banana apple strawberry corn pizza cake heart smiley robot " +
    "hat glasses wrench santa thumb umbrella hourglass clock gift bulb book pencil paperclip scissors lock key " +
    "hammer telephone flag train bicycle aeroplane rocket trophy ball guitar trumpet bell anchor headphones folder pin",
  de: "Hund Katze Löwe Pferd Einhorn Schwein Elefant Hase Panda Hahn Pinguin Schildkröte Fisch Krake Schmetterling Blume " +
    "Baum Kaktus Pilz Globus Mond Wolke Feuer Banane Apfel Erdbeere Mais Pizza Kuchen Herz Smiley Roboter " +
    "Hut Brille Schraubenschlüssel Nikolaus Daumen Regenschirm Sanduhr Wecker Geschenk Glühbirne Buch Bleistift Büroklammer Schere Schloss Schlüssel " +
    "Hammer Telefon Fahne Zug Fahrrad Flugzeug Rakete Pokal Ball Gitarre Trompete Glocke Anker Kopfhörer Ordner Reißzwecke",
};
