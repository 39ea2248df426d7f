//! iotarget
