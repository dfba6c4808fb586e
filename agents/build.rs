//! With the feature `torch`: lets the binaries and tests of this crate find libtorch where the build found it. And the commit that is
//! built, for the runs and policies that say where they come from.

use std::process::Command;

/// What git says, if it is there and this is a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo:rustc-env=LOBGYM_COMMIT={commit}");
        // Written at every commit and checkout.
        if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
            println!("cargo:rerun-if-changed={log}");
        }
    }
    // Set by torch-sys for crates that depend on it directly; without the feature there is none.
    if let Some(directory) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        let directory = directory.to_string_lossy();
        println!("cargo:rustc-link-arg=-Wl,-rpath,{directory}");
        // The linker drops libraries that no symbol asks for, and CUDA's register themselves when they are loaded.
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
        if std::path::Path::new(&*directory).join("libtorch_cuda.so").exists() {
            println!("cargo:rustc-link-arg=-ltorch_cuda");
        }
    }
}
