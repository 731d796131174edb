//! The embedded server programs: what they need to run, and how they are packed.

use peersync_config::{Architecture, Config};
use peersync_engine::ResourceError;
use peersync_server::routes::Route;

/// The C library of Amazon Linux 2023, on which the functions and the host run.
const GLIBC: Version = Version(2, 34);
/// The number of an architecture in an ELF file, `EM_X86_64` and `EM_AARCH64`.
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// Everything that is uploaded into a stack. The default is empty: enough to find and remove a stack, not to make one.
#[derive(Default)]
pub struct Artifacts {
    /// The published files, in the order of their keys.
    pub pages: Vec<Page>,
    /// The server programs, for each architecture for which there are some.
    pub programs: Vec<Programs>,
    /// The routes of the API.
    pub routes: Vec<Route>,
}

impl Artifacts {
    /// Returns the programs for an architecture. If there are none, they have no content.
    pub fn programs(&self, architecture: Architecture) -> &Programs {
        static NONE: Programs = Programs::none(Architecture::X86_64);
        self.programs.iter().find(|programs| programs.architecture == architecture).unwrap_or(&NONE)
    }
}

/// Sizes alone: the content is megabytes.
impl std::fmt::Debug for Artifacts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (pages, routes) = (self.pages.len(), self.routes.len());
        let programs: Vec<Architecture> = self.programs.iter().map(|programs| programs.architecture).collect();
        let mut shown = formatter.debug_struct("Artifacts");
        shown.field("pages", &pages).field("programs", &programs).field("routes", &routes).finish()
    }
}

/// A published file.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its key in the bucket, and its path without the first slash: `js/api.js`.
    pub key: &'static str,
    /// Its content.
    pub content: &'static [u8],
}

/// The server programs for one architecture.
#[derive(Clone, Copy)]
pub struct Programs {
    /// The processors on which they run.
    pub architecture: Architecture,
    /// The API, packed as Lambda's archive with the `bootstrap`.
    pub api: Program,
    /// The signaling server, compressed.
    pub signal: Program,
    /// The relay, compressed.
    pub relay: Program,
}

impl Programs {
    /// Returns these programs as those for the processors of the signaling server. [`check_program`] finds another one that
    /// is for others.
    pub fn new(api: Program, signal: Program, relay: Program) -> Self {
        let is_for = |architecture: &Architecture| machine(signal.needs) == Some(number(*architecture));
        let architecture = Architecture::ALL.into_iter().find(is_for).unwrap_or_default();
        Self { architecture, api, signal, relay }
    }

    /// Returns programs without content, for a stack that is only found or removed.
    pub const fn none(architecture: Architecture) -> Self {
        Self { architecture, api: Program::none("api"), signal: Program::none("signal"), relay: Program::none("relay") }
    }

    /// Returns all of them.
    pub fn all(&self) -> [&Program; 3] {
        [&self.api, &self.signal, &self.relay]
    }
}

/// A program for a server, and the package that is uploaded of it.
#[derive(Clone, Copy, Default)]
pub struct Program {
    /// The name, such as `api`.
    pub name: &'static str,
    /// What it needs to run: `api: ELF machine 062, glibc 2.34`.
    pub needs: &'static str,
    /// SHA-256 of the ELF file, in hexadecimal.
    pub elf_sha256: &'static str,
    /// What is uploaded: an archive or a compressed file.
    pub package: &'static [u8],
    /// MD5 of the package in hexadecimal, as S3 gives it back.
    pub package_md5: &'static str,
    /// SHA-256 of the package in base64, as Lambda gives it back as `CodeSha256`.
    pub package_sha256: &'static str,
}

impl Program {
    const fn none(name: &'static str) -> Self {
        Self { name, needs: "", elf_sha256: "", package: &[], package_md5: "", package_sha256: "" }
    }
}

/// A version of the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32);

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

/// Checks that the program runs on Amazon Linux 2023, on processors of this architecture.
///
/// # Errors
/// Fails if it is for other processors or needs a newer C library; the error says how to fix it.
pub fn check_program(program: &Program, architecture: Architecture) -> Result<(), ResourceError> {
    let Some(reason) = obstacle(program.needs, architecture) else { return Ok(()) };
    Err(ResourceError::new(format!("the program `{}` does not run on Amazon Linux 2023", program.name))
        .caused_by(reason)
        .hint("build a release with `cargo xtask dist`, and run `up` with the peersync-deploy that it creates"))
}

/// Checks that there are programs for the processors of the functions and of the host.
///
/// # Errors
/// Says which are missing and what asks for them, and how to get them.
pub fn check_architectures(carried: &[Programs], config: &Config) -> Result<(), ResourceError> {
    let (functions, host) = (config.api.architecture, config.signaling.architecture());
    let wanted = [
        (host, format!("`instance_type` under [signaling] is {}, which has {host}", config.signaling.instance_type)),
        (functions, format!("`architecture` under [api] is {functions}")),
    ];
    let is_missing = |architecture: Architecture| carried.iter().all(|programs| programs.architecture != architecture);
    let missing = || wanted.iter().filter(|(architecture, _)| is_missing(*architecture));
    let Some((first, _)) = missing().next() else { return Ok(()) };
    let reasons: Vec<&str> = missing().map(|(_, reason)| reason.as_str()).collect();
    let other = match first {
        Architecture::Arm64 => "an x86_64 type such as \"t3.micro\" under [signaling] and \"x86_64\" under [api]",
        Architecture::X86_64 => "a Graviton type such as \"t4g.micro\" under [signaling] and \"arm64\" under [api]",
    };
    Err(ResourceError::new("this peersync-deploy does not carry the server programs for these processors")
        .caused_by(format!("it has none for {first}: {}", reasons.join("; ")))
        .hint(format!(
            "build a release with `cargo xtask dist`, which carries them for x86_64 and arm64, and run the peersync-deploy that \
             it creates; or choose {other}"
        )))
}

/// Returns why a program with these needs does not run there, if it does not. The needs are what the build found in its
/// ELF file, `api: ELF machine 062, glibc 2.34` or `api: ELF machine 183, no glibc`; the file itself is not carried. Other
/// text says why there is nothing to find.
fn obstacle(needs: &str, architecture: Architecture) -> Option<String> {
    let Some(machine) = machine(needs) else {
        return Some(needs.split_once(": ").map_or(needs, |(_, reason)| reason).to_owned());
    };
    if machine != number(architecture) {
        return Some(format!("it is not for {architecture}"));
    }
    let needed = needs.split_once(", glibc ").and_then(|(_, text)| version(text)).filter(|needed| *needed > GLIBC)?;
    Some(format!("it needs glibc {needed}, but Amazon Linux 2023 has {GLIBC}"))
}

/// Returns the number of the architecture among these needs.
fn machine(needs: &str) -> Option<u16> {
    needs.split_once(": ELF machine ")?.1.split(',').next()?.parse().ok()
}

fn number(architecture: Architecture) -> u16 {
    match architecture {
        Architecture::X86_64 => X86_64,
        Architecture::Arm64 => AARCH64,
    }
}

fn version(text: &str) -> Option<Version> {
    let (major, minor) = text.split_once('.')?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;
    use Architecture::{Arm64, X86_64};

    #[test]
    fn program_runs_on_its_processors_with_the_library_of_amazon_linux_or_none() {
        assert_eq!(obstacle("api: ELF machine 062, glibc 2.34", X86_64), None);
        assert_eq!(obstacle("api: ELF machine 062, no glibc", X86_64), None);
        assert_eq!(obstacle("api: ELF machine 183, glibc 2.4", Arm64), None);
        assert_eq!(obstacle("api: ELF machine 183, glibc 2.17", X86_64).unwrap(), "it is not for x86_64");
        assert_eq!(obstacle("api: ELF machine 062, glibc 2.34", Arm64).unwrap(), "it is not for arm64");
        let newer = obstacle("api: ELF machine 183, glibc 2.36", Arm64).unwrap();
        assert_eq!(newer, "it needs glibc 2.36, but Amazon Linux 2023 has 2.34");
    }

    #[test]
    fn a_program_that_does_not_run_there_is_refused_with_the_fix() {
        let program = Program { name: "api", needs: "api: it is not a 64-bit ELF file", ..Program::default() };
        let error = check_program(&program, X86_64).unwrap_err();
        assert_eq!(error.causes(), ["it is not a 64-bit ELF file"]);
        assert!(error.to_string().contains("`api`"), "{error}");
        assert!(error.hint.unwrap().contains("cargo xtask dist"));
    }

    #[test]
    fn programs_are_for_the_processors_of_their_elf_files() {
        let of = |needs: &'static str| {
            let program = Program { needs, ..Program::default() };
            Programs::new(program, program, program).architecture
        };
        assert_eq!(of("signal: ELF machine 183, glibc 2.34"), Arm64);
        assert_eq!(of("signal: ELF machine 062, no glibc"), X86_64);
        assert_eq!(of("signal: it is not a 64-bit ELF file"), X86_64, "its check says what is wrong");
    }

    #[test]
    fn missing_architecture_is_named_with_what_asks_for_it() {
        let mut config = Config::default();
        let refused = |config: &Config, carried: Architecture| {
            check_architectures(&[Programs::none(carried)], config).map_err(|error| error.causes().join(": "))
        };
        assert_eq!(refused(&config, X86_64), Ok(()));
        let both = "it has none for x86_64: `instance_type` under [signaling] is t3.micro, which has x86_64; \
                    `architecture` under [api] is x86_64";
        assert_eq!(refused(&config, Arm64).unwrap_err(), both);
        config.signaling.instance_type = "t4g.nano".to_owned();
        let host = "it has none for arm64: `instance_type` under [signaling] is t4g.nano, which has arm64";
        assert_eq!(refused(&config, X86_64).unwrap_err(), host);
        config.api.architecture = Arm64;
        assert_eq!(refused(&config, Arm64), Ok(()));
    }

    #[test]
    fn programs_for_an_architecture_are_found_or_have_no_content() {
        let arm = Programs {
            signal: Program { name: "signal", package: b"x", ..Program::default() },
            ..Programs::none(Arm64)
        };
        let artifacts = Artifacts { programs: vec![arm], ..Artifacts::default() };
        assert_eq!(artifacts.programs(Arm64).signal.package, b"x");
        let none = artifacts.programs(X86_64);
        assert_eq!(
            none.all().map(|program| (program.name, program.package.len())),
            [("api", 0), ("signal", 0), ("relay", 0)]
        );
    }
}
