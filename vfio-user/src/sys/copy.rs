//! Copies into and out of memory shared with another process.

#[cfg(target_arch = "x86_64")]
use std::arch::asm;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};

use super::atomic::word;

/// Copies out of shared memory with the widest accesses that its alignment allows; an aligned copy
/// of 1, 2, 4 or 8 bytes is a single access.
///
/// # Safety
///
/// `data.len()` bytes must be readable at `source`.
#[inline]
pub(super) unsafe fn copy_out(source: *mut u8, data: &mut [u8]) {
    let whole = whole_words(source, data.len());
    let (words, rest) = data.split_at_mut(whole);
    // SAFETY: `whole` bytes are readable at `source`, which is aligned if there are any, and the
    // rest after them.
    unsafe {
        words_out(source, words);
        if !rest.is_empty() {
            parts_out(source.add(whole), rest);
        }
    }
}

/// Copies into shared memory, as `copy_out`.
///
/// # Safety
///
/// `data.len()` bytes must be writable at `target`.
#[inline]
pub(super) unsafe fn copy_in(target: *mut u8, data: &[u8]) {
    let whole = whole_words(target, data.len());
    let (words, rest) = data.split_at(whole);
    // SAFETY: `whole` bytes are writable at `target`, which is aligned if there are any, and the
    // rest after them.
    unsafe {
        words_in(target, words);
        if !rest.is_empty() {
            parts_in(target.add(whole), rest);
        }
    }
}

/// Returns how many of `len` bytes are whole words of 8 bytes: none if the address is not aligned.
#[inline]
fn whole_words(address: *mut u8, len: usize) -> usize {
    if address.addr().is_multiple_of(8) { len / 8 * 8 } else { 0 }
}

/// Copies whole words of 8 bytes out of shared memory.
///
/// # Safety
///
/// `data.len()` bytes are readable at `source`, which is aligned to 8 bytes if there are any.
#[inline]
unsafe fn words_out(source: *mut u8, data: &mut [u8]) {
    let (blocks, words) = data.split_at_mut(data.len() / BLOCK * BLOCK);
    // SAFETY: as the caller promises.
    unsafe {
        if !blocks.is_empty() {
            copy_blocks(blocks.as_mut_ptr(), source, blocks.len());
        }
        let source = source.add(blocks.len());
        if words.len() == 8 {
            // Compilers unroll a loop, which is slow to start.
            return words.copy_from_slice(&word::<AtomicU64>(source).load(Relaxed).to_ne_bytes());
        }
        for (n, bytes) in words.chunks_exact_mut(8).enumerate() {
            let value = word::<AtomicU64>(source.add(n * 8)).load(Relaxed);
            bytes.copy_from_slice(&value.to_ne_bytes());
        }
    }
}

/// Copies whole words of 8 bytes into shared memory.
///
/// # Safety
///
/// `data.len()` bytes are writable at `target`, which is aligned to 8 bytes if there are any.
#[inline]
unsafe fn words_in(target: *mut u8, data: &[u8]) {
    let (blocks, words) = data.split_at(data.len() / BLOCK * BLOCK);
    // SAFETY: as the caller promises.
    unsafe {
        if !blocks.is_empty() {
            copy_blocks(target, blocks.as_ptr(), blocks.len());
        }
        let target = target.add(blocks.len());
        if words.len() == 8 {
            // Compilers unroll a loop, which is slow to start.
            return word::<AtomicU64>(target).store(u64::from_ne_bytes(array(words)), Relaxed);
        }
        for (n, bytes) in words.chunks_exact(8).enumerate() {
            let value = u64::from_ne_bytes(array(bytes));
            word::<AtomicU64>(target.add(n * 8)).store(value, Relaxed);
        }
    }
}

/// Stores an aligned word of 1, 2, 4 or 8 bytes, or nothing.
///
/// # Safety
///
/// `bytes.len()` bytes are writable at `target`, which is aligned to that width.
#[inline]
pub(super) unsafe fn store_word(target: *mut u8, bytes: &[u8]) {
    // SAFETY: as the caller promises.
    unsafe {
        match bytes.len() {
            8 => word::<AtomicU64>(target).store(u64::from_ne_bytes(array(bytes)), Relaxed),
            4 => word::<AtomicU32>(target).store(u32::from_ne_bytes(array(bytes)), Relaxed),
            2 => word::<AtomicU16>(target).store(u16::from_ne_bytes(array(bytes)), Relaxed),
            1 => word::<AtomicU8>(target).store(bytes[0], Relaxed),
            _ => {}
        }
    }
}

/// Copies out of shared memory that is not aligned to 8 bytes, or less than a word of that size.
///
/// # Safety
///
/// As for [`copy_out`].
#[inline(never)]
unsafe fn parts_out(source: *mut u8, mut data: &mut [u8]) {
    let mut at = source;
    while let Some(width) = access_width(at.addr(), data.len()) {
        let (head, tail) = data.split_at_mut(run(width, data.len()));
        // SAFETY: `head.len()` bytes are left at `at`, which is aligned to `width`.
        unsafe {
            match width {
                8 => words_out(at, head),
                4 => head.copy_from_slice(&word::<AtomicU32>(at).load(Relaxed).to_ne_bytes()),
                2 => head.copy_from_slice(&word::<AtomicU16>(at).load(Relaxed).to_ne_bytes()),
                _ => head[0] = word::<AtomicU8>(at).load(Relaxed),
            }
            at = at.add(head.len());
        }
        data = tail;
    }
}

/// Copies into shared memory, as `parts_out`.
///
/// # Safety
///
/// As for [`copy_in`].
#[inline(never)]
unsafe fn parts_in(target: *mut u8, mut data: &[u8]) {
    let mut at = target;
    while let Some(width) = access_width(at.addr(), data.len()) {
        let (head, tail) = data.split_at(run(width, data.len()));
        // SAFETY: `head.len()` bytes are left at `at`, which is aligned to `width`.
        unsafe {
            if width == 8 {
                words_in(at, head);
            } else {
                store_word(at, head);
            }
            at = at.add(head.len());
        }
        data = tail;
    }
}

#[inline]
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// Returns the widest access at `address` that stays inside `len` bytes; `None` when nothing is
/// left.
#[inline]
fn access_width(address: usize, len: usize) -> Option<usize> {
    let largest = 1 << len.checked_ilog2()?;
    Some(alignment(address).min(largest))
}

/// Returns the width of the last word of `len` bytes before `end`: the largest one that is aligned;
/// 0 if there are no bytes.
#[inline]
pub(crate) fn last_word(end: usize, len: usize) -> usize {
    access_width(end, len).unwrap_or(0)
}

/// Returns the largest width of an access, up to 8, that the address is a multiple of.
#[inline]
fn alignment(address: usize) -> usize {
    1 << (address | 8).trailing_zeros()
}

/// Returns how many bytes to copy in accesses of this width: all whole words of 8 bytes, or one
/// smaller access.
#[inline]
fn run(width: usize, len: usize) -> usize {
    if width == 8 { len / 8 * 8 } else { width }
}

/// The bytes that a turn of `copy_blocks` moves; more than any copy has if there is no such code
/// for the processor.
const BLOCK: usize = if cfg!(target_arch = "x86_64") { 64 } else { usize::MAX };

/// The size in bytes from which the string instruction is faster: it starts slowly, but then
/// fetches memory that no cache holds up to six times as fast.
#[cfg(target_arch = "x86_64")]
const STRING: usize = 2048;

/// Copies whole blocks, in accesses of 8 bytes or more.
///
/// # Safety
///
/// `len` is a multiple of [`BLOCK`] and not zero; as many bytes are readable at `source` and
/// writable at `target`. Each of the two is aligned to 8 bytes or memory of this thread alone.
#[cfg(target_arch = "x86_64")]
unsafe fn copy_blocks(target: *mut u8, source: *const u8, len: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        if len >= STRING {
            copy_string(target, source, len);
        } else {
            copy_vectors(target, source, len);
        }
    }
}

/// Copies whole words of 8 bytes by one instruction.
///
/// # Safety
///
/// As for [`copy_blocks`].
#[cfg(target_arch = "x86_64")]
unsafe fn copy_string(target: *mut u8, source: *const u8, len: usize) {
    // SAFETY: it accesses the bytes that the caller promises, upwards, because the direction flag
    // is clear in Rust code, and declares what else it changes. To the abstract machine it is a
    // copy by relaxed atomic words of 8 bytes: the instruction is defined as one move for each.
    unsafe {
        asm!(
            "rep movsq",
            inout("rdi") target => _,
            inout("rsi") source => _,
            inout("rcx") len / 8 => _,
            options(nostack, preserves_flags),
        );
    }
}

/// Copies whole blocks, in accesses of 16 bytes.
///
/// # Safety
///
/// As for [`copy_blocks`].
#[cfg(target_arch = "x86_64")]
unsafe fn copy_vectors(target: *mut u8, source: *const u8, len: usize) {
    // SAFETY: it accesses the bytes that the caller promises, and declares what else it changes.
    // Every x86-64 processor has these instructions. To the abstract machine it is a copy by
    // relaxed atomic words of 8 bytes, which processors do not tear.
    unsafe {
        asm!(
            "2:",
            "movups {a}, [{source}]",
            "movups {b}, [{source} + 16]",
            "movups {c}, [{source} + 32]",
            "movups {d}, [{source} + 48]",
            "movups [{target}], {a}",
            "movups [{target} + 16], {b}",
            "movups [{target} + 32], {c}",
            "movups [{target} + 48], {d}",
            "add {source}, 64",
            "add {target}, 64",
            "sub {len}, 64",
            "jnz 2b",
            source = inout(reg) source => _,
            target = inout(reg) target => _,
            len = inout(reg) len => _,
            a = out(xmm_reg) _,
            b = out(xmm_reg) _,
            c = out(xmm_reg) _,
            d = out(xmm_reg) _,
            options(nostack),
        );
    }
}

/// Copies whole blocks, of which there are none.
///
/// # Safety
///
/// None.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn copy_blocks(_: *mut u8, _: *const u8, _: usize) {}
