//! Reading ahead: [`fetch`].

/// Reads a value that is needed soon, and goes on. What is far from the processor comes nearer meanwhile, and several of
/// these wait for memory together, where the code that uses the values would wait for one after the other.
#[inline]
pub(super) fn fetch<T: Copy>(value: T) {
    core::hint::black_box(value);
}
