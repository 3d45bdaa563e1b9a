//! A network namespace that a test makes, without being root where the kernel allows it ([`Namespace`]).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A network namespace, kept alive by a process that ends when its stdin closes, so even when the test is killed.
pub(crate) struct Namespace {
    keeper: Child,
    is_of_user: bool,
}

impl Namespace {
    /// The first one of a test, and what `setup` makes in it; `None` if the machine does not allow it. It is one of a user
    /// namespace or of root's: tried in this order.
    pub(crate) fn outermost(is_of_user: [bool; 2], setup: &str) -> Option<Self> {
        is_of_user.into_iter().find_map(|is_of_user| {
            let mut command = Command::new("unshare");
            command.arg(if is_of_user { "-Urn" } else { "-n" });
            Self::start(command, is_of_user, setup)
        })
    }

    /// Another one beside it, made from inside.
    pub(crate) fn another(&self, setup: &str) -> Self {
        let mut command = self.enter();
        command.args(["unshare", "-n"]);
        Self::start(command, self.is_of_user, setup).expect("a namespace within")
    }

    /// Runs `setup` in the namespaces that `unshare` makes and keeps them.
    fn start(mut unshare: Command, is_of_user: bool, setup: &str) -> Option<Self> {
        let script = format!("export PATH=$PATH:/usr/sbin:/sbin; {setup} && echo ready && exec cat");
        let mut keeper = unshare
            .args(["sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(keeper.stdout.take()?).read_line(&mut line).ok()?;
        let namespace = Self { keeper, is_of_user };
        (line.trim() == "ready").then_some(namespace)
    }

    /// Whether it belongs to a user namespace, in which there is only root.
    #[allow(dead_code, reason = "not every test program asks")]
    pub(crate) const fn is_of_user(&self) -> bool {
        self.is_of_user
    }

    /// The process that keeps it.
    pub(crate) fn id(&self) -> u32 {
        self.keeper.id()
    }

    /// The start of a command that runs inside.
    pub(crate) fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.keeper.id())).arg("--net");
        if self.is_of_user {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--");
        command
    }

    /// Runs a script inside, which must succeed; what it printed.
    pub(crate) fn run(&self, script: &str) -> String {
        let script = format!("PATH=$PATH:/usr/sbin:/sbin; {script}");
        let output = self.enter().args(["sh", "-c", &script]).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
