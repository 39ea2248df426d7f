//! Enumerations of the C headers: a number each, and the name that logs print.

macro_rules! enumeration {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $shown:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant = $code),+ }

        impl $name {
            /// The enumerator's name, as logs print it.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $shown),+ }
            }

            /// The enumerator with this number.
            pub const fn from_number(number: u64) -> Option<$name> {
                match number {
                    $($code => Some($name::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use enumeration;
