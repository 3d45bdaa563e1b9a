//! What strangers try, against the machine itself.
