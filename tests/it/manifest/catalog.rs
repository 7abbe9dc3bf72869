//! The catalog that the program itself checks against.

pub(super) use lifeboat::app::Wired as TestCatalog;
