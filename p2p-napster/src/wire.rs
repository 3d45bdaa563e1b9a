//! The protocol between clients and servers: frames, fields, messages.
