//! Names the library, and compiles its one function with variable arguments, which stable Rust
//! cannot define.

fn main() {
    println!("cargo:rerun-if-changed=src/log.c");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libvfio-user.so.0");
    cc::Build::new().file("src/log.c").warnings_into_errors(true).compile("vfio_user_log");
}
