//! The access policy of a register or of a field.

use proc_macro2::Ident;

use super::{Given, given_twice, unknown};
use crate::ctxt::Ctxt;
use crate::policy::Policy;
use crate::suggest;

/// A03: there is one.
pub(crate) fn set(cx: &Ctxt, place: &mut Option<Given<Policy>>, key: Ident, value: Policy) {
    match place {
        Some(first) if first.key == key => given_twice(cx, &first.key, &key),
        Some(first) => {
            let message =
                format!("give one access policy: `{}` and `{key}` were both set", first.key);
            cx.error(key, message);
        }
        None => *place = Some(Given { key, value }),
    }
}

/// A10: a word without a value should have been a policy, or one of the `keys` of `attribute`.
pub(crate) fn unknown_word(cx: &Ctxt, attribute: &str, word: &Ident, keys: &[&str]) {
    let name = word.to_string();
    if name == "rw1c" {
        cx.error(
            word,
            "unknown access policy `rw1c`; did you mean `w1c` (write 1 to clear)? (`rw1` would be \
             write once)",
        );
        return;
    }
    let policies = Policy::ALL.map(Policy::name);
    if suggest::closest(&name, &policies).is_none() && suggest::closest(&name, keys).is_some() {
        unknown(cx, attribute, word, keys);
    } else {
        let hint = suggest::hint(&name, &policies);
        cx.error(word, format_args!("unknown access policy `{name}`; {hint}"));
    }
}
