//! How each sort of field is read and written, and the macro that makes an enum of messages of its table.

use super::text::{Fault, Fields, Malformed, Number, Writer};

/// A field without quotes where it can stand so.
pub(super) mod word {
    use super::{Fields, Malformed, Writer};
    pub(in crate::wire) fn read<'a>(from: &mut Fields<'a>) -> Result<&'a [u8], Malformed> {
        Ok(from.require()?.bytes)
    }
    pub(in crate::wire) fn write(value: &[u8], to: &mut Writer<'_>) {
        to.word(value);
    }
}

/// A field that is not shown when debugging: a password, or its hash.
pub(super) mod secret {
    pub(in crate::wire) use super::word::{read, write};
}

/// Text up to the end that is not shown when debugging.
pub(super) mod secret_rest {
    pub(in crate::wire) use super::rest::{read, write};
}

/// A field in quotes; without them it is read too.
pub(super) mod quoted {
    use super::{Fields, Malformed, Writer};
    pub(in crate::wire) fn read<'a>(from: &mut Fields<'a>) -> Result<&'a [u8], Malformed> {
        Ok(from.require()?.bytes)
    }
    pub(in crate::wire) fn write(value: &[u8], to: &mut Writer<'_>) {
        to.quoted(value);
    }
}

/// Free text up to the end.
pub(super) mod rest {
    use super::{Fields, Malformed, Writer};
    #[expect(clippy::unnecessary_wraps, reason = "all sorts of fields are read alike")]
    pub(in crate::wire) fn read<'a>(from: &mut Fields<'a>) -> Result<&'a [u8], Malformed> {
        Ok(from.rest())
    }
    pub(in crate::wire) fn write(value: &[u8], to: &mut Writer<'_>) {
        to.rest(value);
    }
}

/// A decimal number.
pub(super) mod number {
    use super::{Fields, Malformed, Number, Writer};
    pub(in crate::wire) fn read<N: Number>(from: &mut Fields<'_>) -> Result<N, Malformed> {
        from.number()
    }
    pub(in crate::wire) fn write<N: Number>(value: &N, to: &mut Writer<'_>) {
        to.number(*value);
    }
}

/// A field that may be missing.
pub(super) mod optional_word {
    use super::{Fields, Malformed, Writer};
    pub(in crate::wire) fn read<'a>(from: &mut Fields<'a>) -> Result<Option<&'a [u8]>, Malformed> {
        Ok(from.next()?.map(|field| field.bytes))
    }
    pub(in crate::wire) fn write(value: &Option<&[u8]>, to: &mut Writer<'_>) {
        if let Some(value) = value {
            to.word(value);
        }
    }
}

/// A field in quotes that may be missing.
pub(super) mod optional_quoted {
    use super::Writer;
    pub(in crate::wire) use super::optional_word::read;
    pub(in crate::wire) fn write(value: &Option<&[u8]>, to: &mut Writer<'_>) {
        if let Some(value) = value {
            to.quoted(value);
        }
    }
}

/// A number that may be missing.
pub(super) mod optional_number {
    use super::{Fields, Malformed, Number, Writer};
    pub(in crate::wire) fn read<N: Number>(from: &mut Fields<'_>) -> Result<Option<N>, Malformed> {
        from.next()?.map(|field| field.number()).transpose()
    }
    pub(in crate::wire) fn write<N: Number>(value: &Option<N>, to: &mut Writer<'_>) {
        if let Some(value) = value {
            to.number(*value);
        }
    }
}

/// Several fields that are one record with `read` and `write` of its own.
pub(super) mod record {
    use super::{Fields, Malformed, Writer};
    pub(in crate::wire) trait Record<'a>: Sized {
        fn read(from: &mut Fields<'a>) -> Result<Self, Malformed>;
        fn write(&self, to: &mut Writer<'_>);
    }
    pub(in crate::wire) fn read<'a, R: Record<'a>>(from: &mut Fields<'a>) -> Result<R, Malformed> {
        R::read(from)
    }
    pub(in crate::wire) fn write<'a, R: Record<'a>>(value: &R, to: &mut Writer<'_>) {
        value.write(to);
    }
}

/// A colon and a name, at the beginning.
pub(super) mod origin {
    use super::{Fault, Fields, Malformed, Writer};
    pub(in crate::wire) fn read<'a>(from: &mut Fields<'a>) -> Result<&'a [u8], Malformed> {
        let field = from.require()?;
        match field.bytes.split_first() {
            Some((b':', name)) if !name.is_empty() && !field.quoted => Ok(name),
            _ => Err(Malformed { at: field.at, fault: Fault::Origin }),
        }
    }
    pub(in crate::wire) fn write(value: &[u8], to: &mut Writer<'_>) {
        to.origin(value);
    }
}

/// Makes an enum of messages: each line is `type Variant`, then its fields, each with the sort that reads and writes it.
macro_rules! messages {
    (@shown secret $field:ident) => {{ let _ = $field; &"..." }};
    (@shown secret_rest $field:ident) => {{ let _ = $field; &"..." }};
    (@shown $codec:ident $field:ident) => { $field };
    (
        $(#[$meta:meta])*
        $name:ident<$a:lifetime> {
            $(
                $(#[$variant_meta:meta])*
                $kind:literal $variant:ident
                $(($tuple_field:ident: $tuple_ty:ty as $tuple_codec:ident))?
                $({ $($(#[$field_meta:meta])* $field:ident: $ty:ty as $codec:ident,)* })?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name<$a> {
            $($(#[$variant_meta])* $variant $(($tuple_ty))? $({ $($(#[$field_meta])* $field: $ty,)* })?,)*
            /// A type that has no form of its own here: the type, and the body as it came.
            Other(u16, &$a [u8]),
        }

        /// Passwords are left out.
        impl core::fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self {
                    $(Self::$variant $(($tuple_field))? $({ $($field),* })? => {
                        f.debug_struct(stringify!($variant))
                            $(.field(stringify!($tuple_field), messages!(@shown $tuple_codec $tuple_field)))?
                            $($(.field(stringify!($field), messages!(@shown $codec $field)))*)?
                            .finish()
                    })*
                    Self::Other(kind, body) => f.debug_tuple("Other").field(kind).field(body).finish(),
                }
            }
        }

        impl<$a> $name<$a> {
            /// Reads the body of a message of type `kind`. Fields behind those known are ignored.
            ///
            /// # Errors
            /// If a field is missing, has no end, or is not what it must be.
            pub fn parse(kind: u16, body: &$a [u8]) -> Result<Self, $crate::wire::text::Malformed> {
                #[allow(unused_imports)]
                use $crate::wire::codec::*;
                let from = &mut $crate::wire::text::Fields::new(body);
                Ok(match kind {
                    $($kind => Self::$variant
                        $(($tuple_codec::read(from)?))?
                        $({ $($field: $codec::read(from)?,)* })?,)*
                    _ => Self::Other(kind, body),
                })
            }

            /// The message's type.
            #[must_use]
            pub const fn kind(&self) -> u16 {
                match self {
                    $(Self::$variant { .. } => $kind,)*
                    Self::Other(kind, _) => *kind,
                }
            }

            /// Appends the message with its head.
            pub fn encode(&self, out: &mut bytes::BytesMut) {
                #[allow(unused_imports)]
                use $crate::wire::codec::*;
                $crate::wire::frame::put_frame(out, self.kind(), |to| match self {
                    $(Self::$variant $(($tuple_field))? $({ $($field),* })? => {
                        $($tuple_codec::write($tuple_field, to);)?
                        $($($codec::write($field, to);)*)?
                    })*
                    Self::Other(_, body) => {
                        to.raw(body);
                    }
                });
            }
        }
    };
}
