//! Objects in memory that are linked.

use std::marker::PhantomData;

use zerocopy::{FromBytes, IntoBytes};

use super::{Dma, DmaError};

impl Dma {
    /// Reads objects that are linked: the one at `first`, then those to which `next` leads, until
    /// it returns `None`. After `limit` objects the chain is an error, because a guest can link
    /// them in a circle.
    ///
    /// ```
    /// # use vfio_user::{Dma, DmaError};
    /// use vfio_user::zerocopy::{FromBytes, IntoBytes, little_endian::{U32, U64}};
    ///
    /// #[derive(FromBytes, IntoBytes)]
    /// #[zerocopy(crate = "vfio_user::zerocopy")]
    /// #[repr(C)]
    /// struct Descriptor {
    ///     address: U64,
    ///     next: U64,
    ///     len: U32,
    ///     has_next: U32,
    /// }
    ///
    /// fn total(dma: &Dma, first: u64) -> Result<u64, DmaError> {
    ///     let next = |one: &Descriptor| (one.has_next != 0).then(|| one.next.get());
    ///     dma.chain(first, 256, next).map(|one| Ok(u64::from(one?.len))).sum()
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// An item may be an error, which ends the chain: as [`read_obj`](Self::read_obj);
    /// [`DmaError::EndlessChain`] in place of object `limit + 1`.
    pub fn chain<T: FromBytes + IntoBytes>(
        &self,
        first: u64,
        limit: usize,
        next: impl FnMut(&T) -> Option<u64>,
    ) -> impl Iterator<Item = Result<T, DmaError>> {
        Chain { dma: self, at: Some(first), read: 0, limit, next, objects: PhantomData }
    }
}

struct Chain<'a, T, F> {
    dma: &'a Dma,
    /// The address of the next object, unless the chain has ended.
    at: Option<u64>,
    read: usize,
    limit: usize,
    next: F,
    objects: PhantomData<T>,
}

impl<T: FromBytes + IntoBytes, F: FnMut(&T) -> Option<u64>> Iterator for Chain<'_, T, F> {
    type Item = Result<T, DmaError>;

    fn next(&mut self) -> Option<Self::Item> {
        let iova = self.at.take()?;
        if self.read == self.limit {
            return Some(Err(DmaError::EndlessChain { iova, limit: self.limit }));
        }
        self.read += 1;
        let object = self.dma.read_obj(iova);
        if let Ok(object) = &object {
            self.at = (self.next)(object);
        }
        Some(object)
    }
}
