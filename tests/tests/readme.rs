//! The README says what is true.

/// The device in the README is the example, to the letter.
#[test]
fn the_device_in_the_readme_is_the_example() {
    let readme = include_str!("../../README.md");
    let example = include_str!("../../examples/src/bin/trivial.rs");
    let block = readme.split("```rust,no_run\n").nth(1).and_then(|rest| rest.split("```").next());
    let code = example.split_once("\n\n").map(|(_, code)| code);
    assert_eq!(block, code);
}
