//! The names of functions, for call stacks and error messages.

use hashbrown::HashMap;
use wasmparser::{KnownCustom, Name, NameSectionReader, Parser, Payload};

use super::error::FunctionName;

/// What a module calls its functions.
#[derive(Debug, Default)]
pub(super) struct Names {
    functions: HashMap<u32, Box<str>>,
}

impl Names {
    /// The names in the binary module `bytes`, as far as they can be read: an error in them is no error of the module.
    pub(super) fn of_module(bytes: &[u8]) -> Names {
        let mut names = Names::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload {
                Ok(Payload::ExportSection(exports)) => {
                    for export in exports.into_iter().map_while(Result::ok) {
                        names.add_export(&export);
                    }
                }
                Ok(Payload::CustomSection(section)) => {
                    if let KnownCustom::Name(reader) = section.as_known() {
                        names.add_section(reader);
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        names
    }

    /// An export is a name for want of a better one.
    pub(super) fn add_export(&mut self, export: &wasmparser::Export<'_>) {
        if export.kind == wasmparser::ExternalKind::Func {
            self.functions.entry(export.index).or_insert_with(|| export.name.into());
        }
    }

    /// Takes the names of functions from a name section.
    pub(super) fn add_section(&mut self, reader: NameSectionReader<'_>) {
        for subsection in reader.into_iter().map_while(Result::ok) {
            if let Name::Function(map) = subsection {
                for naming in map.into_iter().map_while(Result::ok) {
                    self.functions.insert(naming.index, naming.name.into());
                }
            }
        }
    }

    /// The name of the function with index `index`.
    pub(super) fn function(&self, index: u32) -> Option<&str> {
        self.functions.get(&index).map(|name| &**name)
    }

    /// The function with index `index`, with its name.
    pub(super) fn describe(&self, index: u32) -> FunctionName {
        FunctionName { index, name: self.function(index).map(str::to_owned) }
    }
}
