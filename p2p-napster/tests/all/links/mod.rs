//! Servers that are linked: as recorded, in the simulator, and with neighbours that are up to no good.

mod replay;
