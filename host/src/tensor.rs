//! Dense host tensors: the only numbers that pass between modules.

use crate::error::{Error, Result};

/// A dense row-major tensor in host memory.
///
/// `data.len()` is the product of `shape`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<T> {
    shape: Vec<usize>,
    data: Vec<T>,
}

impl<T> Tensor<T> {
    /// A tensor over `data`.
    ///
    /// # Errors
    /// `Invalid` when the shape's product is not the number of elements.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<T>) -> Result<Self> {
        let shape = shape.into();
        if shape.iter().product::<usize>() != data.len() {
            let detail = format!("expected shape {shape:?}, found {} elements", data.len());
            return Err(Error::invalid("tensor", detail));
        }
        Ok(Self { shape, data })
    }

    /// One size per dimension.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The elements, to change in place.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The elements, owned.
    pub fn into_data(self) -> Vec<T> {
        self.data
    }

    /// The length of the last dimension; 1 for a scalar.
    pub fn row_len(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// Row `index`, counting rows over all but the last dimension.
    pub fn row(&self, index: usize) -> &[T] {
        let len = self.row_len();
        &self.data[index * len..(index + 1) * len]
    }

    /// How many rows [`Tensor::row`] counts.
    pub fn row_count(&self) -> usize {
        self.data.len().checked_div(self.row_len()).unwrap_or(0)
    }
}
