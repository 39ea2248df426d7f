//! wdf
