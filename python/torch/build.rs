//! Where the extension looks for libtorch: beside the package it is installed with, then where the build found it. Neither matters after
//! `import torch`, which has loaded the libraries, those of CUDA included.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Set by torch-sys for crates that depend on it directly.
    if let Some(directory) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        let directory = directory.to_string_lossy();
        println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../torch/lib:{directory}");
        // The linker drops libraries that no symbol asks for, and CUDA's register themselves when they are loaded.
        println!("cargo:rustc-link-arg=-Wl,--no-as-needed");
        if std::path::Path::new(&*directory).join("libtorch_cuda.so").exists() {
            println!("cargo:rustc-link-arg=-ltorch_cuda");
        }
    }
}
