//! The texts of mails in every language. `{name}` is replaced by the other user's name, which stands in quotes: it is
//! somebody else's text.

/// A language of mails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
}

impl Language {
    /// Returns the best language for an `Accept-Language` header (RFC 9110, section 12.5.4); English if none matches.
    pub fn choose(accepted: &str) -> Self {
        let mut best = (0.0, Self::English);
        for part in accepted.split(',').take(20) {
            let mut pieces = part.split(';').map(str::trim);
            let tag = pieces.next().unwrap_or_default().to_ascii_lowercase();
            let weight = pieces.find_map(|piece| piece.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            let language = match tag.split('-').next() {
                Some("de") => Self::German,
                Some("en") => Self::English,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// Returns its tag for the attribute `lang`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// Returns its texts.
    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// The texts of one kind of letter.
#[derive(Debug)]
pub(super) struct LetterTexts {
    /// The subject and heading.
    pub subject: &'static str,
    /// The reason for the letter.
    pub intro: &'static str,
    /// The label of the button.
    pub action: &'static str,
    /// Further information.
    pub note: &'static str,
    /// Why the recipient gets it.
    pub reason: &'static str,
}

/// All texts in one language.
#[derive(Debug)]
pub(super) struct Texts {
    pub sign_in: LetterTexts,
    /// The text before the code.
    pub code: &'static str,
    /// The text before a long code.
    pub long_code: &'static str,
    pub no_account: LetterTexts,
    pub friend_request: LetterTexts,
    pub invitation: LetterTexts,
    /// In place of a name that an earlier version accepted and this one would refuse.
    pub somebody: &'static str,
}

const ENGLISH: Texts = Texts {
    sign_in: LetterTexts {
        subject: "Sign in to PeerSync",
        intro: "Open this link to sign in:",
        action: "Sign in",
        note: "Link and code work once, for 15 minutes.",
        reason: "You get this because somebody asked to sign in with this address. If it was not you, do nothing, and \
                 tell nobody the code.",
    },
    code: "Or type this code where you asked for the mail:",
    long_code: "Somebody has typed wrong codes, so this one is longer. If you prefer it to the link, type it where you \
                asked for the mail:",
    no_account: LetterTexts {
        subject: "Sign in to PeerSync",
        intro: "There is no PeerSync account with this address. You may have used another one, or you can create an \
                account here:",
        action: "Create an account",
        note: "Without an account there is nothing to sign in to.",
        reason: "You get this because somebody asked to sign in with this address. If it was not you, do nothing.",
    },
    friend_request: LetterTexts {
        subject: "“{name}” would like to call you with PeerSync",
        intro: "“{name}” would like to be your friend on PeerSync. Friends can call each other and see when the other \
                is online.",
        action: "Answer",
        note: "The link works once, for 7 days, without signing in.",
        reason: "You get this because you have a PeerSync account. You can block people there.",
    },
    invitation: LetterTexts {
        subject: "“{name}” invites you to PeerSync",
        intro: "“{name}” would like to call you with PeerSync: video calls straight from browser to browser, without an \
                app. Create an account with this address, and the request is waiting for you.",
        action: "Create an account",
        note: "If you do not want to, do nothing.",
        reason: "You get this because “{name}” typed your address. You have no account, and none was made.",
    },
    somebody: "Somebody",
};

const GERMAN: Texts = Texts {
    sign_in: LetterTexts {
        subject: "Bei PeerSync anmelden",
        intro: "Mit diesem Link meldest du dich an:",
        action: "Anmelden",
        note: "Link und Code gelten einmal, 15 Minuten lang.",
        reason: "Du bekommst diese Nachricht, weil sich jemand mit dieser Adresse anmelden wollte. Warst du es nicht, \
                 dann tu nichts und gib den Code niemandem.",
    },
    code: "Oder gib diesen Code dort ein, wo du die Nachricht angefordert hast:",
    long_code: "Jemand hat falsche Codes eingegeben, darum ist dieser länger. Ist er dir lieber als der Link, dann gib \
                ihn dort ein, wo du die Nachricht angefordert hast:",
    no_account: LetterTexts {
        subject: "Bei PeerSync anmelden",
        intro: "Zu dieser Adresse gibt es kein PeerSync-Konto. Vielleicht hast du eine andere benutzt, oder du legst \
                hier ein Konto an:",
        action: "Konto anlegen",
        note: "Ohne Konto gibt es nichts, wo man sich anmelden könnte.",
        reason: "Du bekommst diese Nachricht, weil sich jemand mit dieser Adresse anmelden wollte. Warst du es nicht, \
                 dann tu nichts.",
    },
    friend_request: LetterTexts {
        subject: "„{name}“ möchte dich mit PeerSync anrufen",
        intro: "„{name}“ möchte auf PeerSync mit dir befreundet sein. Freunde können einander anrufen und sehen, wann der \
                andere da ist.",
        action: "Antworten",
        note: "Der Link gilt einmal, 7 Tage lang, auch ohne Anmeldung.",
        reason: "Du bekommst diese Nachricht, weil du ein PeerSync-Konto hast. Dort kannst du Personen blockieren.",
    },
    invitation: LetterTexts {
        subject: "„{name}“ lädt dich zu PeerSync ein",
        intro: "„{name}“ möchte dich mit PeerSync anrufen: Videoanrufe direkt von Browser zu Browser, ohne App. Lege mit \
                dieser Adresse ein Konto an, dann wartet die Anfrage dort auf dich.",
        action: "Konto anlegen",
        note: "Möchtest du nicht, dann tu nichts.",
        reason: "Du bekommst diese Nachricht, weil „{name}“ deine Adresse eingegeben hat. Du hast kein Konto, und es \
                 wurde keines angelegt.",
    },
    somebody: "Jemand",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_is_chosen_by_accept_language() {
        for (accepted, expected) in [
            ("", Language::English),
            ("de", Language::German),
            ("de-AT,en;q=0.8", Language::German),
            ("fr-FR,fr;q=0.9,en;q=0.3,de;q=0.5", Language::German),
            ("en-GB,de;q=0.9", Language::English),
            ("de;q=0", Language::English),
            ("xx;q=what,,;;", Language::English),
        ] {
            assert_eq!(Language::choose(accepted), expected, "{accepted}");
        }
    }
}
