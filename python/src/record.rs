//! Rust structs as rows of NumPy structured arrays: the memory of one is that of the other, so that arrays go in and out without a copy.

use numpy::{
    Element, PyArray1, PyArrayDescr, PyArrayDescrMethods, PyArrayMethods, PyReadonlyArray1, PyUntypedArray,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A field of a row: its name, NumPy's type code and its place in bytes.
pub(crate) type Field = (&'static str, &'static str, usize);

/// NumPy's dtype of a row.
pub(crate) fn dtype<'py>(
    py: Python<'py>,
    fields: &[Field],
    size: usize,
) -> PyResult<Bound<'py, PyArrayDescr>> {
    let layout = PyDict::new(py);
    layout.set_item("names", fields.iter().map(|field| field.0).collect::<Vec<_>>())?;
    layout.set_item("formats", fields.iter().map(|field| field.1).collect::<Vec<_>>())?;
    layout.set_item("offsets", fields.iter().map(|field| field.2).collect::<Vec<_>>())?;
    layout.set_item("itemsize", size)?;
    PyArrayDescr::new(py, layout)
}

/// Defines a row and its dtype. Fields that are named `_...` are padding: they fill gaps, so that no byte is left undefined, and have no
/// name in Python.
macro_rules! record {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $format:literal,)* } $(padding { $pad:ident: $pad_type:ty })?) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[repr(C)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: $type,)*
            $(pub(crate) $pad: $pad_type,)?
        }

        // No byte may be left undefined: the fields and the padding add up to the whole.
        const _: () = assert!(
            0 $(+ size_of::<$type>())* $(+ size_of::<$pad_type>())? == size_of::<$name>()
        );

        // SAFETY: the struct is `repr(C)`, has no gaps (asserted above), and consists of integers and floats, for which any bits are
        // legal; the dtype names each of them at its own offset with its own size and gives the struct's size as that of an item.
        unsafe impl numpy::Element for $name {
            const IS_COPY: bool = true;

            fn get_dtype(py: pyo3::Python<'_>) -> pyo3::Bound<'_, numpy::PyArrayDescr> {
                static DTYPE: pyo3::sync::PyOnceLock<pyo3::Py<numpy::PyArrayDescr>> = pyo3::sync::PyOnceLock::new();
                DTYPE
                    .get_or_init(py, || {
                        let fields = [$((stringify!($field), $format, std::mem::offset_of!($name, $field)),)*];
                        $crate::record::dtype(py, &fields, size_of::<$name>())
                            .expect("a dtype of named numbers is legal")
                            .unbind()
                    })
                    .clone_ref(py)
                    .into_bound(py)
            }

            fn clone_ref(&self, _py: pyo3::Python<'_>) -> Self {
                *self
            }

            fn vec_from_slice(_py: pyo3::Python<'_>, rows: &[Self]) -> Vec<Self> {
                rows.to_vec()
            }
        }
    };
}
pub(crate) use record;

/// The rows of an array argument, aligned and contiguous; copied where they are not. `None` if it is an array of something else.
///
/// # Errors
/// `TypeError` for what is no array, `ValueError` for one that is not one-dimensional.
pub(crate) fn rows<'py, T: Element + Copy>(
    key: &str,
    object: &Bound<'py, PyAny>,
) -> PyResult<Option<PyReadonlyArray1<'py, T>>> {
    let Ok(array) = object.cast::<PyUntypedArray>() else {
        let kind = object.get_type();
        return Err(PyTypeError::new_err(format!("{key} is a {kind}; legal: a NumPy structured array")));
    };
    if !array.dtype().is_equiv_to(&T::get_dtype(object.py())) {
        return Ok(None);
    }
    if array.ndim() != 1 {
        return Err(PyValueError::new_err(format!("{key} has {} dimensions; legal: 1", array.ndim())));
    }
    let typed = array.cast::<PyArray1<T>>()?;
    let is_sound = typed.is_contiguous() && typed.data().is_aligned();
    let sound =
        if is_sound { typed.clone() } else { object.call_method0("copy")?.cast_into::<PyArray1<T>>()? };
    Ok(Some(sound.try_readonly().map_err(|error| PyValueError::new_err(format!("{key}: {error}")))?))
}
