//! Uploads, downloads and the library, over the streams and disks of the simulator.

mod attacks;
mod codecs;
mod downloads;
mod library;
mod numbered;
mod recorded;
mod rig;
mod uploads;
