//! vbus
