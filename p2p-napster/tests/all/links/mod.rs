//! Servers that are linked: as recorded, in the simulator, and with neighbours that are up to no good.

mod collisions;
mod flows;
mod hostile;
mod neighbour;
mod replay;
mod searches;
mod splits;
mod world;
